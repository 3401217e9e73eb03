from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trisparse.data.still_life.casting import blocked, is_inside, nearest_hits
from trisparse.data.still_life.gather import gather
from trisparse.data.still_life.solids import UPRIGHT, Kind, Solid, leaf, rod

from .unit_solids import CLOSED, MATTE, is_within, rays, solid


def first_entry(one: Solid, origin: np.ndarray, way: np.ndarray) -> float:
    """Where a ray first changes between outside and inside, by 4,000 steps and bisection; infinity if nowhere."""
    steps = np.linspace(0, 8, 4001)
    within = is_within(one, origin + steps[:, None] * way)
    changes = np.flatnonzero(within[1:] != within[:-1])
    if not len(changes):
        return np.inf
    low, high = steps[changes[0]], steps[changes[0] + 1]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_within(one, (origin + middle * way)[None])[0] == within[0] else (low, middle)
    return float(low)


@pytest.mark.parametrize(("kind", "shape"), CLOSED)
def test_a_ray_ends_where_a_walk_along_it_first_enters_the_solid(kind: Kind, shape: float) -> None:
    rng = np.random.default_rng(int(kind))
    one = solid(rng, kind, shape)
    origins, ways = rays(rng, 200)
    found = nearest_hits(gather([one])[0], origins, ways)
    expected = np.array([first_entry(one, o, d) for o, d in zip(origins, ways, strict=True)])
    both = np.isfinite(found.distance) & np.isfinite(expected)  # a step can pass over a corner that is barely touched
    assert (np.isfinite(found.distance) == np.isfinite(expected)).mean() >= 0.98
    assert both.sum() >= 10
    np.testing.assert_allclose(found.distance[both], expected[both], atol=1e-9)


@pytest.mark.parametrize(("kind", "shape"), CLOSED)
def test_from_within_a_ray_ends_at_the_wall(kind: Kind, shape: float) -> None:
    rng = np.random.default_rng(10 + int(kind))
    one = solid(rng, kind, shape)
    spread = rng.uniform(-1.2, 1.2, (20_000, 3))
    starts = (np.array(one.center) + spread * np.array(one.half) @ np.array(one.rotation).T)[:20_000]
    starts = starts[is_within(one, starts)][:60]
    assert len(starts) == 60
    ways = rng.standard_normal((60, 3))
    ways /= np.sqrt((ways**2).sum(1, keepdims=True))
    found = nearest_hits(gather([one])[0], starts, ways)
    expected = [first_entry(one, o, d) for o, d in zip(starts, ways, strict=True)]
    np.testing.assert_allclose(found.distance, expected, atol=1e-9)


@pytest.mark.parametrize(("kind", "shape"), [*CLOSED, (Kind.TUBE, 0.6)])
def test_normals_are_across_the_surface_and_face_the_viewer(kind: Kind, shape: float) -> None:
    """A step along the normal leaves the solid on the ray's side; neighbours on the surface lie in the normal's plane."""
    rng = np.random.default_rng(20 + int(kind))
    one = solid(rng, kind, shape)
    solids = gather([one])[0]
    origins, ways = rays(rng, 300)
    hits = nearest_hits(solids, origins, ways)
    moved = ways + 1e-6 * rng.standard_normal(ways.shape)
    others = nearest_hits(solids, origins, moved)
    near = np.where(np.isfinite(hits.distance), hits.distance, 0)
    there = np.where(np.isfinite(others.distance), others.distance, 1e3)
    hit = np.abs(near - there) < 1e-3
    hit &= ((hits.normal * ways).sum(1) < -0.1) & ((hits.normal * others.normal).sum(1) > 0.999)
    assert hit.sum() > 8
    steps = (there[:, None] * moved - near[:, None] * ways)[hit]
    slant = (steps * hits.normal[hit]).sum(1) / np.sqrt((steps**2).sum(1))
    assert np.abs(slant).max() < 1e-2
    np.testing.assert_allclose((hits.normal[hit] ** 2).sum(1), 1, atol=1e-12)


def test_a_tube_is_open_and_has_a_wall_on_both_sides() -> None:
    tube = Solid(Kind.TUBE, (0, 0, 0), (1, 1, 2), MATTE)
    origins = np.array([[0, 0, 5.0], [5.0, 0, 0], [0, 0, 0], [0.5, 0, 5]])
    ways = np.array([[0, 0, -1.0], [-1.0, 0, 0], [1.0, 0, 0], [0, 0, -1]])
    np.testing.assert_allclose(nearest_hits(gather([tube])[0], origins, ways).distance, [np.inf, 4, 1, np.inf])


def test_a_leaf_is_pointed_at_both_ends() -> None:
    one = leaf((0, -1, 0), (0, 1, 0), 1.0, 0.0, MATTE)  # half a metre to both sides at the middle, in the plane z = 0
    places = np.array([[0, 0, 1.0], [0.49, 0, 1], [0.51, 0, 1], [0.49, 0.5, 1], [0.37, 0.5, 1], [0, 1.01, 1]])
    found = nearest_hits(gather([one])[0], places, np.tile([0, 0, -1.0], (6, 1)))
    assert np.isfinite(found.distance).tolist() == [True, True, False, False, True, False]


def test_a_rod_reaches_from_end_to_end() -> None:
    one = rod((0, 0, 0), (3, 4, 0), 0.1, MATTE)
    way = np.array([[0.6, 0.8, 0.0]])
    np.testing.assert_allclose(nearest_hits(gather([one])[0], -way, way).distance, [1.0])
    np.testing.assert_allclose(nearest_hits(gather([one])[0], 7 * way, -way).distance, [2.0])


def test_the_tree_finds_what_trying_every_solid_finds() -> None:
    rng = np.random.default_rng(3)
    kinds = [*CLOSED, (Kind.TUBE, 0.7), (Kind.LEAF, 1.0)]
    many = [solid(rng, *kinds[k % len(kinds)], size=0.2) for k in range(150)]
    many = [replace(one, is_shell=k % 40 == 0) for k, one in enumerate(many)]
    origins, ways = rays(rng, 1500)
    found = nearest_hits(gather(many)[0], origins, ways)
    each = np.stack([nearest_hits(gather([one])[0], origins, ways).distance for one in many])
    assert np.isfinite(found.distance).mean() > 0.5
    np.testing.assert_array_equal(found.distance, each.min(0))
    lit = np.stack([each[k] for k, one in enumerate(many) if not one.is_shell]).min(0)
    np.testing.assert_array_equal(blocked(gather(many)[0], origins, ways, 3.5), lit < 3.5)


def test_inside_is_inside_any_closed_solid() -> None:
    rng = np.random.default_rng(4)
    many = [solid(rng, *pair, size=0.6) for pair in (*CLOSED, (Kind.TUBE, 0.7), (Kind.LEAF, 1.0))]
    points = rng.uniform(-1.5, 1.5, (4000, 3))
    expected = np.any([is_within(one, points) for one in many if one.kind not in (Kind.TUBE, Kind.LEAF)], 0)
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(is_inside(gather(many)[0], points), expected)


def test_bounds_hold_the_solid() -> None:
    rng = np.random.default_rng(5)
    for pair in CLOSED:
        one = solid(rng, *pair)
        points = rng.uniform(-4, 4, (40_000, 3))
        low, high = one.bounds()
        within = points[is_within(one, points)]
        assert ((within >= low - 1e-12) & (within <= high + 1e-12)).all()


def test_nothing_is_met_where_nothing_is() -> None:
    solids = gather([])[0]
    ways = np.array([[0, 0, 1.0]])
    hits = nearest_hits(solids, ways, ways)
    assert (hits.distance[0], hits.solid[0], hits.normal.any()) == (np.inf, -1, False)
    assert not blocked(solids, ways, ways, np.inf)[0]
    assert nearest_hits(solids, np.zeros((0, 3)), np.zeros((0, 3))).distance.shape == (0,)


def test_a_ray_along_a_face_of_a_box_gives_a_number() -> None:
    """Directions with zeros, starting in the plane of a face: 0 times infinity must not appear."""
    one = Solid(Kind.BOX, (0, 0, 0), (1, 1, 1), MATTE, UPRIGHT)
    origins, ways = np.array([[-3.0, 1, 0], [-3.0, 0, 0]]), np.array([[1.0, 0, 0], [1.0, 0, 0]])
    found = nearest_hits(gather([one, replace(one, center=(5, 0, 0))])[0], origins, ways)
    assert not np.isnan(found.distance).any()
    assert found.distance[1] == 2
