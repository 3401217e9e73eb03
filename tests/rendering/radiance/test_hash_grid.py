"""The shape of the hash grid is tiny-cuda-nn's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.rendering.radiance.hash_grid import HashGrid

from tests.oracles.hash_grid_loops import grid_shape


def test_the_default_grid_has_the_originals_resolutions_and_size() -> None:
    grid = HashGrid()
    assert [level.resolution for level in grid.pyramid] == [
        16, 24, 34, 49, 71, 102, 148, 213, 308, 446, 646, 934, 1352, 1956, 2831, 4096,
    ]  # fmt: skip
    assert [level.entries for level in grid.pyramid[:6]] == [4096, 13824, 39304, 117656, 357912, 2**19]
    assert [level.is_dense for level in grid.pyramid] == [True] * 5 + [False] * 11
    assert grid.entries * grid.features == 12_599_920
    assert grid.width == 32


@pytest.mark.parametrize(
    ("levels", "log2_entries", "base", "growth"),
    [(16, 19, 16, 1.4472692012786865), (5, 9, 4, 1.7), (1, 3, 2, 1.0), (7, 12, 16, 2.0)],
)
def test_levels_follow_each_other_without_gaps(levels: int, log2_entries: int, base: int, growth: float) -> None:
    grid = HashGrid(levels, 2, log2_entries, base, growth)
    shapes = grid_shape(levels, log2_entries, base, growth)
    assert [(level.scale, level.resolution, level.entries) for level in grid.pyramid] == shapes
    ends = [level.offset + level.entries for level in grid.pyramid]
    assert [level.offset for level in grid.pyramid] == [0, *ends[:-1]]
    for level in grid.pyramid:
        assert level.is_dense == (level.resolution**3 <= level.entries)
        assert level.is_dense or level.entries == 2**log2_entries


def test_levels_span_two_resolutions_in_equal_ratios() -> None:
    grid = HashGrid.spanning(16, 256, levels=5)
    found = [level.resolution for level in grid.pyramid]
    assert found[:4] == [16, 32, 64, 128]
    assert found[4] in (256, 257)  # the last scale is 255 up to rounding


def test_the_first_table_is_small_and_comes_from_the_generator() -> None:
    grid = HashGrid(3, 2, 8, 4, 1.5)
    tables = [grid.initial_table(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    assert 0.9e-4 < float(tables[0].abs().max()) <= 1e-4


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"levels": 0}, "expected 1..32 levels"),
        ({"features": 0}, "1..8 features"),
        ({"log2_entries": 30}, r"at most 2\^24 entries"),
        ({"base_resolution": 1}, "at least 2"),
        ({"per_level_scale": 0.5}, "from 1 to 16"),
        ({"per_level_scale": 3.0}, "finest grid would have"),
    ],
)
def test_impossible_grids_are_refused(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        HashGrid(**bad)
