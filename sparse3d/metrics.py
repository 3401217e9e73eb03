"""Accuracy of grounding with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ShapeMismatch
from ..core.random import numpy_rng


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def clustered_mean(values: Sequence[float], clusters: Sequence[str], *, resamples: int = 2000, seed: int = 0) -> Rate:
    """Mean of per-sentence values with a 95 % bootstrap interval over whole scenes.

    Sentences about one scene share its luck, so scenes are drawn, not sentences (Field and Welsh, JRSS B 2007). For a
    difference of two methods pass the per-sentence differences: the interval is then the paired one.

    Args:
        values: One number a sentence (hit or miss, or a difference).
        clusters: The scene of each.
        resamples: Bootstrap draws.
        seed: Of the draws.

    Raises:
        ShapeMismatch: Not one cluster a value.
    """
    if len(values) != len(clusters):
        raise ShapeMismatch(f"{len(values)} values but {len(clusters)} clusters; give one for each")
    if not len(values):
        return Rate(float("nan"), float("nan"), float("nan"), 0)
    data: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums, counts = np.bincount(index, weights=data), np.bincount(index)
    draws = numpy_rng(seed, "bootstrap").integers(len(sums), size=(resamples, len(sums)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Rate(float(data.mean()), float(low), float(high), len(data))
