"""Semi-global aggregation: against loops, and what it does to a wrong pixel and at an edge."""

from __future__ import annotations

import torch
from torch import Tensor
from trisparse.rendering.stereo.semiglobal import Smoothness, aggregate, winners


def _aggregate(cost: Tensor, guide: Tensor, s: Smoothness) -> Tensor:
    """Hirschmueller's recursion, one path and one plane at a time."""
    height, width, planes = cost.shape
    total = torch.zeros_like(cost)
    for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        path = torch.zeros_like(cost)
        rows = range(height) if dy >= 0 else reversed(range(height))
        for y in rows:
            columns = range(width) if dx >= 0 else reversed(range(width))
            for x in columns:
                py, px = y - dy, x - dx
                if not (0 <= py < height and 0 <= px < width):
                    path[y, x] = cost[y, x]
                    continue
                before = path[py, px]
                least = float(before.min())
                step = abs(float(guide[y, x] - guide[py, px]))
                jump = max(s.large / (1 + step / s.edge), 2 * s.small)
                for d in range(planes):
                    ways = [float(before[d]), least + jump]
                    ways += [float(before[k]) + s.small for k in (d - 1, d + 1) if 0 <= k < planes]
                    path[y, x, d] = cost[y, x, d] + min(ways) - least
        total += path
    return total


def test_aggregation_is_the_recursion_along_four_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    cost = torch.rand(4, 5, 6, generator=generator, dtype=torch.float64)
    guide = torch.rand(4, 5, generator=generator, dtype=torch.float64)
    for smoothness in (Smoothness(), Smoothness(small=0.3, large=0.4, edge=0.5)):
        torch.testing.assert_close(aggregate(cost, guide, smoothness), _aggregate(cost, guide, smoothness))


def test_a_single_plane_costs_four_times_its_cost_and_a_single_pixel_its_own() -> None:
    cost = torch.rand(3, 4, 1, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(aggregate(cost, torch.zeros(3, 4)), 4 * cost)
    torch.testing.assert_close(
        aggregate(cost[:1, :1].repeat(1, 1, 5), torch.zeros(1, 1)), 4 * cost[:1, :1].repeat(1, 1, 5)
    )


def _preferring(planes: Tensor, n: int, strength: float = 0.5) -> Tensor:
    """Costs that are lower by ``strength`` at each pixel's own plane."""
    return 1 - strength * torch.nn.functional.one_hot(planes, n).float()


def test_a_wrong_pixel_is_outvoted() -> None:
    planes = torch.full((7, 7), 2)
    planes[3, 3] = 8
    cost = _preferring(planes, 10)
    assert winners(cost)[3, 3].round() == 8
    assert bool((winners(aggregate(cost, torch.zeros(7, 7))).round() == 2).all())


def test_depth_jumps_at_an_edge_of_the_photo_rather_than_beside_it() -> None:
    planes = torch.full((9, 12), 2)
    planes[:, 6:] = 8
    cost = _preferring(planes, 10, 0.25)
    cost[:, 4:8] = 1  # nothing is known near the edge
    guide = torch.zeros(9, 12)
    guide[:, 5:] = 1
    found = winners(aggregate(cost, guide)).round()
    assert bool((found[:, :5] == 2).all())
    assert bool((found[:, 5:] == 8).all())


def test_the_cheapest_place_lies_between_planes_but_not_beyond_the_last() -> None:
    d = torch.arange(6.0)
    cost = torch.stack([(d - 2.3) ** 2, (d - 4.5) ** 2 + 1e-3 * d, (d + 1) ** 2, (d - 9) ** 2, torch.ones(6)])[None]
    found = winners(cost)[0].tolist()
    assert abs(found[0] - 2.3) < 1e-5
    assert abs(found[1] - 4.5) < 1e-2
    assert found[2:] == [0, 5, 0]
