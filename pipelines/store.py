"""Where results are kept: ``<root>/<stage>/<key>/``.

Work goes on in ``<key>.partial/``, beside which ``<key>.lock`` is held; the manifest is written last, then one rename makes the
folder finished. So a folder without ``.partial`` is whole, whatever was killed when.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import StoreLocked
from ..core.files import remove_leftovers
from .artifact import MANIFEST, Artifact, write_manifest


@dataclass(frozen=True)
class Slot:
    """The place of one artifact, finished or not."""

    root: Path
    stage: str
    key: str

    @property
    def folder(self) -> Path:
        """Of the finished artifact."""
        return self.root / self.stage / self.key

    @property
    def partial(self) -> Path:
        """Of the work under way."""
        return self._beside(".partial")

    @property
    def log(self) -> Path:
        """Progress as JSON lines; kept outside the artifact, because times differ from run to run."""
        return self._beside(".log.jsonl")

    @property
    def is_finished(self) -> bool:
        return self.folder.is_dir()

    def open(self, label: str, *, verify: bool = True) -> Artifact:
        """The finished artifact.

        Args:
            label: What the caller calls it.
            verify: Whether to compare every file's SHA-256.

        Raises:
            ArtifactCorrupt: It does not match its manifest.
        """
        artifact = Artifact.open(self.folder, label)
        if verify:
            artifact.verify()
        return artifact

    def begin(self) -> Path:
        """The folder to work in, with what an earlier, killed run completed there. Needs :meth:`lock`."""
        self.partial.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.partial)
        (self.partial / MANIFEST).unlink(missing_ok=True)
        return self.partial

    def finish(self, label: str, about: Mapping[str, Any]) -> Artifact:
        """Write the manifest and give the folder its final name. Needs :meth:`lock`."""
        write_manifest(self.partial, {"stage": self.stage, "key": self.key, **about})
        self._beside(".owner.json").unlink(missing_ok=True)  # nobody looks here again, should a kill come now
        os.rename(self.partial, self.folder)
        return self.open(label, verify=False)

    def discard(self) -> None:
        """Remove the finished artifact and the work under way, if any. Needs :meth:`lock`."""
        for folder in (self.folder, self.partial):
            if folder.exists():
                shutil.rmtree(folder)
        self.log.unlink(missing_ok=True)

    @contextmanager
    def lock(self, *, wait_s: float = 0.0) -> Iterator[None]:
        """Keep every other process from making this artifact.

        The operating system lets go of the lock when its holder ends, however it ends: a stale one does not exist.

        Args:
            wait_s: How long to wait for another process, in seconds; ``inf`` for as long as it takes.

        Raises:
            StoreLocked: Another process has it still; names the process where known.
        """
        import filelock

        owner = self._beside(".owner.json")
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        guard = filelock.FileLock(self._beside(".lock"), timeout=-1 if wait_s == float("inf") else wait_s)
        try:
            guard.acquire()
        except filelock.Timeout as error:
            raise StoreLocked(
                f"{self.folder}: being made by {_owner(owner)} still, after waiting {wait_s:g} s; "
                "wait for it, or stop it and start again"
            ) from error
        try:
            # Not atomically: a kill would leave the temporary file, and a half-written owner is read as an unknown one.
            owner.write_text(json.dumps({"process": os.getpid(), "machine": platform.node()}), encoding="utf-8")
            yield
        finally:
            try:
                owner.unlink(missing_ok=True)
            finally:
                guard.release()

    def _beside(self, suffix: str) -> Path:
        return self.root / self.stage / f"{self.key}{suffix}"


@dataclass(frozen=True)
class Store:
    """A folder of artifacts, shared by any number of processes."""

    root: Path

    def slot(self, stage: str, key: str) -> Slot:
        """The place of one artifact."""
        return Slot(self.root, stage, key)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['machine']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
