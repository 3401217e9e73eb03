"""Clouds of Gaussians: what they are made of, what a motion does to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.rendering.gaussians import SH_C0, GaussianCloud, neighbour_distance, rotation_matrices
from trisparse.rendering.harmonics import colors_from_harmonics


def random_cloud(n: int, degree: int = 3, seed: int = 0, dtype: torch.dtype = torch.float64) -> GaussianCloud:
    """Gaussians of all sizes, directions and colours."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    return GaussianCloud(
        2 * normal(n, 3), normal(n, 4), normal(n, 3) - 3, 2 * normal(n), 0.4 * normal(n, (degree + 1) ** 2, 3)
    )


def covariances(cloud: GaussianCloud) -> Tensor:
    """[g 3 3]."""
    axes = rotation_matrices(cloud.quats) * cloud.scales[:, None]
    return axes @ axes.mT


# Parameters and views of them


def test_views_are_what_the_raw_parameters_stand_for() -> None:
    cloud = GaussianCloud(
        torch.zeros(1, 3),
        torch.tensor([[2.0, 0, 0, 0]]),
        torch.tensor([[0.0, -1, 1]]),
        torch.tensor([0.0]),
        torch.tensor([[[0.0, 0.25 / SH_C0, 9.0]]]),
    )
    torch.testing.assert_close(cloud.scales, torch.tensor([[1.0, 0.367879, 2.718282]]))
    assert cloud.opacities.tolist() == [0.5]
    torch.testing.assert_close(cloud.base_colors, torch.tensor([[0.5, 0.75, 1.0]]))
    assert cloud.sh_degree == 0


@pytest.mark.parametrize("name", ["quats", "log_scales", "opacity_logits", "sh"])
def test_parameters_of_different_lengths_are_refused_by_name(name: str) -> None:
    parts = {key: getattr(random_cloud(5), key) for key in ("means", "quats", "log_scales", "opacity_logits", "sh")}
    parts[name] = parts[name][:4]
    with pytest.raises(Exception, match=name) as found:
        GaussianCloud(**parts)
    assert isinstance(found.value, ShapeMismatch) or "jaxtyping" in type(found.value).__module__


def test_a_number_of_harmonics_that_no_degree_has_is_refused() -> None:
    cloud = random_cloud(2)
    with pytest.raises(ShapeMismatch, match=r"8 harmonics; expected 1, 4, 9 or 16"):
        GaussianCloud(cloud.means, cloud.quats, cloud.log_scales, cloud.opacity_logits, cloud.sh[:, :8])


def test_rows_are_chosen_by_slices_numbers_and_masks() -> None:
    cloud = random_cloud(6)
    for rows in (slice(1, 4), torch.tensor([5, 0, 0]), torch.arange(6) % 2 == 0, slice(0, 0)):
        assert torch.equal(cloud[rows].sh, cloud.sh[rows])
        assert len(cloud[rows]) == len(cloud.means[rows])


def test_more_harmonics_are_zero_and_fewer_are_the_first() -> None:
    cloud = random_cloud(3, degree=1)
    more = cloud.with_degree(3)
    assert more.sh_degree == 3
    assert torch.equal(more.sh[:, :4], cloud.sh)
    assert not more.sh[:, 4:].any()
    assert torch.equal(more.with_degree(1).sh, cloud.sh)
    assert cloud.with_degree(0).sh.shape == (3, 1, 3)


@pytest.mark.parametrize("name", ["means", "quats", "log_scales", "opacity_logits", "sh"])
def test_rows_with_a_bad_number_are_found_whatever_parameter_it_is_in(name: str) -> None:
    cloud = random_cloud(5)
    getattr(cloud, name)[2] = torch.nan
    getattr(cloud, name)[4] = -torch.inf
    assert cloud.finite_rows().tolist() == [0, 1, 3]


def test_a_cloud_changes_its_precision_as_a_whole() -> None:
    single = random_cloud(2).to(torch.float32)
    assert {getattr(single, n).dtype for n in ("means", "quats", "log_scales", "opacity_logits", "sh")} == {
        torch.float32
    }


# From points


def test_points_become_round_gaussians_of_their_color_as_large_as_their_spacing() -> None:
    grid = torch.stack(torch.meshgrid(*[torch.arange(4.0)] * 3, indexing="ij"), -1).reshape(-1, 3) * 0.5
    colors = torch.rand(64, 3, generator=torch.Generator().manual_seed(0))
    cloud = GaussianCloud.from_points(grid, colors, sh_degree=2, opacity=0.3, scale_factor=2.0)
    torch.testing.assert_close(cloud.scales, torch.full((64, 3), 1.0))  # three neighbours at 0.5, twice that
    torch.testing.assert_close(cloud.base_colors, colors)
    torch.testing.assert_close(cloud.opacities, torch.full((64,), 0.3))
    torch.testing.assert_close(rotation_matrices(cloud.quats), torch.eye(3).repeat(64, 1, 1))
    assert cloud.sh_degree == 2
    assert not cloud.sh[:, 1:].any()
    cloud.means[0] = 7
    assert grid[0].tolist() == [0, 0, 0]  # not shared


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_points_make_a_cloud_too(n: int) -> None:
    cloud = GaussianCloud.from_points(torch.arange(3.0 * n).reshape(n, 3), torch.ones(n, 3))
    assert len(cloud) == n
    assert len(cloud.finite_rows()) == n


def test_points_on_one_spot_have_a_finite_size() -> None:
    cloud = GaussianCloud.from_points(torch.zeros(9, 3), torch.zeros(9, 3))
    assert cloud.log_scales.isfinite().all()
    torch.testing.assert_close(cloud.scales, torch.full((9, 3), 1e-7))


def test_bad_points_are_refused() -> None:
    points = torch.zeros(4, 3)
    with pytest.raises(InvalidInput, match="harmonics of degree 4"):
        GaussianCloud.from_points(points, points, sh_degree=4)
    with pytest.raises(InvalidInput, match=r"opacity of 1\b.*between 0 and 1"):
        GaussianCloud.from_points(points, points, opacity=1.0)
    points[1, 2] = torch.nan
    with pytest.raises(NotFinite, match="points: 1 of 4 rows"):
        GaussianCloud.from_points(points, torch.zeros(4, 3))
    with pytest.raises(NotFinite, match="colors: 1 of 4 rows"):
        GaussianCloud.from_points(torch.zeros(4, 3), points)


def test_the_distance_to_neighbours_is_that_of_a_search_through_all_pairs() -> None:
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    nearest = torch.cdist(points, points).sort(1).values[:, 1:]
    for k in (1, 3, 7):
        torch.testing.assert_close(neighbour_distance(points, k), nearest[:, :k].square().mean(1).sqrt())


def test_the_distance_counts_points_that_are_there_twice_and_makes_do_with_few() -> None:
    points = torch.tensor([[0.0, 0, 0], [0, 0, 0], [3, 4, 0]])
    torch.testing.assert_close(neighbour_distance(points), torch.tensor([12.5**0.5, 12.5**0.5, 5.0]))
    assert neighbour_distance(points[:1]).tolist() == [1]
    assert neighbour_distance(points[:0]).shape == (0,)


# Rotations


def test_quaternions_of_any_length_are_scipys_rotations() -> None:
    quats = random_cloud(50).quats
    expected = Rotation.from_quat(quats[:, [1, 2, 3, 0]].numpy()).as_matrix()
    np.testing.assert_allclose(rotation_matrices(quats).numpy(), expected, atol=1e-12)
    torch.testing.assert_close(rotation_matrices(-3 * quats), rotation_matrices(quats))


def _motion(seed: int = 5) -> tuple[float, Tensor, Tensor]:
    rotation = torch.from_numpy(Rotation.from_euler("zyx", [seed + 1, 0.5 - seed, 2.0]).as_matrix())
    return 2.5, rotation, torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


@pytest.mark.parametrize("seed", range(3))
def test_a_moved_cloud_has_moved_means_and_covariances_and_looks_the_same_from_moved_places(seed: int) -> None:
    cloud, (scale, rotation, shift) = random_cloud(30), _motion(seed)
    moved = cloud.moved(scale, rotation, shift)
    torch.testing.assert_close(moved.means, scale * cloud.means @ rotation.T + shift)
    expected = scale**2 * rotation @ covariances(cloud) @ rotation.T
    torch.testing.assert_close(covariances(moved), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(moved.opacity_logits, cloud.opacity_logits)
    eye = torch.tensor([4.0, 5.0, 6.0], dtype=torch.float64)
    seen = colors_from_harmonics(cloud.sh, cloud.means - eye, 3)
    moved_eye = scale * rotation @ eye + shift
    torch.testing.assert_close(colors_from_harmonics(moved.sh, moved.means - moved_eye, 3), seen)


def test_a_motion_and_its_inverse_give_the_cloud_back_in_its_own_precision() -> None:
    cloud, (scale, rotation, shift) = random_cloud(20, dtype=torch.float32), _motion()
    there = cloud.moved(scale, rotation, shift)
    assert there.quats.dtype == there.sh.dtype == torch.float32
    back = there.moved(1 / scale, rotation.T, -rotation.T @ shift / scale)
    torch.testing.assert_close(back.means, cloud.means, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(covariances(back), covariances(cloud), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(back.sh, cloud.sh, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_cloud_is_not_moved_by_a_scale_that_is_no_scale(scale: float) -> None:
    _, rotation, shift = _motion()
    with pytest.raises(InvalidInput, match="scale"):
        random_cloud(1).moved(scale, rotation, shift)


@pytest.mark.parametrize("matrix", [torch.diag(torch.tensor([1.0, 1, -1])), 2 * torch.eye(3), torch.zeros(3, 3)])
def test_a_cloud_is_not_turned_by_what_is_no_rotation(matrix: Tensor) -> None:
    with pytest.raises(InvalidInput, match="rotation"):
        random_cloud(1).moved(1.0, matrix, torch.zeros(3))


def test_an_empty_cloud_is_moved_to_an_empty_one() -> None:
    scale, rotation, shift = _motion()
    assert len(random_cloud(0).moved(scale, rotation, shift)) == 0
