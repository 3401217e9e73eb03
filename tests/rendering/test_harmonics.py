"""Spherical harmonics against scipy's, and what must hold when they are turned."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from trisparse.rendering.gaussians import SH_C0
from trisparse.rendering.harmonics import colors_from_harmonics, harmonics, rotate_harmonics


def directions(n: int, seed: int = 0) -> Tensor:
    """Unit vectors all over the sphere."""
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, 3, generator=generator, dtype=torch.float64), dim=-1)


def turn(seed: int) -> Tensor:
    """A random rotation."""
    return torch.from_numpy(Rotation.from_rotvec(3 * directions(1, seed)[0].numpy()).as_matrix())


def coefficients(n: int, degree: int) -> Tensor:
    """Random ones."""
    generator = torch.Generator().manual_seed(degree)
    return torch.randn(n, (degree + 1) ** 2, 3, generator=generator, dtype=torch.float64)


def test_they_are_the_real_harmonics_of_quantum_mechanics_with_the_condon_shortley_phase() -> None:
    special = pytest.importorskip("scipy.special")
    if not hasattr(special, "sph_harm_y"):
        pytest.skip("this scipy has no sph_harm_y")
    d = directions(50)
    polar, azimuth = torch.acos(d[:, 2]).numpy(), torch.atan2(d[:, 1], d[:, 0]).numpy()
    columns = []
    for degree in range(4):
        for order in range(-degree, degree + 1):
            value = special.sph_harm_y(degree, abs(order), polar, azimuth)
            part = value.imag if order < 0 else value.real
            columns.append(torch.from_numpy(part * (2**0.5 if order else 1)))
    torch.testing.assert_close(harmonics(d, 3), torch.stack(columns, -1), rtol=0, atol=1e-12)


def test_they_are_orthonormal_on_the_sphere() -> None:
    n = 20_000
    step = torch.arange(n, dtype=torch.float64) + 0.5
    z, angle = 1 - 2 * step / n, step * torch.pi * (3 - 5**0.5)  # a spiral that covers the sphere evenly
    radius = (1 - z * z).sqrt()
    basis = harmonics(torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1), 3)
    torch.testing.assert_close(
        4 * torch.pi * basis.T @ basis / n, torch.eye(16, dtype=torch.float64), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_lower_degree_is_the_beginning_of_a_higher_one(degree: int) -> None:
    d = directions(9).reshape(3, 3, 3)
    found = harmonics(d, degree)
    assert found.shape == (3, 3, (degree + 1) ** 2)
    assert torch.equal(found, harmonics(d, 3)[..., : (degree + 1) ** 2])


def test_colors_are_half_without_coefficients_and_never_below_zero() -> None:
    sh, d = torch.zeros(2, 4, 3), directions(2).float()
    assert torch.equal(colors_from_harmonics(sh, d, 1), torch.full((2, 3), 0.5))
    sh[:, 0] = torch.tensor([-1.0, 0.1, 1.0]) / SH_C0
    torch.testing.assert_close(colors_from_harmonics(sh, d, 1), torch.tensor([[0.0, 0.6, 1.5]]).repeat(2, 1))


def test_colors_do_not_depend_on_the_length_of_a_direction_and_use_no_more_than_the_degree() -> None:
    sh, d = coefficients(7, 3), directions(7)
    torch.testing.assert_close(colors_from_harmonics(sh, d * 12.5, 2), colors_from_harmonics(sh, d, 2))
    torch.testing.assert_close(colors_from_harmonics(sh, d, 1), colors_from_harmonics(sh[:, :4], d, 1))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_turned_harmonics_show_along_turned_directions_what_was_seen_before(degree: int, seed: int) -> None:
    sh, d, rotation = coefficients(40, degree), directions(40, seed), turn(seed)
    seen = colors_from_harmonics(rotate_harmonics(sh, rotation), d @ rotation.T, degree)
    torch.testing.assert_close(seen, colors_from_harmonics(sh, d, degree), rtol=0, atol=1e-12)


def test_turns_follow_one_another_and_undo_one_another() -> None:
    sh, first, second = coefficients(5, 3), turn(1), turn(2)
    torch.testing.assert_close(
        rotate_harmonics(rotate_harmonics(sh, first), second), rotate_harmonics(sh, second @ first)
    )
    torch.testing.assert_close(rotate_harmonics(rotate_harmonics(sh, first), first.T), sh)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_turn_keeps_the_energy_of_each_degree(degree: int) -> None:
    sh = coefficients(6, 3)
    band = slice(degree**2, (degree + 1) ** 2)
    torch.testing.assert_close(rotate_harmonics(sh, turn(3))[:, band].norm(dim=1), sh[:, band].norm(dim=1))


def test_no_gaussians_and_single_precision_are_turned_too() -> None:
    assert rotate_harmonics(torch.zeros(0, 16, 3), turn(0)).shape == (0, 16, 3)
    sh = coefficients(4, 2)
    single = rotate_harmonics(sh.float(), turn(0))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), rotate_harmonics(sh, turn(0)), rtol=0, atol=1e-6)
