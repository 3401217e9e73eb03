"""Runs stages: what is there is used, what was killed is resumed, what failed says so."""

from __future__ import annotations

import errno
import platform
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..core.errors import InvalidInput, StageFailed
from .artifact import Artifact
from .backend_table import default_backends
from .stage import AbstractStage, ProgressLog, StageContext, describe_stage, stage_key
from .store import Store

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(frozen=True)
class Node:
    """A stage in a pipeline, with its inputs: the stage's name for each -> label of an earlier node."""

    stage: AbstractStage
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """Stages by label, in the order in which they run.

    Raises:
        InvalidInput: A node takes its input from a label that does not stand before it.
    """

    nodes: Mapping[str, Node]

    def __post_init__(self) -> None:
        earlier: list[str] = []
        for label, node in self.nodes.items():
            unknown = [source for source in node.inputs.values() if source not in earlier]
            if unknown:
                raise InvalidInput(
                    f"stage {label!r} takes its input from {unknown[0]!r}; labels before it: {', '.join(earlier) or 'none'}"
                )
            earlier.append(label)

    def upto(self, label: str) -> Pipeline:
        """The part of the pipeline that one label needs.

        Raises:
            InvalidInput: No such label.
        """
        if label not in self.nodes:
            raise InvalidInput(f"no stage {label!r} in this pipeline; choose from {', '.join(self.nodes)}")
        needed = {label}
        for name in reversed(list(self.nodes)):
            if name in needed:
                needed |= set(self.nodes[name].inputs.values())
        return Pipeline({name: node for name, node in self.nodes.items() if name in needed})


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes; ``wait_s`` is how long to wait for another process that makes the same artifact."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    wait_s: float = 0.0


def run_pipeline(pipeline: Pipeline, store: Store, machine: Machine | None = None) -> dict[str, Artifact]:
    """Run every stage whose result is not there yet.

    Returns:
        The artifacts by label.

    Raises:
        StageFailed: A stage stopped; what it completed stays, for the next run to go on from.
        ArtifactCorrupt: A stored result does not match its manifest.
        StoreLocked: Another process is making one of the results.
    """
    made: dict[str, Artifact] = {}
    for label, node in pipeline.nodes.items():
        inputs = {name: made[source] for name, source in node.inputs.items()}
        made[label] = run_stage(node.stage, store, label=label, inputs=inputs, machine=machine)
    return made


def run_stage(
    stage: AbstractStage,
    store: Store,
    *,
    label: str | None = None,
    inputs: Mapping[str, Artifact] | None = None,
    machine: Machine | None = None,
) -> Artifact:
    """Run one stage, unless its result is there.

    Args:
        label: What to call it in messages; the stage's name by default.
        inputs: Artifacts, by the stage's own name for each.

    Raises:
        StageFailed, ArtifactCorrupt, StoreLocked: As :func:`run_pipeline`.
    """
    name, inputs, machine = label or stage.stage_name(), inputs or {}, machine or Machine()
    description = describe_stage(stage, inputs, machine.device, machine.dtype)
    slot = store.slot(stage.stage_name(), stage_key(description))
    if slot.is_finished:
        return slot.open(name)
    try:
        with slot.lock(wait_s=machine.wait_s):
            if slot.is_finished:  # by the process that was waited for
                return slot.open(name)
            ctx = StageContext(slot.begin(), ProgressLog(slot.log), inputs, machine.device, machine.dtype)
            started = time.time()
            ctx.log.write("started", label=name)
            _run(stage, ctx, name, slot.key)
            ctx.log.write("finished", label=name)
            about = {"about": description, "started": started, "seconds": time.time() - started}
            return slot.finish(name, about | _circumstances(machine))
    except OSError as error:
        problem = (
            f"{error}: the store {store.root} cannot be written; free space there or choose a store that can be written, then "
            "run again: what was completed stays"
        )
        raise StageFailed(name, slot.key, problem) from error


def _run(stage: AbstractStage, ctx: StageContext, name: str, key: str) -> None:
    try:
        stage.run(ctx)
    except Exception as error:
        with suppress(OSError):  # of the log: it must not hide what happened
            ctx.log.write("failed", problem=str(error))
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise StageFailed(name, key, str(error) or type(error).__name__) from error


def _circumstances(machine: Machine) -> dict[str, Any]:
    return {
        "threads": torch.get_num_threads(),
        "backends": default_backends(machine.device),
        "versions": {
            "trisparse": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The commit of the checkout that runs; None for an installed wheel."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
