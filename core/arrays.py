"""Checks on arrays that come from outside."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import NotFinite


def require_finite(values: Tensor, what: str) -> None:
    """Refuse NaN and infinity.

    Args:
        values: Any shape; integers pass.
        what: What the values are, for the message ("points", "colors").

    Raises:
        NotFinite: Names the first bad row and how many there are.
    """
    if not values.is_floating_point():
        return
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        rows = bad.reshape(len(values), -1).any(1).nonzero().flatten() if values.ndim else torch.zeros(1)
        raise NotFinite(
            f"{what}: {len(rows)} of {len(values) if values.ndim else 1} rows are NaN or infinite, "
            f"the first is row {int(rows[0])}; drop or repair them first"
        )
