"""From photos, events or a scan to answers: the stages of each way, and a record of what a run is made of."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CorruptFile, InvalidInput, MissingPart
from ..core.files import write_text
from ..data.readers.json_files import read_json
from .artifact import Artifact
from .runner import Machine, Node, Pipeline, run_stage
from .stages.draw_in_views import DrawInViews
from .stages.fit_splats import FitSplats
from .stages.fuse_points import FuseField, FuseSplats
from .stages.ground_points import GroundPoints
from .stages.reconstruct_events import ReconstructEvents
from .store import Store

RECORDS = ".records"
"""Folder of a store with a file a run: what it is made of. What no record names may be removed."""
_FORMAT = "trisparse run"


def scan_to_answer(ground: GroundPoints) -> Pipeline:
    """A scan is asked."""
    return Pipeline({"answers": Node(ground)})


def photos_to_answer(fit: FitSplats, fuse: FuseSplats, ground: GroundPoints) -> Pipeline:
    """Gaussians are fitted to photos, fused into points and asked; boxes are drawn into renders."""
    return Pipeline(
        {
            "splats": Node(fit),
            "points": Node(fuse, {"splats": "splats"}),
            "answers": Node(ground, {"points": "points"}),
            "views": Node(DrawInViews(fit), {"answers": "answers", "points": "points", "splats": "splats"}),
        }
    )


def events_to_answer(learn: ReconstructEvents, fuse: FuseField, ground: GroundPoints) -> Pipeline:
    """A field is learned from events, fused into points and asked; boxes are drawn into renders."""
    return Pipeline(
        {
            "field": Node(learn),
            "points": Node(fuse, {"field": "field"}),
            "answers": Node(ground, {"points": "points"}),
            "views": Node(DrawInViews(learn), {"answers": "answers", "points": "points", "field": "field"}),
        }
    )


@dataclass(frozen=True)
class RunRecord:
    """What a run is made of, in the order in which it was made."""

    name: str
    kind: str
    """Which pipeline."""
    parts: Mapping[str, tuple[str, str]]
    """Label -> stage and key."""
    finished: float
    """Seconds since 1970."""


def run_recorded(
    name: str, kind: str, pipeline: Pipeline, store: Store, machine: Machine | None = None
) -> dict[str, Artifact]:
    """Run a pipeline and record what it is made of; the record grows with every stage.

    Raises:
        InvalidInput: A name that is no file name.
        StageFailed, ArtifactCorrupt, StoreLocked: See :func:`.runner.run_pipeline`.
    """
    made: dict[str, Artifact] = {}
    for label, node in pipeline.nodes.items():
        inputs = {role: made[source] for role, source in node.inputs.items()}
        made[label] = run_stage(node.stage, store, label=label, inputs=inputs, machine=machine)
        parts = {one: (pipeline.nodes[one].stage.stage_name(), artifact.key) for one, artifact in made.items()}
        write_record(store, RunRecord(name, kind, parts, time.time()))
    return made


def record_alone(store: Store, kind: str, source: Path, artifact: Artifact) -> None:
    """Record an artifact that a command made of a file or folder, so that it counts as wanted: the latest of each source."""
    name = f"{kind}-{file_name(source)}"
    parts = {artifact.label: (str(artifact.manifest["stage"]), artifact.key)}
    write_record(store, RunRecord(name, kind, parts, time.time()))


def file_name(source: Path) -> str:
    """The name of a file or folder without its ending and without what no name of a run should hold."""
    return re.sub(r"[^\w.+-]+", "-", source.resolve().stem).strip(".-")[:80] or "run"


def write_record(store: Store, record: RunRecord) -> Path:
    """Write a record, atomically; one of the same name is replaced.

    Raises:
        InvalidInput: A name that is no file name.
    """
    if not re.fullmatch(r"[\w.+-]{1,120}", record.name) or record.name.startswith("."):
        raise InvalidInput(f"a run called {record.name!r}; expected letters, digits, and - _ + . inside")
    parts = {label: {"stage": stage, "key": key} for label, (stage, key) in record.parts.items()}
    content = {"format": _FORMAT, "name": record.name, "kind": record.kind, "parts": parts, "finished": record.finished}
    path = store.root / RECORDS / f"{record.name}.json"
    write_text(path, json.dumps(content, indent=1) + "\n")
    return path


def read_records(store: Store) -> tuple[RunRecord, ...]:
    """All runs of a store, the latest last.

    Raises:
        CorruptFile: A record is damaged. It names what must not be removed, so that it is never passed over.
    """
    found = [_record(path) for path in sorted((store.root / RECORDS).glob("*.json"))]
    return tuple(sorted(found, key=lambda record: record.finished))


def find_record(store: Store, name: str) -> RunRecord:
    """The run of a name.

    Raises:
        MissingPart: None is called so.
    """
    for record in read_records(store):
        if record.name == name:
            return record
    raise MissingPart(f"no run {name!r} in {store.root}; `trisparse status` lists them")


def _record(path: Path) -> RunRecord:
    content: Any = read_json(path, "the record of a run")
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        parts = {str(label): (str(part["stage"]), str(part["key"])) for label, part in content["parts"].items()}
        if not all(
            re.fullmatch(r"[a-z0-9-]+", stage) and re.fullmatch("[0-9a-f]{64}", key) for stage, key in parts.values()
        ):
            raise ValueError("a stage or key that is none")
        return RunRecord(str(content["name"]), str(content["kind"]), parts, float(content["finished"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFile(
            path, "the record of a run", f"{error}; remove the file, or run the pipeline again"
        ) from error


def sentences_of(given: Sequence[str]) -> tuple[str, ...]:
    """Sentences, each once.

    Raises:
        InvalidInput: None.
    """
    found = tuple(dict.fromkeys(sentence.strip() for sentence in given if sentence.strip()))
    if not found:
        raise InvalidInput('nothing to find: give a sentence, for example "the chair by the window"')
    return found
