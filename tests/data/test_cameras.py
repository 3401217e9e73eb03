"""Cameras: rays and projections that belong together, sizes, moves, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from scipy.spatial.transform import Rotation
from torch import Tensor
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.data.cameras import Cameras, pixel_centers, rigid
from trisparse.data.distortion import Model

LENSES: list[tuple[Model, tuple[float, ...]]] = [
    ("pinhole", ()),
    ("opencv", (-0.2, 0.05, 1e-3, -2e-3)),
    ("opencv", (0.9, 0.4, 1e-4, 2e-4, 0.02, 1.2, 0.7, 0.1)),
    ("fisheye", (0.03, -0.01, 4e-3, -1e-3)),
]
WIDTH, HEIGHT = 64, 48


def _cameras(model: Model = "pinhole", lens: tuple[float, ...] = (), n: int = 3, focal: float = 40.0) -> Cameras:
    """At random places, in double precision, with skew and a principal point off the middle."""
    rng = np.random.default_rng(5)
    rotation = torch.from_numpy(Rotation.random(n, rng=rng).as_matrix()).reshape(n, 3, 3)
    K = torch.tensor([[focal, 0.7, 30.25], [0, focal + 2, 25.5], [0, 0, 1]], dtype=torch.float64).expand(n, 3, 3)
    rows = torch.tensor([lens], dtype=torch.float64).expand(n, len(lens))
    return Cameras(rigid(rotation, torch.from_numpy(rng.normal(0, 2, (n, 3)))), K, WIDTH, HEIGHT, model, rows)


def _identity(n: int = 1, **fields: Any) -> Cameras:
    K = torch.tensor([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]]).repeat(n, 1, 1)
    return Cameras(torch.eye(4).repeat(n, 1, 1), K, WIDTH, HEIGHT, **fields)


# Rays and projections


@pytest.mark.parametrize(("model", "lens"), LENSES)
def test_points_along_a_ray_project_to_its_pixel(model: Model, lens: tuple[float, ...]) -> None:
    cameras = _cameras(model, lens)
    for i in range(len(cameras)):
        rays, exist = cameras[i].rays()
        assert bool(exist.all())
        distance = torch.linspace(0.1, 50, len(rays), dtype=torch.float64)
        seen = cameras[i].project(rays.at(distance))
        torch.testing.assert_close(seen.pixels[0], pixel_centers(WIDTH, HEIGHT, cameras.K), rtol=0, atol=1e-7)
        assert bool(seen.inside.all())
        cosine = rays.directions @ cameras.forwards[i]
        torch.testing.assert_close(seen.depth_z[0], distance * cosine, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("model", "lens"), LENSES)
def test_single_precision_is_good_to_a_thousandth_of_a_pixel(model: Model, lens: tuple[float, ...]) -> None:
    camera = _cameras(model, lens)[0].to(torch.float32)
    rays, _ = camera.rays()
    assert rays.directions.dtype == torch.float32
    seen = camera.project(rays.at(torch.full((len(rays),), 3.0)))
    torch.testing.assert_close(seen.pixels[0], pixel_centers(WIDTH, HEIGHT, camera.K), rtol=0, atol=1e-3)


def test_a_fisheye_sees_almost_half_of_all_directions() -> None:
    camera = _cameras("fisheye", (0.01, 0.0, 0.0, 0.0), focal=20.0)[0]
    turn = torch.linspace(0, 6, 20, dtype=torch.float64)
    angle = math.radians(86)
    local = torch.stack(
        [math.sin(angle) * turn.cos(), math.sin(angle) * turn.sin(), torch.full_like(turn, math.cos(angle))], 1
    )
    world = (local - camera.camera_from_world[0, :3, 3]) @ camera.camera_from_world[0, :3, :3]
    seen = camera.project(world)
    rays, exist = camera.rays(seen.pixels[0])
    assert bool(exist.all())
    torch.testing.assert_close(rays.directions @ camera.camera_from_world[0, :3, :3].mT, local, rtol=0, atol=1e-6)


def test_a_worked_example() -> None:
    """Focal length 40, centre (32, 24): a point 1 to the right and 2 down at depth 4 is 10 and 20 pixels off."""
    seen = _identity().project(torch.tensor([[1.0, 2.0, 4.0], [0, 0, -4]]))
    assert seen.pixels[0, 0].tolist() == [42, 44]
    assert seen.depth_z[0].tolist() == [4, -4]
    assert seen.inside.tolist() == [[True, False]]


def test_the_border_of_the_image_is_half_open() -> None:
    x = torch.tensor([-0.8001, -0.8, 0.7999, 0.8])
    seen = _identity().project(torch.stack([x, torch.zeros(4), torch.ones(4)], 1))
    assert seen.inside.tolist() == [[False, True, True, False]]


def test_a_point_beyond_where_the_lens_turns_back_is_not_inside() -> None:
    camera = _identity(model="opencv", distortion=torch.tensor([[-0.3]]))
    seen = camera.project(torch.tensor([[0.5, 0.0, 1.0], [1.8, 0.0, 1.0]]))  # it turns back at 1.054
    assert 0 < float(seen.pixels[0, 1, 0]) < WIDTH
    assert seen.within_reach.tolist() == [[True, False]]
    assert seen.inside.tolist() == [[True, False]]


def test_pixels_that_no_ray_belongs_to_are_named() -> None:
    wide = Cameras(
        torch.eye(4)[None],
        torch.tensor([[[20.0, 0, 32], [0, 20, 24], [0, 0, 1]]]),
        WIDTH,
        HEIGHT,
        "opencv",
        torch.tensor([[-0.3]]),
    )
    _, exist = wide.rays(torch.tensor([[32.0, 24.0], [0.5, 0.5]]))
    assert exist.tolist() == [True, False]


@pytest.mark.parametrize(("model", "lens"), LENSES)
def test_opencv_projects_to_the_same_place_half_a_pixel_off(model: Model, lens: tuple[float, ...]) -> None:
    """OpenCV counts pixel centres from 0."""
    cv2: Any = pytest.importorskip("cv2")
    cameras = _cameras(model, lens)
    K = cameras.K.clone()
    K[:, 0, 1] = 0  # which OpenCV does not read for ordinary lenses
    cameras = Cameras(cameras.camera_from_world, K, WIDTH, HEIGHT, model, cameras.distortion)
    rays, _ = cameras[0].rays(100 * torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    points = rays.at(torch.linspace(1, 9, 50, dtype=torch.float64))
    project = cv2.fisheye.projectPoints if model == "fisheye" else cv2.projectPoints
    theirs_K = K[0].numpy().copy()
    theirs_K[:2, 2] -= 0.5
    pose = cameras.camera_from_world[0].numpy()
    turn = cv2.Rodrigues(pose[:3, :3])[0]
    coefficients = cameras.distortion[0].numpy() if model != "pinhole" else np.zeros(4)
    theirs, _ = project(points.numpy()[:, None], turn, pose[:3, 3].copy(), theirs_K, coefficients)
    ours = cameras[0].project(points).pixels[0].numpy()
    np.testing.assert_allclose(theirs.reshape(-1, 2), ours - 0.5, atol=1e-6)


def test_gradients_reach_points_poses_and_intrinsics() -> None:
    cameras = _cameras("opencv", (-0.2, 0.05, 1e-3, -2e-3), n=2)
    points = (
        cameras[0].rays(torch.tensor([[10.0, 20], [50, 30]], dtype=torch.float64))[0].at(torch.ones(2).double() * 4)
    )

    def project(x: Tensor, pose: Tensor, K: Tensor) -> Tensor:
        moved = Cameras(cameras.camera_from_world, cameras.K, WIDTH, HEIGHT, cameras.model, cameras.distortion)
        object.__setattr__(moved, "camera_from_world", pose)
        object.__setattr__(moved, "K", K)
        return moved.project(x).pixels

    parts = (points, cameras.camera_from_world.clone(), cameras.K.clone())
    assert torch.autograd.gradcheck(project, tuple(part.requires_grad_() for part in parts))


# The same cameras, otherwise


def test_poses_the_other_way_round_are_inverses() -> None:
    cameras = _cameras()
    product = cameras.world_from_camera @ cameras.camera_from_world
    torch.testing.assert_close(product, torch.eye(4, dtype=torch.float64).expand(3, 4, 4))
    torch.testing.assert_close(cameras.project(cameras.centers).depth_z.diagonal(), torch.zeros(3).double())
    ahead = cameras.centers + 2 * cameras.forwards
    torch.testing.assert_close(cameras.project(ahead).depth_z.diagonal(), torch.full((3,), 2.0).double())


@pytest.mark.parametrize(("model", "lens"), LENSES)
def test_a_resized_image_shows_the_same_at_scaled_places(model: Model, lens: tuple[float, ...]) -> None:
    cameras = _cameras(model, lens)
    points = cameras[0].rays()[0].at(torch.full((WIDTH * HEIGHT,), 3.0, dtype=torch.float64))
    small = cameras.resized(16, 24)
    assert (small.width, small.height) == (16, 24)
    expected = cameras[0].project(points).pixels * torch.tensor([16 / WIDTH, 24 / HEIGHT], dtype=torch.float64)
    torch.testing.assert_close(small[0].project(points).pixels, expected)
    torch.testing.assert_close(small.resized(WIDTH, HEIGHT).K, cameras.K)


def test_a_moved_world_looks_the_same() -> None:
    cameras = _cameras("fisheye", (0.03, -0.01, 4e-3, -1e-3))
    points = cameras[1].rays()[0].at(torch.full((WIDTH * HEIGHT,), 3.0, dtype=torch.float64))
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -1, 2]).as_matrix())[None]
    new_from_old = rigid(turn, torch.tensor([[4.0, -5, 6]], dtype=torch.float64))[0]
    moved = (2.5 * points) @ new_from_old[:3, :3].mT + new_from_old[:3, 3]
    before, after = cameras.project(points), cameras.moved(2.5, new_from_old).project(moved)
    torch.testing.assert_close(after.pixels[1], before.pixels[1])
    torch.testing.assert_close(after.depth_z, 2.5 * before.depth_z)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_a_world_is_not_scaled_by_nothing(scale: float) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        _cameras().moved(scale, torch.eye(4))


def test_looking_at_puts_the_target_in_the_middle_and_up_above() -> None:
    centers = torch.tensor([[3.0, 0, 1], [0, -4, 2], [-1, -1, 5]])
    target = torch.tensor([0.2, 0.1, 0.3])
    K = torch.tensor([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]]).repeat(3, 1, 1)
    cameras = Cameras.looking_at(centers, target, K, width=WIDTH, height=HEIGHT)
    torch.testing.assert_close(cameras.centers, centers)
    seen = cameras.project(torch.stack([target, target + torch.tensor([0, 0, 0.1])]))
    torch.testing.assert_close(seen.pixels[:, 0], torch.tensor([32.0, 24]).expand(3, 2), rtol=0, atol=1e-4)
    assert bool((seen.pixels[:, 1, 1] < 23.9).all())  # y grows downwards
    torch.testing.assert_close(seen.pixels[:, 1, 0], torch.full((3,), 32.0), rtol=0, atol=1e-4)


def test_the_length_of_up_does_not_matter_but_its_direction_does() -> None:
    one = torch.tensor([[0.0, 0, 3]])
    K = _identity().K
    with pytest.raises(InvalidInput, match=r"camera 0 .* straight along `up`"):
        Cameras.looking_at(one, torch.zeros(3), K, width=WIDTH, height=HEIGHT)
    with pytest.raises(InvalidInput, match="stands at the target"):
        Cameras.looking_at(torch.zeros(1, 3), torch.zeros(3), K, width=WIDTH, height=HEIGHT)
    a, b = (
        Cameras.looking_at(one, torch.zeros(3), K, width=WIDTH, height=HEIGHT, up=torch.tensor([length, 0.0, 0.0]))
        for length in (1.0, 1e-8)
    )
    torch.testing.assert_close(a.camera_from_world, b.camera_from_world)


def test_rows_are_taken_by_number_slice_list_and_tensor() -> None:
    cameras = _cameras("opencv", (-0.2, 0.05, 1e-3, -2e-3))
    for rows, expected in ((1, [1]), (-1, [2]), (slice(0, 2), [0, 1]), ([2, 0], [2, 0]), (torch.tensor([1]), [1])):
        chosen = cameras[rows]  # pyright: ignore[reportArgumentType]
        assert torch.equal(chosen.K, cameras.K[expected])
        assert torch.equal(chosen.camera_from_world, cameras.camera_from_world[expected])
        assert torch.equal(chosen.distortion, cameras.distortion[expected])
    assert len(cameras[[]]) == 0


def test_a_loop_over_cameras_ends() -> None:
    assert len(list(_cameras())) == 3  # pyright: ignore[reportArgumentType]
    for row in (3, -4):
        with pytest.raises(IndexError, match=f"camera {row} of 3"):
            _cameras()[row]


@pytest.mark.parametrize(("model", "lens"), LENSES)
def test_no_cameras_and_no_points_are_ordinary(model: Model, lens: tuple[float, ...]) -> None:
    none = _cameras(model, lens, n=0)
    assert len(none) == 0
    assert none.centers.shape == (0, 3)
    assert none.project(torch.zeros(5, 3).double()).pixels.shape == (0, 5, 2)
    assert none.resized(3, 4).moved(2.0, torch.eye(4)).forwards.shape == (0, 3)
    some = _cameras(model, lens)
    assert some.project(torch.zeros(0, 3).double()).inside.shape == (3, 0)
    rays, exist = some[0].rays(torch.zeros(0, 2).double())
    assert (len(rays), len(exist)) == (0, 0)


def test_a_point_at_the_centre_of_a_camera_gives_finite_numbers() -> None:
    seen = _identity(model="fisheye").project(torch.zeros(1, 3))
    assert bool(seen.pixels.isfinite().all())
    assert not bool(seen.inside.any())


def test_short_rows_of_coefficients_are_filled() -> None:
    camera = _identity(model="opencv", distortion=torch.tensor([[0.1, 0.2]]))
    assert camera.distortion.tolist() == [pytest.approx([0.1, 0.2, 0, 0, 0, 0, 0, 0])]
    assert camera.has_distortion
    assert not _identity(model="opencv").has_distortion
    assert _identity(model="fisheye").has_distortion


def test_pixel_centres_begin_at_a_half_and_run_along_rows() -> None:
    assert pixel_centers(2, 2, torch.zeros(0)).tolist() == [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]]


# What is refused


def _changed(row: int, column: int, value: float, size: int = 3) -> Float[Tensor, "1 a a"]:
    matrix = _identity().K.clone() if size == 3 else torch.eye(4)[None]
    matrix[0, row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"K": _changed(0, 0, 0.0)}, InvalidInput, "K of camera 0 .*fx and fy above 0"),
        ({"K": _changed(1, 1, -5.0)}, InvalidInput, "fx and fy above 0"),
        ({"K": _changed(1, 0, 1.0)}, InvalidInput, r"expected \[\[fx, skew, cx\]"),
        ({"K": _changed(2, 2, 2.0)}, InvalidInput, r"\[0, 0, 1\]"),
        ({"K": _changed(0, 2, math.nan)}, NotFinite, "K"),
        ({"K": _identity().K.double()}, InvalidInput, "poses are torch.float32 on cpu and K torch.float64"),
        ({"camera_from_world": _changed(0, 3, math.inf, 4)}, NotFinite, "camera_from_world"),
        ({"camera_from_world": _changed(0, 0, -1.0, 4)}, InvalidInput, "pose 0 .*mirrored or scaled"),
        ({"camera_from_world": _changed(0, 0, 1.1, 4)}, InvalidInput, "pose 0 .*mirrored or scaled"),
        ({"camera_from_world": _changed(3, 0, 1.0, 4)}, InvalidInput, "pose 0"),
        ({"width": 0}, InvalidInput, "0 x 48 pixels"),
        ({"height": -1}, InvalidInput, "64 x -1 pixels"),
        ({"model": "opencv", "distortion": torch.zeros(1, 9)}, ShapeMismatch, "at most 8"),
        ({"distortion": torch.ones(1, 2)}, ShapeMismatch, "at most 0"),
        ({"model": "opencv", "distortion": torch.full((1, 2), math.nan)}, NotFinite, "distortion"),
    ],
)
def test_cameras_that_cannot_be_are_refused(fields: dict[str, Any], error: type[Exception], match: str) -> None:
    good = {"camera_from_world": torch.eye(4)[None], "K": _identity().K, "width": WIDTH, "height": HEIGHT}
    with pytest.raises(error, match=match):
        Cameras(**{**good, **fields})


@pytest.mark.parametrize("fields", [{"K": _identity(2).K}, {"model": "fisheye", "distortion": torch.zeros(2, 4)}])
def test_one_matrix_and_one_lens_belong_to_each_camera(fields: dict[str, Any]) -> None:
    good = {"camera_from_world": torch.eye(4)[None], "K": _identity().K, "width": WIDTH, "height": HEIGHT}
    with pytest.raises((ShapeMismatch, TypeCheckError)):  # the tests check shapes first
        Cameras(**{**good, **fields})


def test_rays_are_those_of_one_camera() -> None:
    with pytest.raises(ShapeMismatch, match="asked from 3"):
        _cameras().rays()
