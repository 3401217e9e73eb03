"""Which implementation of which operation runs here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import torch

from ..core.backend import Op

OPERATION_MODULES = ("sparse3d.ops", "rendering.rasterize", "rendering.ssim")
"""Modules of trisparse that hold ``Op`` tables."""


@dataclass(frozen=True)
class BackendRow:
    """One implementation of one operation on one device; ``why_not`` is None where it runs."""

    operation: str
    backend: str
    device: str
    why_not: str | None
    is_default: bool


def operations() -> tuple[Op, ...]:
    """The tables of all operations, sorted by name."""
    found = {}
    for name in OPERATION_MODULES:
        module = import_module(f"trisparse.{name}")
        found |= {value.name: value for value in vars(module).values() if isinstance(value, Op)}
    return tuple(found[name] for name in sorted(found))


def backend_rows(device: torch.device) -> tuple[BackendRow, ...]:
    """Every implementation of every operation, fastest first, with the reason why one does not run on a device."""
    rows = []
    for op in operations():
        reasons = {backend: op.why_unusable(backend, device) for backend in op.table}
        default = next((backend for backend, reason in reasons.items() if reason is None), None)
        rows += [BackendRow(op.name, b, device.type, reason, b == default) for b, reason in reasons.items()]
    return tuple(rows)


def default_backends(device: torch.device) -> dict[str, str]:
    """The implementation that ``backend="auto"`` takes, by operation."""
    return {row.operation: row.backend for row in backend_rows(device) if row.is_default}
