"""Compiled loops against the readable reference."""

from __future__ import annotations

import pytest
import torch
from trisparse.sparse3d.kernel_map import kernel_offsets, run_width
from trisparse.sparse3d.kernels import numba_cpu, torch_ref

from tests.sparse3d.scenes import random_grid


@pytest.mark.parametrize("greatest", [0, 5, 2047, 2048, 2**40, 2**63 - 1])
def test_keys_are_sorted_as_torch_sorts_them_equals_in_their_order(greatest: int) -> None:
    generator = torch.Generator().manual_seed(0)
    keys = torch.randint(0, max(greatest, 1), (3000,), generator=generator)
    keys[torch.randperm(3000, generator=generator)[:900]] = greatest
    before = keys.clone()
    for found, expected in zip(numba_cpu.sort_keys(keys), torch_ref.sort_keys(keys), strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(keys, before)
    assert [len(part) for part in numba_cpu.sort_keys(keys[:0])] == [0, 0]


@pytest.mark.parametrize("n", [1, 40, 900])
def test_matches_and_their_mirror_image_are_those_of_the_reference(n: int) -> None:
    grid = random_grid(n, seed=4, batch=2, low=-6, high=6)
    keys, others, steps = grid.sorted_keys_with(grid, kernel_offsets((3, 3, 3), (1, 1, 1))[:13])
    width = run_width(len(grid))
    found, expected = (backend.match_keys(keys, others, steps, width, width) for backend in (numba_cpu, torch_ref))
    whole, expected_whole = (
        backend.mirror_image(part, len(grid)) for backend, part in ((numba_cpu, found), (torch_ref, expected))
    )
    for a, b in ((found, expected), (whole, expected_whole)):
        for name in ("places_in", "places_out", "runs_in", "runs_out"):
            assert torch.equal(getattr(a, name), getattr(b, name)), name
