"""Weights of the grounding network as one safetensors file that carries its settings."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..core.errors import CorruptFile, DataError, InvalidInput, MissingPart
from ..core.files import write_bytes
from .config import GrounderConfig
from .grounder import Grounder

FORMAT = "trisparse-grounder-1"
UNREADABLE = (
    *(SafetensorError, pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, TypeError, AttributeError),
    *(LookupError, AssertionError, struct.error),
)
"""What safetensors and torch.load raise for files that were tampered with or cut off, a little of everything."""
_TENSORS_OF_A_LAYER = 12
"""A residual block has as many at least: two convolutions, each with the five tensors of its norm."""


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


def text_weights_of(path: str | PathLike[str]) -> Path | None:
    """The text encoder's own weights that belong to a converted checkpoint; None where there are none.

    Raises:
        MissingPart: No such file, or its text weights do not lie beside it.
        CorruptFile: Not one of our weights files.
    """
    name = _read(Path(path), with_tensors=False)[1].get("text_weights")
    if name is None:
        return None
    if not (isinstance(name, str) and name and name.isprintable() and len(name) <= 200 and Path(name).name == name):
        raise CorruptFile(path, "metadata", f"text_weights is {name!r}, expected the name of a file beside it")
    beside = Path(path).with_name(name)
    if not beside.is_file():
        raise MissingPart(
            f"{beside}: the text weights that belong to {path} are not there; convert the checkpoint again"
        )
    return beside


def load_weights(path: str | PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights.

    Returns:
        Tensors by name, floating-point ones as float32, and what was saved about them.

    Raises:
        MissingPart: No such file.
        CorruptFile: No whole safetensors file, or not one of ours.
    """
    return _read(Path(path), with_tensors=True)


def _read(file: Path, *, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not file.is_file():
        raise MissingPart(f"{file}: no such file; expected weights (.safetensors)")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            names = list(opened.keys()) if with_tensors else []
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CorruptFile(
            file,
            "header",
            f"no whole safetensors file ({error}); published .pth files go through convert-checkpoint first",
        ) from error
    if FORMAT not in metadata:
        found = ", ".join(sorted(metadata)) or "none"
        raise CorruptFile(
            file, "metadata", f"expected the entry {FORMAT!r}, found {found}: not weights of a trisparse grounder"
        )
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, _parse(file, metadata[FORMAT])


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFile(file, "metadata", f"the settings are no JSON: {error}") from error
    if not isinstance(about, dict):
        raise CorruptFile(file, "metadata", f"the settings are a {type(about).__name__}, expected an object")
    return about


def load_grounder_network(path: str | PathLike[str]) -> Grounder:
    """A network with its weights, in evaluation mode on the CPU.

    Raises:
        MissingPart, CorruptFile: As :func:`load_weights`.
        DataError: The weights are those of another network; lists what is missing, unexpected or of another shape.
    """
    tensors, about = load_weights(path)
    config = _config(path, about, len(tensors))
    check_tensors(_outline(path, config), tensors, path)  # a file may claim a network of any size
    with torch.random.fork_rng():
        grounder = Grounder(config)
    load_strictly(grounder, tensors, path)
    return grounder.eval()


def _outline(path: str | PathLike[str], config: GrounderConfig) -> Grounder:
    """The network without its memory."""
    try:
        with torch.device("meta"):
            return Grounder(config)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise CorruptFile(path, "metadata", f"the settings make no network: {error}") from error


def _config(path: str | PathLike[str], about: Mapping[str, Any], n_tensors: int) -> GrounderConfig:
    try:
        config = GrounderConfig.from_dict(about["network"])
        layers = sum(abs(blocks) for blocks in config.stage_blocks) + config.fusion_layers
    except (KeyError, TypeError, AttributeError, ZeroDivisionError, OverflowError, InvalidInput) as error:
        raise CorruptFile(path, "metadata", f"no settings of a network: {error}") from error
    if _TENSORS_OF_A_LAYER * layers > n_tensors:
        raise CorruptFile(path, "metadata", f"the settings ask for {layers} layers, the file holds {n_tensors} tensors")
    kinds = get_type_hints(GrounderConfig)
    for name, value in vars(config).items():
        if not _fits(value, kinds[name]):
            raise CorruptFile(path, "metadata", f"the setting {name} is {value!r:.60}, expected {kinds[name]}")
    if config.voxel_size <= 0:
        raise CorruptFile(path, "metadata", f"the setting voxel_size is {config.voxel_size}, expected metres above 0")
    return config


def _fits(value: Any, kind: Any) -> bool:
    """Whether a setting is of its declared type, numbers finite."""
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return value in arguments
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            return False
        arguments = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if arguments:
        return any(_fits(value, one) for one in arguments)
    if kind is float:
        return type(value) in (int, float) and abs(value) < 1e30  # not isfinite, which overflows on huge integers
    return type(value) is kind


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], path: str | PathLike[str]) -> None:
    """Load every tensor, or none.

    Raises:
        DataError: Names or shapes differ; lists them.
    """
    check_tensors(module, tensors, path)
    module.load_state_dict(dict(tensors))


def check_tensors(module: nn.Module, tensors: Mapping[str, Tensor], path: str | PathLike[str]) -> None:
    """Compare names and shapes; the module may be on the meta device.

    Raises:
        DataError: They differ; lists how.
    """
    problems = differences({name: tuple(value.shape) for name, value in module.state_dict().items()}, tensors)
    if problems:
        raise DataError(f"{path}: weights of another network; {'; '.join(problems)}")


def differences(expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]) -> list[str]:
    """What tensors lack, have too many, or have in another shape: one text a kind, none where all is as expected."""
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    reshaped = [
        f"{name} is {tuple(tensors[name].shape)}, expected {expected[name]}"
        for name in sorted(set(expected) & set(tensors))
        if tuple(tensors[name].shape) != expected[name]
    ]
    named = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    return [f"{title}: {', '.join(names)}" for title, names in named if names]
