"""``trisparse status``, ``show`` and ``gc``: what lies in the folder of results."""

from __future__ import annotations

import json as json_format
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Status:
    """List runs, and what is cached, running, stopped or failed, with sizes and times."""

    runs: Path = Path("runs")
    """Folder of results."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from rich.console import Console
        from rich.table import Table

        from ..store import Store
        from ..store_contents import list_store
        from ..to_answer import read_records

        store = Store(self.runs)
        records, found = read_records(store), list_store(store)
        if self.json:
            print(json_format.dumps({"runs": [asdict(x) for x in records], "artifacts": [asdict(x) for x in found]}))
            return
        console = Console()
        if not records and not found:
            console.print(f"nothing in {self.runs} yet")
            return
        if records:
            table = Table("run", "pipeline", "parts", "last part made", box=None, title="runs", title_justify="left")
            for record in records:
                parts = ", ".join(f"{label} {key[:8]}" for label, (_, key) in record.parts.items())
                table.add_row(record.name, record.kind, parts, _when(record.finished))
            console.print(table)
        table = Table("state", "stage", "key", "MB", "seconds", "changed", "runs, or last word", box=None)
        for one in found:
            seconds = "" if one.seconds is None else f"{one.seconds:.1f}"
            size = f"{one.bytes / 1e6:.1f}"
            words = ", ".join(one.runs) if one.state == "finished" else one.about
            table.add_row(one.state, one.stage, one.key[:12], size, seconds, _when(one.changed), words[:100])
        console.print(table)


@dataclass(frozen=True)
class Show:
    """Show an artifact: what made it, from what, its files and pictures; or the parts of a run."""

    key: tyro.conf.Positional[str]
    """The beginning of a key, or the name of a run."""
    runs: Path = Path("runs")
    """Folder of results."""
    json: bool = False
    """Print the manifest as JSON."""

    def run(self) -> None:
        from ..artifact import Artifact
        from ..stage import ProgressLog
        from ..store import Store
        from ..store_contents import find_stored, pictures_of
        from ..to_answer import read_records

        store = Store(self.runs)
        for record in read_records(store):
            if record.name == self.key:
                if self.json:
                    print(json_format.dumps(asdict(record)))
                    return
                print(f"run {record.name}: {record.kind}, {_when(record.finished)}")
                for label, (stage, key) in record.parts.items():
                    print(f"  {label}: {store.slot(stage, key).folder}")
                report = self.runs / "reports" / f"{record.name}.html"
                if report.is_file():
                    print(f"  report: {report}")
                return
        slot = find_stored(store, self.key)
        if not slot.is_finished:
            lines = ProgressLog(slot.log).read()
            if self.json:
                print(json_format.dumps({"stage": slot.stage, "key": slot.key, "log": lines}))
                return
            print(f"{slot.stage} {slot.key}: not finished; its log ends")
            for line in lines[-5:]:
                print(f"  {json_format.dumps(line)}")
            return
        artifact = Artifact.open(slot.folder, slot.stage)
        artifact.verify()
        if self.json:
            print(json_format.dumps(dict(artifact.manifest)))
            return
        print(f"{slot.stage}: {slot.folder}")
        print(json_format.dumps({k: v for k, v in artifact.manifest.items() if k != "files"}, indent=1))
        for name, entry in artifact.manifest["files"].items():
            print(f"  {entry['bytes']:>12,} bytes  {name}")
        for path in pictures_of(slot.folder):
            print(f"picture: {path}")


@dataclass(frozen=True)
class Gc:
    """Remove what no run is made of: artifacts, stopped and failed work. Runs that are recorded lose nothing.

    Only says what it would remove, unless --yes is given. Of `trisparse render`, `reconstruct` and `evaluate events` the latest
    fit or field of each input is recorded and stays.
    """

    runs: Path = Path("runs")
    """Folder of results."""
    yes: bool = False
    """Remove it."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from ..store import Store
        from ..store_contents import list_store, remove, unreferenced

        store = Store(self.runs)
        slots = unreferenced(store)
        sizes = {one.key: one.bytes for one in list_store(store)}
        total = sum(sizes.get(slot.key, 0) for slot in slots)
        if self.yes:
            total = remove(slots)
        if self.json:
            keys = [{"stage": slot.stage, "key": slot.key, "bytes": sizes.get(slot.key, 0)} for slot in slots]
            print(json_format.dumps({"removed": self.yes, "bytes": total, "artifacts": keys}))
            return
        for slot in slots:
            verb = "removed" if self.yes else "would remove"
            print(f"{verb} {slot.stage} {slot.key[:12]}: {sizes.get(slot.key, 0) / 1e6:.1f} MB")
        print(f"{len(slots)} artifacts, {total / 1e6:.1f} MB{'' if self.yes or not slots else '; --yes removes them'}")


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
