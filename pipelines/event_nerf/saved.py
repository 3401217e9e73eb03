"""A trained field as a file: safetensors, with what belongs to it as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ...core.errors import CorruptFile, MissingPart, TrisparseError
from ...core.files import write_bytes
from ...data.event_camera import ContrastThresholds
from ...data.trajectory import Trajectory
from ...events.sensor import EventSensor
from ...rendering.radiance.hash_grid import HashGrid
from ...rendering.radiance.nerf import NerfConfig, NerfField
from ...rendering.radiance.ngp import NgpConfig, NgpField
from ...rendering.radiance.occupancy import OccupancyGrid
from ...rendering.radiance.render import Visibility
from ...rendering.radiance.steps import MarchingSteps
from .model import EventModel

FORMAT = "trisparse-event-field"
_MOST_CELLS = 1024


@dataclass(frozen=True, eq=False)
class SavedField:
    """A field that was read, ready to be rendered."""

    model: EventModel
    about: Mapping[str, Any]
    """What was saved beside it: the recording's name, settings, notes."""


def save_field(path: str | PathLike[str], model: EventModel, about: Mapping[str, Any]) -> None:
    """Write a field with its occupancy grid, background, sensor and path.

    Args:
        path: A ``.safetensors`` file.
        model: Trained.
        about: Further JSON values.
    """
    field = model.field
    assert isinstance(field, (NgpField, NerfField))
    thresholds, trajectory = model.sensor.thresholds, model.trajectory
    document = {
        "network": {"kind": "ngp" if isinstance(field, NgpField) else "mlp", **asdict(field.config)},
        "contraction": field.contraction,
        "steps": asdict(model.steps),
        "visibility": asdict(model.visibility),
        "min_intensity": model.min_intensity,
        "thresholds": [float(thresholds.positive.detach()), float(thresholds.negative)],
        "refractory_period_ns": float(model.sensor.refractory_period_ns.detach()),
        "largest_refractory_period_ns": float(model.sensor.largest),
        "interpolation": trajectory.interpolation,
        "about": dict(about),
    }
    tensors = {f"field.{name}": value for name, value in field.state_dict().items()}
    tensors |= {
        "occupancy": model.grid.occupancy,
        "occupied": model.grid.occupied,
        "path.t_ns": trajectory.t_ns,
        "path.centers": trajectory.centers,
        "path.quats": trajectory.quats,
    }
    if model.raw_background is not None:
        tensors["raw_background"] = model.raw_background
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(Path(path), save(kept, {FORMAT: json.dumps(document)}))


def load_field(path: str | PathLike[str], *, backend: str = "auto", device: str = "cpu") -> SavedField:
    """Read a field.

    Raises:
        MissingPart: No such file.
        CorruptFile: Not a field that :func:`save_field` wrote.
    """
    path = Path(path)
    tensors, document = _read(path)
    try:
        model = _model(tensors, document, backend, device)
        about = document["about"]
        if not isinstance(about, dict):
            raise TypeError(f"about is a {type(about).__name__}, expected an object")
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, TrisparseError) as error:
        text = f"no {error} in it" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise CorruptFile(path, "field", f"{text}; expected a field that `trisparse reconstruct` wrote") from error
    return SavedField(model, about)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a field that `trisparse reconstruct` wrote (.safetensors)")
    try:
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get(FORMAT)
            tensors = {name: opened.get_tensor(name) for name in list(opened.keys())} if text is not None else {}
    except (SafetensorError, OSError) as error:
        raise CorruptFile(path, "header", f"no whole safetensors file ({error})") from error
    try:
        document = None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFile(path, "metadata", f"the settings are no JSON: {error}") from error
    if not isinstance(document, dict):
        raise CorruptFile(path, "metadata", f"no entry {FORMAT!r}; expected a field that `trisparse reconstruct` wrote")
    return tensors, document


def _model(tensors: Mapping[str, Tensor], document: Mapping[str, Any], backend: str, device: str) -> EventModel:
    field = _field(tensors, document, backend)
    occupancy, occupied = tensors["occupancy"], tensors["occupied"]
    if occupied.dtype != torch.bool or occupancy.dtype != torch.float32 or max(occupancy.shape) > _MOST_CELLS:
        raise TypeError(f"an occupancy grid of {occupancy.dtype} and {occupied.dtype}, {tuple(occupancy.shape)}")
    positive, negative = map(float, document["thresholds"])
    sensor = EventSensor(
        ContrastThresholds(positive, negative),
        float(document["refractory_period_ns"]),
        float(document["largest_refractory_period_ns"]),
    )
    path = Trajectory(tensors["path.t_ns"], tensors["path.centers"], tensors["path.quats"], document["interpolation"])
    raw = tensors.get("raw_background")
    if raw is not None and (raw.shape != (field.channels,) or not bool(raw.isfinite().all())):
        raise TypeError(f"a background of shape {tuple(raw.shape)} for {field.channels} colours")
    grid = OccupancyGrid(field.aabb.to(device), field.contraction, occupancy.to(device), occupied.to(device))
    return EventModel(
        field=field.to(device),
        sensor=sensor,
        trajectory=path,
        grid=grid,
        steps=MarchingSteps(**document["steps"]),
        raw_background=None if raw is None else nn.Parameter(raw.to(device), requires_grad=False),
        min_intensity=float(document["min_intensity"]),
        visibility=Visibility(**document["visibility"]),
        backend=backend,
    )


def _field(tensors: Mapping[str, Tensor], document: Mapping[str, Any], backend: str) -> NgpField | NerfField:
    """A field of the settings that are claimed, its tensors checked against them before any memory is taken."""
    settings = dict(document["network"])
    kind = settings.pop("kind")
    state = {name.removeprefix("field."): value for name, value in tensors.items() if name.startswith("field.")}
    aabb, contraction = state["aabb"], document["contraction"]
    if contraction not in ("aabb", "sphere", "tanh"):
        raise TypeError(f"a contraction {contraction!r}")
    generator = torch.Generator()
    if kind == "ngp":
        grid = HashGrid(**settings.pop("grid"))
        widths = {name: tuple(settings.pop(name)) for name in ("base_widths", "head_widths")}
        network = NgpConfig(grid, **widths, **settings)
        if state["table"].shape != (grid.entries, grid.features):
            raise TypeError(f"a hash table of {tuple(state['table'].shape)}, expected {(grid.entries, grid.features)}")
        if max(network.base_widths + network.head_widths) > 4096:
            raise TypeError("layers of more than 4096")
        field: NgpField | NerfField = NgpField(network, aabb, contraction, generator, backend=backend)
    elif kind == "mlp":
        network = NerfConfig(**settings)
        if max(network.width, network.view_width) > 4096 or network.depth > 64 or network.position_octaves > 32:
            raise TypeError("a network larger than any")
        field = NerfField(network, aabb, contraction, generator)
    else:
        raise TypeError(f"a network of kind {kind!r}")
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise TypeError("weights that are not finite")
    field.load_state_dict(state)
    return field.eval()
