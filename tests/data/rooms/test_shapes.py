"""Furniture: every style stands on the floor, is of a sensible size, and is what its part list says."""

from __future__ import annotations

import numpy as np
import pytest
from trisparse.data.rooms.catalog import KINDS
from trisparse.data.rooms.colors import PALETTE, may_be_confused, sample_color
from trisparse.data.rooms.shapes import Solid, assemble, block, post, rod


@pytest.mark.parametrize("category", sorted(KINDS))
def test_every_style_stands_on_the_floor_and_has_a_sensible_size(category: str) -> None:
    kind = KINDS[category]
    for style in range(kind.n_styles):
        shape = kind.build(style, np.random.default_rng(style), (0.5, 0.4, 0.3))
        low = np.min([p.bounds()[0] for p in shape.parts], 0)
        high = np.max([p.bounds()[1] for p in shape.parts], 0)
        assert low[2] == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(low[:2] + high[:2], 0, atol=1e-9)
        assert all(0.05 < side < 2.6 for side in shape.size)


@pytest.mark.parametrize("category", sorted(KINDS))
def test_styles_differ_and_one_style_varies(category: str) -> None:
    kind = KINDS[category]
    shapes = [kind.build(style, np.random.default_rng(0), (0.5, 0.4, 0.3)) for style in range(kind.n_styles)]
    assert len({s.parts for s in shapes}) == kind.n_styles
    again = kind.build(0, np.random.default_rng(1), (0.5, 0.4, 0.3))
    assert again.size != shapes[0].size


def test_a_rod_ends_where_it_is_told() -> None:
    low, high = rod((0.0, 0.0, 0.0), (0.0, 0.0, 2.0), 0.1, (0, 0, 0)).bounds()
    np.testing.assert_allclose(low, [-0.1, -0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(high, [0.1, 0.1, 2.0], atol=1e-12)


def test_a_shape_is_moved_to_its_own_origin() -> None:
    shape = assemble([block((1, 2), (3, 5), (7, 8), (0, 0, 0)), post(1.5, 4, (8, 9), 0.2, (0, 0, 0))])
    assert shape.size == pytest.approx((1, 2, 2))
    assert shape.parts[0].center == pytest.approx((0, 0, 0.5))
    assert shape.parts[1].solid == Solid.CYLINDER


def test_each_sampled_shade_is_nearest_to_a_color_that_may_be_confused_with_its_name() -> None:
    rng = np.random.default_rng(0)
    for name in PALETTE:
        for _ in range(20):
            shade = np.array(sample_color(name, rng))
            nearest = min(PALETTE, key=lambda other: min(np.abs(shade - s).sum() for s in PALETTE[other]))
            assert may_be_confused(name, nearest), (name, nearest)
