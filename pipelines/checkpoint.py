"""Training checkpoints: a tree of tensors and plain values, kept whole through a kill, read without pickle.

A tree is what ``state_dict()`` gives: dicts, lists and tuples of tensors, numpy arrays, numbers, text and None, nested at will.
A checkpoint is two files, ``step-000000120.safetensors`` (the tensors) and ``step-000000120.json`` (all the rest, and the
tensors' SHA-256). The second is written last; one without it, or one that does not match it, does not count, and the one
before is used. Two are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..core.errors import InvalidInput
from ..core.files import write_bytes, write_text
from .fingerprint import hash_file

_STEP_DIGITS = 9


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a training after some steps; tensors are on the CPU."""

    step: int
    state: Any


def save_checkpoint(folder: Path, step: int, state: Any, *, keep: int = 2) -> None:
    """Write a checkpoint, then remove all but the newest ones.

    Args:
        folder: Where checkpoints of this training lie; made if it is missing.
        step: Steps completed.
        state: The tree.
        keep: How many to keep.

    Raises:
        InvalidInput: The tree holds something else than tensors and plain values.
    """
    tensors: dict[str, Tensor] = {}
    tree = _pack(state, tensors, "state")
    folder.mkdir(parents=True, exist_ok=True)
    tensor_file, tree_file = _files(folder, step)
    write_bytes(tensor_file, save(tensors))
    write_text(tree_file, json.dumps({"step": step, "sha256": hash_file(tensor_file), "state": tree}))
    for old in _steps(folder)[keep:]:
        for path in reversed(_files(folder, old)):  # the tree first: without it the checkpoint does not count
            path.unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint, or None where there is none.

    Cut-off or damaged ones are passed over: training then goes on from the one before.
    """
    for step in _steps(folder):
        tensor_file, tree_file = _files(folder, step)
        try:
            about = json.loads(tree_file.read_text(encoding="utf-8"))
            if about["step"] != step or about["sha256"] != hash_file(tensor_file):
                continue
            return Checkpoint(step, _unpack(about["state"], load_file(tensor_file)))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
            continue
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a training that has ended, and their folder if nothing else is in it."""
    for step in _steps(folder):
        for path in reversed(_files(folder, step)):
            path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def random_state(**generators: torch.Generator | np.random.Generator) -> dict[str, Any]:
    """PyTorch's global random state (CPU and every GPU) and that of named generators, as a tree for a checkpoint."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "cuda": []}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    named = {}
    for name, generator in generators.items():
        named[name] = generator.get_state() if isinstance(generator, torch.Generator) else generator.bit_generator.state
    return {**state, "generators": named}


def restore_random_state(state: Mapping[str, Any], **generators: torch.Generator | np.random.Generator) -> None:
    """Put :func:`random_state` back, into the generators of the same names.

    Raises:
        InvalidInput: The names differ from those that were saved.
    """
    saved = state["generators"]
    if saved.keys() != generators.keys():
        raise InvalidInput(
            f"saved generators {sorted(saved)}, asked to restore {sorted(generators)}: the names must agree"
        )
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    for name, generator in generators.items():
        if isinstance(generator, torch.Generator):
            generator.set_state(saved[name])
        else:
            generator.bit_generator.state = saved[name]


def _files(folder: Path, step: int) -> tuple[Path, Path]:
    stem = f"step-{step:0{_STEP_DIGITS}d}"
    return folder / f"{stem}.safetensors", folder / f"{stem}.json"


def _steps(folder: Path) -> list[int]:
    """Steps of which at least one file is there, newest first."""
    names = {path.stem for suffix in (".safetensors", ".json") for path in folder.glob(f"step-*{suffix}")}
    return sorted((int(name[5:]) for name in names if name[5:].isdigit()), reverse=True)


def _pack(value: Any, tensors: dict[str, Tensor], place: str) -> Any:
    """JSON for a tree; tensors go into ``tensors``, and dicts become lists of pairs, because their keys may be numbers."""
    if isinstance(value, (Tensor, np.ndarray)):
        name = f"{len(tensors):05d} {place}"  # the number, because places need not be unique: {"a/b": ..., "a": {"b": ...}}
        is_tensor = isinstance(value, Tensor)
        tensor = value.detach().cpu() if is_tensor else torch.from_numpy(value)
        tensors[name] = tensor.clone(memory_format=torch.contiguous_format)
        return {"tensor" if is_tensor else "array": name}
    if isinstance(value, Mapping):
        pairs = [[_plain(k, place), _pack(v, tensors, f"{place}/{k}")] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        parts = [_pack(part, tensors, f"{place}/{i}") for i, part in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    return _plain(value, place)


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InvalidInput(f"a checkpoint cannot hold {type(value).__name__} at {place}: tensors and plain values only")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy()
    if kind == "dict":
        return {key: _unpack(part, tensors) for key, part in content}
    parts = [_unpack(part, tensors) for part in content]
    return tuple(parts) if kind == "tuple" else parts
