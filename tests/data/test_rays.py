from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError
from trisparse.core.errors import ShapeMismatch
from trisparse.data.rays import Rays


def test_a_point_lies_at_its_distance_along_the_ray() -> None:
    rays = Rays(torch.tensor([[0.0, 0, 0], [1, 2, 3]]), torch.tensor([[0.0, 0, 1], [0.6, 0.8, 0]]))
    assert rays.at(torch.tensor([2.0, 5.0])).tolist() == [[0, 0, 2], [4, 6, 3]]
    assert len(rays[1:]) == 1
    assert rays[torch.tensor([False, True])].origins.tolist() == [[1, 2, 3]]


def test_no_rays_are_ordinary_and_a_direction_too_many_is_not() -> None:
    none = Rays(torch.zeros(0, 3), torch.zeros(0, 3))
    assert none.at(torch.zeros(0)).shape == (0, 3)
    with pytest.raises((ShapeMismatch, TypeCheckError), match="directions"):  # the tests check shapes first
        Rays(torch.zeros(2, 3), torch.zeros(1, 3))
