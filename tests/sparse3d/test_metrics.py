"""Rates and their intervals."""

import math

import numpy as np
import pytest
from trisparse.core.errors import ShapeMismatch
from trisparse.sparse3d.metrics import clustered_mean


def test_mean_is_over_sentences_and_interval_over_scenes() -> None:
    rng = np.random.default_rng(0)
    hits = rng.random(4000) < 0.6
    alone = clustered_mean(hits.astype(float).tolist(), [str(i) for i in range(4000)])
    together = clustered_mean(np.repeat(hits[:400], 10).astype(float).tolist(), [str(i // 10) for i in range(4000)])
    assert alone.value == pytest.approx(hits.mean())
    expected = 2 * 1.96 * math.sqrt(0.24 / 4000)
    assert alone.high - alone.low == pytest.approx(expected, rel=0.1)
    assert together.high - together.low == pytest.approx(expected * math.sqrt(10), rel=0.15)


def test_one_scene_has_an_interval_without_width_and_none_has_no_mean() -> None:
    one = clustered_mean([1.0, 0.0], ["a", "a"])
    assert (one.low, one.high) == (0.5, 0.5)
    assert math.isnan(clustered_mean([], []).value)


def test_each_value_needs_its_scene() -> None:
    with pytest.raises(ShapeMismatch, match="2 values but 1 clusters"):
        clustered_mean([1.0, 0.0], ["a"])
