"""Edge-aware smoothing: against dense systems of equations, and what it keeps."""

from __future__ import annotations

import numba
import pytest
import torch
from torch import Tensor
from trisparse.rendering.stereo.edge_aware import spread

_RANDOM = torch.Generator().manual_seed(0)
VALUES, GUIDE = torch.rand(6, 9, 2, generator=_RANDOM), torch.rand(6, 9, 3, generator=_RANDOM)


def _line(values: Tensor, colors: Tensor, strength: float, edge: float) -> Tensor:
    """The solution of (1 + strength L) x = values, by a dense matrix."""
    n = len(values)
    matrix = torch.eye(n, dtype=torch.float64)
    for i in range(n - 1):
        w = strength * float((-(colors[i + 1] - colors[i]).abs().max() / edge).exp())
        matrix[i, i] += w
        matrix[i + 1, i + 1] += w
        matrix[i, i + 1] -= w
        matrix[i + 1, i] -= w
    return torch.linalg.solve(matrix, values)


def test_one_round_is_a_solution_along_rows_then_columns() -> None:
    values, guide = VALUES.double(), GUIDE.double()
    rows = torch.stack([_line(values[y], guide[y], 12.5, 0.5) for y in range(6)])
    both = torch.stack([_line(rows[:, x], guide[:, x], 12.5, 0.5) for x in range(9)], 1)
    torch.testing.assert_close(spread(values, guide, reach_px=5.0, edge=0.5, rounds=1), both)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_sums_are_kept_and_even_maps_stay_even(rounds: int) -> None:
    found = spread(VALUES.double(), GUIDE, reach_px=5.0, edge=0.5, rounds=rounds)
    torch.testing.assert_close(found.sum((0, 1)), VALUES.double().sum((0, 1)))
    assert float(found.min()) > 0
    even = spread(torch.full((6, 9, 1), 0.7), GUIDE, rounds=rounds)
    torch.testing.assert_close(even, torch.full((6, 9, 1), 0.7))


def test_values_spread_over_an_even_region_and_stop_at_its_edge() -> None:
    values, guide = torch.zeros(20, 30, 1), torch.zeros(20, 30, 3)
    guide[:, 15:, 1] = 1
    values[10, 5] = 1
    found = spread(values, guide, reach_px=20.0)[..., 0]
    assert float(found[:, 15:].sum()) < 1e-6
    assert float(found[:, :15].min()) > 0.1 * float(found[10, 5])


def test_values_reach_about_as_far_as_they_are_told() -> None:
    values = torch.zeros(1, 201, 1)
    values[0, 100] = 1
    for reach in (5.0, 20.0):
        found = spread(values, torch.zeros(1, 201, 3), reach_px=reach)[0, :, 0]
        at = torch.arange(201.0) - 100
        assert float((found * at**2).sum() / found.sum()) ** 0.5 == pytest.approx(reach, rel=0.1)


def test_a_pixel_and_nothing_stay_as_they_are_and_the_input_is_not_changed() -> None:
    one = torch.tensor([[[3.0, 4.0]]])
    assert torch.equal(spread(one, torch.rand(1, 1, 3)), one)
    assert spread(torch.zeros(0, 5, 1), torch.zeros(0, 5, 3)).shape == (0, 5, 1)
    before = VALUES.clone()
    spread(VALUES, GUIDE)
    assert torch.equal(VALUES, before)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    most = numba.get_num_threads()
    found = spread(VALUES, GUIDE)
    numba.set_num_threads(1)
    try:
        assert torch.equal(spread(VALUES, GUIDE), found)
    finally:
        numba.set_num_threads(most)
