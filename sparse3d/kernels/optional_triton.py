"""Triton where it is installed; elsewhere stand-ins under which kernels can be defined, but not launched."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Absent:
    """Stands for ``triton`` and ``triton.language`` where they are not installed."""

    constexpr = object

    def jit(self, function: Any) -> Any:
        """Leaves a kernel as it is."""
        return function


def _load() -> tuple[Any, Any]:
    try:
        return import_module("triton"), import_module("triton.language")
    except ImportError:
        return _Absent(), _Absent()


triton, tl = _load()
