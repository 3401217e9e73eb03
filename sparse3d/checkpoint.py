"""Weights of the grounding network as one safetensors file that carries its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..core.errors import CorruptFile, DataError, InvalidInput, MissingPart
from ..core.files import write_bytes
from .config import GrounderConfig
from .grounder import Grounder

FORMAT = "trisparse-grounder-1"


def save_weights(
    path: str | PathLike[str],
    tensors: Mapping[str, Tensor],
    about: Mapping[str, Any],
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights atomically.

    Args:
        path: Ends in .safetensors.
        tensors: By name; floating-point ones are stored in ``dtype``, sorted by name.
        about: JSON values with the network's settings under "network".
        dtype: float32, or float16 for half the size.
    """
    stored = {}
    for name in sorted(tensors):
        value = tensors[name].detach().cpu()
        stored[name] = (value.to(dtype) if value.is_floating_point() else value).contiguous()
    metadata = {FORMAT: json.dumps(dict(about), sort_keys=True)}  # one key: safetensors writes several in any order
    write_bytes(path, save(stored, metadata))


def load_weights(path: str | PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights.

    Returns:
        Tensors by name, floating-point ones as float32, and what was saved about them.

    Raises:
        MissingPart: No such file.
        CorruptFile: No whole safetensors file, or not one of ours.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingPart(f"{file}: no such file; expected weights (.safetensors)")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CorruptFile(
            file,
            "header",
            f"no whole safetensors file ({error}); published .pth files go through convert-checkpoint first",
        ) from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format name")
        raise CorruptFile(
            file, "metadata", f"found {found!r}, expected {FORMAT!r}: not weights of a trisparse grounder"
        )
    about = json.loads(metadata["about"])
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, about


def load_grounder_network(path: str | PathLike[str]) -> Grounder:
    """A network with its weights, in evaluation mode on the CPU.

    Raises:
        MissingPart, CorruptFile: As :func:`load_weights`.
        DataError: The weights are those of another network; lists what is missing, unexpected or of another shape.
    """
    tensors, about = load_weights(path)
    try:
        config = GrounderConfig.from_dict(about["network"])
    except (KeyError, TypeError, InvalidInput) as error:
        raise CorruptFile(path, "metadata", f"no settings of a network: {error}") from error
    with torch.random.fork_rng():
        grounder = Grounder(config)
    load_strictly(grounder, tensors, path)
    return grounder.eval()


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], path: str | PathLike[str]) -> None:
    """Load every tensor, or none.

    Raises:
        DataError: Names or shapes differ; lists them.
    """
    expected = module.state_dict()
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    reshaped = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in sorted(set(expected) & set(tensors))
        if tensors[name].shape != expected[name].shape
    ]
    problems = [
        f"{title}: {', '.join(names)}"
        for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise DataError(f"{path}: weights of another network; {'; '.join(problems)}")
    module.load_state_dict(dict(tensors))
