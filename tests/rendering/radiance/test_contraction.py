"""Contractions: as the original's, inverses of each other, differentiable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.radiance.contraction import Contraction, check_aabb, contract, inside_cube, uncontract

from .radiance_scenes import AABB, random, recorded

KINDS: tuple[Contraction, ...] = ("aabb", "sphere", "tanh")


@pytest.mark.parametrize("kind", ["sphere", "tanh"])
def test_contracted_points_and_their_jacobian_are_the_originals(kind: Contraction, shared: Path) -> None:
    known = recorded(shared, "field_ngp")
    points, aabb = known["points"].requires_grad_(), known["aabb"]
    found = contract(points, aabb, kind)
    torch.testing.assert_close(found.detach(), known[kind], rtol=0, atol=1e-14)
    rows = [torch.autograd.grad(found[:, axis].sum(), points, retain_graph=True)[0] for axis in range(3)]
    expected = known[f"{kind}_jacobian"]
    exists = torch.isfinite(expected)
    assert int((~exists).sum()) == (9 if kind == "sphere" else 0)  # the original has none at the centre
    jacobian = torch.stack(rows, 1)
    torch.testing.assert_close(jacobian[exists], expected[exists], rtol=0, atol=1e-14)
    assert bool(torch.isfinite(jacobian).all())


@pytest.mark.parametrize(("kind", "name"), [("aabb", "box"), ("sphere", "sphere"), ("tanh", "tanh")])
def test_contraction_and_its_inverse_are_those_of_marching(kind: Contraction, name: str, shared: Path) -> None:
    known = recorded(shared, "marching")
    found = contract(known["contract_points"], known["aabb"], kind)
    torch.testing.assert_close(found, known[f"contract_{name}"], rtol=0, atol=2e-7)
    back = uncontract(known[f"contract_{name}"], known["aabb"], kind)
    torch.testing.assert_close(back, known[f"uncontract_{name}"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_gives_the_points_back(kind: Contraction) -> None:
    points = random(200, 3)
    back = uncontract(contract(points, AABB, kind), AABB, kind)
    torch.testing.assert_close(back, points, rtol=1e-9, atol=1e-9)


def test_the_sphere_maps_all_of_space_into_the_ball_and_the_boxes_ball_to_its_half() -> None:
    far = contract(random(100, 3) * 1e6, AABB, "sphere")
    assert float((far - 0.5).norm(dim=1).max()) <= 0.5
    face = torch.tensor([[1.0, 0.2, -0.2]], dtype=torch.float64)  # middle of the face at largest x
    torch.testing.assert_close(contract(face, AABB, "sphere"), torch.tensor([[0.75, 0.5, 0.5]], dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_two_derivatives_exist_even_at_the_centre(kind: Contraction) -> None:
    centre = (AABB[:3] + AABB[3:])[None] / 2
    points = torch.cat([random(4, 3), centre]).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: contract(x, AABB, kind), points)
    assert torch.autograd.gradgradcheck(lambda x: contract(x, AABB, kind), points)


def test_the_cubes_faces_do_not_belong_to_its_inside() -> None:
    points = torch.tensor([[0.5, 0.5, 0.5], [0.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, torch.nan], [0.5, 0.5, 1.1]])
    assert inside_cube(points).tolist() == [1, 0, 0, 0, 0]


def test_what_is_no_box_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="smallest x y z"):
        check_aabb(torch.zeros(2, 3))
    for bad in ([0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, float("inf")], [1, 0, 0, 0, 1, 1]):
        with pytest.raises(InvalidInput, match="empty or not finite"):
            check_aabb(torch.tensor(bad, dtype=torch.float64))
