"""The device that an option names."""

from __future__ import annotations

import torch

from ...core.errors import BackendUnavailable, InvalidInput


def choose(name: str) -> torch.device:
    """A device from "cpu", "cuda", "cuda:1" or "auto" (the GPU where PyTorch sees one).

    Raises:
        BackendUnavailable: PyTorch sees no such device here.
        InvalidInput: No name of a device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInput(f"no device {name!r}; choose cpu, cuda or auto") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailable(f"device {name!r}: PyTorch sees no GPU here; use --device cpu")
    if device.type not in ("cpu", "cuda"):
        raise InvalidInput(f"device {name!r} is not supported; choose cpu, cuda or auto")
    return device
