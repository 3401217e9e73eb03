"""Seeds: derived, never global."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed for one part of a program, independent of the seeds of its other parts.

    Args:
        seed: The program's seed.
        names: What the part is ("room", 17, "colours").

    Returns:
        A number in [0, 2^63), the same on every machine.
    """
    text = "\0".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_rng(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator seeded by :func:`derive_seed`."""
    return np.random.default_rng(derive_seed(seed, *names))


def torch_rng(seed: int, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator seeded by :func:`derive_seed`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, *names))
