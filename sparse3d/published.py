"""Published TSP3D checkpoints (specification section 4) to safetensors; nothing in them is trusted.

A published file is a zip that holds a pickle and the tensors' bytes. The pickle is looked through before anything is unpickled:
every global that it names must be in ``ALLOWED_GLOBALS``. The tensors stay in the file (mapped, not read) until their names and
shapes are known to be right, so neither optimizer states nor lying sizes take memory.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..core.errors import CorruptFile, DataError, InvalidInput, MissingPart, UnsafeFile
from ..core.files import write_bytes, write_text
from .checkpoint import UNREADABLE, differences, save_weights
from .config import GrounderConfig, preset
from .grounder import Grounder
from .roberta import RobertaSizes, weight_shapes

LICENCE = "CC BY-NC-SA 4.0 (inherited from the published weights)"

ALLOWED_GLOBALS = frozenset(
    [
        "argparse.Namespace",
        "collections.Counter",
        "collections.OrderedDict",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
        *(
            f"torch.{kind}Storage"
            for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Byte", "Bool")
        ),
    ]
)
"""All that a checkpoint may name: containers, settings and tensors. None of them runs code or takes memory by itself."""

_OPCODES = frozenset(
    [
        *("PROTO", "STOP", "MARK", "GLOBAL", "NEWOBJ", "REDUCE", "BUILD", "BINPERSID"),
        *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "NONE", "NEWFALSE", "NEWTRUE", "BINUNICODE", "SHORT_BINSTRING"),
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT"),
    ]
)
_MAX_PICKLE = 2 * 2**20
"""Bytes; published ones have a tenth. What it asks for in containers stays small, too."""
_MAX_SETTINGS, _MAX_DEPTH, _MAX_TEXT = 10_000, 20, 1000
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


@dataclass(frozen=True)
class ConversionReport:
    """What :func:`convert_checkpoint` wrote."""

    weights: Path
    text_weights: Path | None
    """Weights of RoBERTa; None where the checkpoint holds none."""
    settings: Path
    """The checkpoint's training configuration as JSON."""
    epoch: int
    parameters: int
    """Trainable ones, without RoBERTa."""
    left_out: tuple[str, ...]
    """Parts of the checkpoint that were not converted."""


def convert_checkpoint(
    source: Path,
    target: Path,
    *,
    config: GrounderConfig | None = None,
    text_sizes: RobertaSizes | None = None,
) -> ConversionReport:
    """Convert a published checkpoint (.pth) to weights that :func:`~.checkpoint.load_grounder_network` reads.

    Beside ``target`` come ``<stem>.json``, the training configuration, and, where the checkpoint holds RoBERTa,
    ``<stem>.text.safetensors``. After an error nothing is written.

    Args:
        source: The checkpoint.
        target: Ends in .safetensors.
        config: The network that it should hold; the published one by default.
        text_sizes: The RoBERTa that it should hold; RoBERTa-base by default.

    Raises:
        InvalidInput: ``target`` has another ending.
        MissingPart: No file ``source``.
        UnsafeFile: It asks for something outside ``ALLOWED_GLOBALS``; none of it was run.
        CorruptFile: It is truncated, or no such checkpoint.
        DataError: It holds another network; lists what is missing, unexpected or of another shape.
    """
    source, target = Path(source), Path(target)
    config = preset("tsp3d") if config is None else config
    if target.suffix != ".safetensors":
        raise InvalidInput(f"{target}: converted weights are a .safetensors file; choose such a name")
    if source.exists() and target.exists() and source.samefile(target):
        raise InvalidInput(f"{target}: the checkpoint itself would be overwritten; choose another name")
    content = _read(source)
    network, text = _split(content["model"])
    _check(source, network, text, config, text_sizes or RobertaSizes())
    settings = json.dumps(_settings(source, content["config"]), indent=1, sort_keys=True) + "\n"
    text_file = target.with_suffix(".text.safetensors") if text else None
    about = {
        "network": config.to_dict(),
        "source": source.name,
        "epoch": content["epoch"],
        "licence": LICENCE,
        "text_weights": text_file.name if text_file else None,
    }
    if text_file is not None:
        floats = {name: value.detach().float().contiguous() for name, value in sorted(text.items())}
        write_bytes(text_file, save(floats, {"licence": LICENCE}))
    write_text(target.with_suffix(".json"), settings)
    save_weights(target, network, about)
    parameters = sum(value.numel() for name, value in network.items() if not _is_statistic(name))
    left_out = sorted(content.keys() - {"config", "model", "epoch"})
    return ConversionReport(
        target, text_file, target.with_suffix(".json"), content["epoch"], parameters, tuple(left_out)
    )


def _is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _read(source: Path) -> dict[str, Any]:
    if not source.is_file():
        raise MissingPart(f"{source}: no such file; expected a published TSP3D checkpoint (.pth)")
    _look_through(source, _pickle_of(source))
    try:
        with _settings_class_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickles
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorruptFile(source, "content", f"no whole checkpoint: {reason}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CorruptFile(source, "content", f"found {type(content).__name__}, expected parts by name")
    if not {"config", "model", "epoch"} <= content.keys():
        held = ", ".join(key[:40] for key in list(content)[:8]) or "nothing"
        raise CorruptFile(source, "content", f"expected config, model and epoch, found {held}: no TSP3D checkpoint")
    if type(content["epoch"]) is not int:
        raise CorruptFile(source, "epoch", f"found {type(content['epoch']).__name__}, expected a whole number")
    model = content["model"]
    if not isinstance(model, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in model.items()):
        raise CorruptFile(source, "model", "expected tensors by name")
    return content


@contextmanager
def _settings_class_allowed() -> Iterator[None]:
    if (
        argparse.Namespace in torch.serialization.get_safe_globals()
    ):  # the context manager would take the user's entry away
        yield
        return
    with torch.serialization.safe_globals([argparse.Namespace]):
        yield


def _pickle_of(source: Path) -> bytes:
    """The pickle in the zip, after a check that Python's and torch's zip readers must see the same in it."""
    try:
        is_zip = zipfile.is_zipfile(source)
    except zipfile.BadZipFile:
        is_zip = False
    if not is_zip:
        with source.open("rb") as file:
            _name_globals_of_bare_pickle(source, file.read(_MAX_PICKLE))
        raise CorruptFile(source, "whole file", "no zip file: truncated, or no PyTorch checkpoint; fetch it again")
    try:
        with source.open("rb") as file, zipfile.ZipFile(file) as archive:
            problem = _zip_problem(archive, source.stat().st_size)
            if problem:
                raise CorruptFile(source, "zip directory", f"{problem}: no checkpoint that torch wrote")
            damaged = archive.testzip()
            if damaged:
                raise CorruptFile(
                    source, f"entry {damaged}", "its bytes do not match their checksum; fetch the file again"
                )
            return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
    except DataError:
        raise
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        struct.error,
    ) as error:
        raise CorruptFile(source, "zip directory", f"{error}; fetch the file again") from error


def _zip_problem(archive: zipfile.ZipFile, size: int) -> str | None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    pickles = [entry for entry in entries if entry.filename.split("/")[1:] == ["data.pkl"]]
    if not entries or min(entry.header_offset for entry in entries) != 0 or archive.comment:
        return "something stands before or behind the entries"
    if len({name.lower() for name in names}) != len(names) or len({name.split("/")[0] for name in names}) != 1:
        return "two entries of one name, or more than one folder"
    if any(entry.orig_filename != entry.filename or not entry.filename.isascii() for entry in entries):
        return "a name that is not plain"
    if any(entry.compress_type or entry.compress_size != entry.file_size for entry in entries):
        return "a compressed entry"
    if sum(entry.file_size for entry in entries) > size:
        return "entries larger than the file"
    if len(pickles) != 1 or any(name.endswith("/constants.pkl") for name in names):
        return "not one entry data.pkl, or TorchScript"
    if pickles[0].file_size > _MAX_PICKLE:
        return f"data.pkl of {pickles[0].file_size} bytes, expected at most {_MAX_PICKLE}"
    return None


def _look_through(source: Path, content: bytes) -> None:
    """Refuse a pickle that names or does anything that a checkpoint has no need of."""
    odd: tuple[str, int] | None = None
    try:
        for position, opcode, name in _requests(content):
            if name is not None and name not in ALLOWED_GLOBALS:
                raise _refusal(source, name, position)
            if opcode not in _OPCODES and odd is None:
                odd = f"the pickle instruction {opcode}", position
    except pickle.UnpicklingError as error:
        if odd is None:
            raise CorruptFile(source, "data.pkl", f"no whole pickle: {error}") from error
    if odd is not None:
        raise _refusal(source, *odd)


def _name_globals_of_bare_pickle(source: Path, content: bytes) -> None:
    with suppress(pickle.UnpicklingError):
        for position, _, name in _requests(content):
            if name is not None and name not in ALLOWED_GLOBALS and re.fullmatch(r"[\w.]+", name):
                raise _refusal(source, name, position)


def _requests(content: bytes) -> Iterator[tuple[int, str, str | None]]:
    """Place and instruction of each step of a pickle, and the global that it names; runs nothing."""
    strings: list[str] = []
    steps = pickletools.genops(io.BytesIO(content))
    while True:
        try:
            with warnings.catch_warnings():  # of invalid escapes in texts
                warnings.simplefilter("ignore")
                opcode, argument, position = next(steps)
        except StopIteration:
            return
        except ValueError as error:  # pickletools raises nothing narrower for a broken pickle
            raise pickle.UnpicklingError(str(error)) from error
        name = None
        if opcode.name in ("GLOBAL", "INST"):
            name = _modern_name(*str(argument).split(" ", 1))
        elif opcode.name == "STACK_GLOBAL":
            name = ".".join(strings)
        elif isinstance(argument, str):
            strings = [*strings[-1:], argument]
        yield position or 0, opcode.name, name


def _refusal(source: Path, name: str, position: int) -> UnsafeFile:
    return UnsafeFile(
        f"{source}: byte {position} of its pickle asks for {name[:200]}, which no published checkpoint needs; nothing was run. "
        "Do not load this file with torch.load(weights_only=False)"
    )


def _modern_name(module: str, name: str) -> str:
    """As Python 3 calls it: pickles of protocol 2 write Python 2's names."""
    renamed = {"__builtin__": "builtins", "copy_reg": "copyreg"}
    return f"{renamed.get(module, module)}.{name}"


def _split(model: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The network's tensors and those of RoBERTa, under our names."""
    network, text = {}, {}
    for key, value in model.items():
        name = key.removeprefix("module.")
        if not name.startswith("text_encoder."):
            network[name] = value
        elif name.removeprefix("text_encoder.") not in _BUFFERS:
            text[name.removeprefix("text_encoder.")] = value
    return network, text


def _check(
    source: Path, network: Mapping[str, Tensor], text: Mapping[str, Tensor], config: GrounderConfig, sizes: RobertaSizes
) -> None:
    with torch.device("meta"):
        outline = Grounder(config).state_dict()
    problems = differences({name: tuple(value.shape) for name, value in outline.items()}, network)
    if text:
        expected = {f"text_encoder.{name}": shape for name, shape in weight_shapes(sizes).items()}
        problems += differences(expected, {f"text_encoder.{name}": value for name, value in text.items()})
    problems += [
        f"of another kind: {name} holds {value.dtype}"
        for name, value in {**network, **text}.items()
        if not (value.dtype == torch.int64 if name.endswith("num_batches_tracked") else value.is_floating_point())
    ]
    if problems:
        raise DataError(f"{source}: not the TSP3D network that was expected; {'; '.join(problems)}")
    broken = [name for name, value in {**network, **text}.items() if not bool(value.isfinite().all())]
    if broken:
        raise CorruptFile(source, "model", f"numbers that are not finite in {', '.join(broken)}; fetch the file again")


def _settings(source: Path, config: Any) -> dict[str, Any]:
    """The training configuration as JSON values; what JSON cannot say becomes text."""
    if not isinstance(config, argparse.Namespace):
        raise CorruptFile(source, "config", f"found {type(config).__name__}, expected argparse.Namespace")
    budget = iter(range(_MAX_SETTINGS))  # lists that hold one another many times over would grow without end

    def plain(value: Any, depth: int) -> Any:
        if next(budget, None) is None or depth > _MAX_DEPTH:
            raise CorruptFile(source, "config", f"more than {_MAX_SETTINGS} settings, or nested too deeply")
        if isinstance(value, argparse.Namespace):
            value = vars(value)
        if isinstance(value, dict):
            return {str(_scalar(key)): plain(part, depth + 1) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(part, depth + 1) for part in value]
        return _scalar(value)

    return plain(config, 0)


def _scalar(value: Any) -> bool | int | float | str | None:
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value) if isinstance(value, float) else f"<{type(value).__name__}>"
