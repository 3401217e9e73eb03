"""One function, several implementations: an explicit table and the choice among its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch

from .errors import BackendUnavailable, InvalidInput


class Op:
    """An operation with a table of implementations, fastest first.

    Args:
        name: The operation's name, for messages.
        table: Backend name to ``"module:function"``. Modules are imported only when looked at. Each module says by
            ``why_unusable(device) -> str | None`` whether it runs here.
    """

    def __init__(self, name: str, table: Mapping[str, str]) -> None:
        self.name = name
        self.table = dict(table)

    def why_unusable(self, backend: str, device: torch.device) -> str | None:
        """The reason why a backend cannot run on a device, or None where it can.

        Raises:
            InvalidInput: No backend of that name.
        """
        if backend not in self.table:
            raise InvalidInput(f"{self.name} has no backend {backend!r}; choose from auto, {', '.join(self.table)}")
        module = self.table[backend].split(":")[0]
        try:
            return import_module(module).why_unusable(device)
        except ImportError as error:
            return f"{module} cannot be imported: {error}"

    def pick(self, device: torch.device, backend: str = "auto") -> Callable[..., Any]:
        """The implementation to use on a device.

        Args:
            device: Where the tensors are.
            backend: A name from the table, or ``"auto"`` for the first that is usable.

        Raises:
            BackendUnavailable: The backend asked for does not run here (or none does).
            InvalidInput: No backend of that name.
        """
        if backend != "auto":
            reason = self.why_unusable(backend, device)
            if reason is not None:
                raise BackendUnavailable(f"{self.name}: backend {backend!r} cannot be used on {device}: {reason}")
            return self._load(backend)
        reasons = []
        for candidate in self.table:
            reason = self.why_unusable(candidate, device)
            if reason is None:
                return self._load(candidate)
            reasons.append(f"{candidate}: {reason}")
        raise BackendUnavailable(f"{self.name}: no backend runs on {device} ({'; '.join(reasons)})")

    def _load(self, backend: str) -> Callable[..., Any]:
        module, function = self.table[backend].split(":")
        return getattr(import_module(module), function)
