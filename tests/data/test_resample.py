"""Photos at another size and without distortion, against patterns whose value is known everywhere."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.cameras import Cameras, pixel_centers
from trisparse.data.distortion import Model
from trisparse.data.image_files import LazyPhoto
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.resample import (
    filled_intrinsics,
    resize_photos,
    sample_image,
    undistort_photos,
    undistortion_mask,
)

WIDTH, HEIGHT = 120, 90
K = torch.tensor([[70.0, 0, 61.5], [0, 72, 43.25], [0, 0, 1]])
LENSES: dict[str, tuple[Model, list[float]]] = {
    "barrel": ("opencv", [-0.25, 0.08, 0.004, -0.006, -0.01]),
    "pincushion": ("opencv", [0.15, 0.05, -0.003, 0.005]),
    "rational": ("opencv", [0.3, -0.1, 0.002, 0.001, 0.01, 0.45, 0.05, 0.01]),
    "fisheye": ("fisheye", [0.05, -0.02, 0.01, -0.002]),
    "fisheye without coefficients": ("fisheye", []),
}


def _cameras(name: str | None, n: int = 1) -> Cameras:
    model, coefficients = ("pinhole", []) if name is None else LENSES[name]
    poses = torch.eye(4).repeat(n, 1, 1)
    return Cameras(
        poses, K.repeat(n, 1, 1), WIDTH, HEIGHT, model, torch.tensor([coefficients]).reshape(1, -1).repeat(n, 1)
    )


def _rays(name: str) -> Float[Tensor, "r 2"]:
    """Where the plane z = 1 meets the rays of a lens's pixels; by a table and by repeated substitution, not by the library."""
    model, given = LENSES[name]
    at = (pixel_centers(WIDTH, HEIGHT, K).double() - K[:2, 2]) / K.diagonal()[:2]
    x, y = at.numpy().T
    if model == "fisheye":
        k1, k2, k3, k4 = [*given, 0, 0, 0, 0][:4]
        angles = np.linspace(0, math.pi / 2 - 1e-3, 400_000)
        bent = angles * (1 + k1 * angles**2 + k2 * angles**4 + k3 * angles**6 + k4 * angles**8)
        radius = np.hypot(x, y)
        return torch.from_numpy(np.stack([x, y], 1) * (np.tan(np.interp(radius, bent, angles)) / radius)[:, None])
    k1, k2, p1, p2, k3, k4, k5, k6 = [*given, *[0] * 8][:8]
    u, v = x.copy(), y.copy()
    for _ in range(2000):
        r2 = u * u + v * v
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        u = 0.5 * u + 0.5 * (x - 2 * p1 * u * v - p2 * (r2 + 2 * u * u)) / radial
        v = 0.5 * v + 0.5 * (y - p1 * (r2 + 2 * v * v) - 2 * p2 * u * v) / radial
    return torch.from_numpy(np.stack([u, v], 1))


def _board(plane: Float[Tensor, "r 2"], width: int = WIDTH, height: int = HEIGHT) -> Float[Tensor, "h w 3"]:
    """A soft checkerboard before the camera: fields of about 10 pixels, of another contrast in each colour."""
    waves = (plane.double() * 7 * math.pi + torch.tensor([0.4, -0.7])).sin().prod(-1)
    return (0.5 + waves[:, None] * torch.tensor([0.5, 0.3, -0.4])).reshape(height, width, 3).float()


def _plane(matrix: Tensor, width: int = WIDTH, height: int = HEIGHT) -> Float[Tensor, "r 2"]:
    return (pixel_centers(width, height, matrix) - matrix[:2, 2]) / matrix.diagonal()[:2]


def _photo(name: str) -> PosedImages:
    return PosedImages.from_tensors(_cameras(name), _board(_rays(name))[None])


def _difference(a: Tensor, b: Tensor, where: Bool[Tensor, "h w"]) -> float:
    return float((a - b).abs()[where].max())


# Undistorted


@pytest.mark.parametrize("name", LENSES)
def test_a_checkerboard_seen_through_a_lens_lands_where_the_pinhole_says(name: str) -> None:
    photos = _photo(name)
    truth = _board(_plane(K))
    assert _difference(photos.image(0), truth, torch.ones(HEIGHT, WIDTH, dtype=torch.bool)) > 0.3
    straight = undistort_photos(photos)
    assert (straight.cameras.model, straight.cameras.has_distortion) == ("pinhole", False)
    shown = undistortion_mask(photos.cameras, straight.cameras)
    inner = shown & ~_near_the_edge(photos.cameras, straight.cameras)
    assert int(inner.sum()) > 0.5 * WIDTH * HEIGHT
    assert _difference(straight.image(0), truth, inner) < 0.07  # of interpolation between pixels
    moved = _board(_plane(K) + torch.tensor([0.5, 0]) / 70)
    mean = float((straight.image(0) - truth).abs()[inner].mean())
    assert float((straight.image(0) - moved).abs()[inner].mean()) > 4 * mean


def _near_the_edge(camera: Cameras, pinhole: Cameras) -> Bool[Tensor, "h w"]:
    """Pixels whose source lies within the outermost half pixel of the photo, which is continued there."""
    small = Cameras(
        camera.camera_from_world, camera.K - _corner(), WIDTH - 2, HEIGHT - 2, camera.model, camera.distortion
    )
    return ~undistortion_mask(small, pinhole)


def _corner() -> Tensor:
    return torch.tensor([[0.0, 0, 1], [0, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize("name", ["barrel", "fisheye"])
def test_another_k_shows_more_or_less_of_the_same(name: str) -> None:
    photos = _photo(name)
    other = torch.tensor([[110.0, 0, 50], [0, 100, 40], [0, 0, 1]])
    close = undistort_photos(photos, other[None])
    truth = _board(_plane(other))
    assert bool(undistortion_mask(photos.cameras, close.cameras).all())
    assert float((close.image(0) - truth).abs().max()) < 0.07
    torch.testing.assert_close(close.cameras.K[0], other)
    assert float((close.image(0) - _board(_plane(K))).abs().max()) > 0.5


def test_opencv_undistorts_to_the_same_photo() -> None:
    cv2 = pytest.importorskip("cv2")
    generator = np.random.default_rng(0)
    pixels = generator.random((HEIGHT, WIDTH, 3), np.float32)
    whole = K.double().numpy() - _corner().double().numpy() * 0.5  # OpenCV's first pixel is centred at 0
    for name in ("barrel", "pincushion", "rational", "fisheye"):
        model, coefficients = LENSES[name]
        lens = np.array(coefficients)
        if model == "fisheye":
            maps = cv2.fisheye.initUndistortRectifyMap(whole, lens, np.eye(3), whole, (WIDTH, HEIGHT), cv2.CV_32FC1)
        else:
            maps = cv2.initUndistortRectifyMap(whole, lens, None, whole, (WIDTH, HEIGHT), cv2.CV_32FC1)
        theirs = torch.from_numpy(cv2.remap(pixels, *maps, cv2.INTER_LINEAR))
        photos = PosedImages.from_tensors(_cameras(name), torch.from_numpy(pixels)[None])
        ours = undistort_photos(photos)
        inner = ~_near_the_edge(photos.cameras, ours.cameras)
        assert int(inner.sum()) > 0.5 * WIDTH * HEIGHT
        assert _difference(ours.image(0), theirs, inner) < 0.05  # OpenCV rounds places to 1/32 of a pixel
        assert float((ours.image(0) - theirs).abs()[inner].mean()) < 0.006


@pytest.mark.parametrize("name", LENSES)
def test_a_point_of_the_world_is_where_the_undistorted_photo_shows_it(name: str) -> None:
    """A bright spot is painted where the lens projects a point; in the new photo it is where the pinhole projects it."""
    cameras = _cameras(name)
    points = torch.tensor([[0.3, -0.2, 1.0], [-0.9, 0.4, 2.0], [0.1, 0.5, 1.5]])
    for row in range(len(points)):
        spot = points[row : row + 1]
        at = cameras.project(spot).pixels[0, 0]
        away = (pixel_centers(WIDTH, HEIGHT, K) - at).norm(dim=1).reshape(HEIGHT, WIDTH, 1)
        photo = (-((away / 2) ** 2)).exp().expand(HEIGHT, WIDTH, 3)
        straight = undistort_photos(PosedImages.from_tensors(cameras, photo[None]))
        weight = straight.image(0)[..., 0] ** 2
        found = (pixel_centers(WIDTH, HEIGHT, K) * weight.reshape(-1, 1)).sum(0) / weight.sum()
        torch.testing.assert_close(found, straight.cameras.project(spot).pixels[0, 0], atol=0.15, rtol=0)


def test_without_distortion_photos_are_themselves() -> None:
    photos = PosedImages.from_tensors(_cameras(None, 2), torch.rand(2, HEIGHT, WIDTH, 3))
    assert undistort_photos(photos) is photos
    same = undistort_photos(photos, photos.cameras.K)
    torch.testing.assert_close(same.images(), photos.images(), atol=1e-4, rtol=0)
    lens = Cameras(photos.cameras.camera_from_world, photos.cameras.K, WIDTH, HEIGHT, "opencv", torch.zeros(2, 4))
    assert undistort_photos(PosedImages(lens, photos.names, photos.loads)).cameras is lens


def test_each_photo_has_its_own_lens_pose_and_place() -> None:
    lenses = torch.tensor([[0.0, 0, 0, 0], [-0.25, 0.08, 0.004, -0.006]])
    cameras = Cameras(torch.eye(4).repeat(2, 1, 1), K.repeat(2, 1, 1), WIDTH, HEIGHT, "opencv", lenses)
    photo = torch.rand(HEIGHT, WIDTH, 3)
    points = SparsePoints(PointCloud(torch.rand(4, 3)), torch.ones(4, 2, dtype=torch.bool))
    straight = undistort_photos(PosedImages.from_tensors(cameras, torch.stack([photo, photo]), ["a", "b"], points))
    torch.testing.assert_close(straight.image(0), photo, atol=1e-4, rtol=0)
    assert float((straight.image(1) - photo).abs().mean()) > 0.1
    assert straight.names == ("a", "b")
    assert straight.points is points


def test_cameras_in_double_precision_take_photos_in_single() -> None:
    photos = _photo("barrel")
    double = undistort_photos(PosedImages(photos.cameras.to(torch.float64), photos.names, photos.loads))
    torch.testing.assert_close(double.image(0), undistort_photos(photos).image(0), atol=1e-4, rtol=0)


def test_no_photos_are_undistorted_to_none() -> None:
    photos = PosedImages.from_tensors(_cameras("fisheye")[[]], torch.zeros(0, HEIGHT, WIDTH, 3))
    assert undistort_photos(photos).images().shape == (0, HEIGHT, WIDTH, 3)


def test_one_k_a_photo_is_needed() -> None:
    with pytest.raises(ShapeMismatch, match="2 matrices K for 1 photos"):
        undistort_photos(_photo("barrel"), K.repeat(2, 1, 1))


# What the lens does not show


@pytest.mark.parametrize("name", LENSES)
def test_the_mask_is_what_a_white_photo_leaves_white(name: str) -> None:
    white = PosedImages.from_tensors(_cameras(name), torch.ones(1, HEIGHT, WIDTH, 3))
    for factor in (0.2, 0.7, 1.0):
        straight = undistort_photos(
            white, K[None] * torch.tensor([[factor], [factor], [1.0]]) + (1 - factor) * 45 * _corner()
        )
        shown = undistortion_mask(white.cameras, straight.cameras)
        torch.testing.assert_close(straight.image(0), shown[..., None].expand(HEIGHT, WIDTH, 3).float())


def test_a_lens_that_pulls_in_fills_the_frame_and_one_that_pushes_out_leaves_corners() -> None:
    masks = {name: undistortion_mask(_cameras(name), _cameras(None)) for name in ("barrel", "pincushion", "fisheye")}
    assert bool(masks["barrel"].all())
    assert bool(masks["fisheye"].all())
    outside = ~masks["pincushion"]
    assert bool(outside[0, 0] & outside[0, -1] & outside[-1, 0] & outside[-1, -1])
    assert not bool(outside[HEIGHT // 2, WIDTH // 2 - 20 : WIDTH // 2 + 20].any())
    assert 0.01 < float(outside.float().mean()) < 0.4


def test_beyond_where_a_lens_turns_back_nothing_is_mirrored_into_the_photo() -> None:
    """r (1 - 0.3 r^2) grows up to r = 1.054, is back at 0 at 1.826 and negative after."""
    cameras = Cameras(torch.eye(4)[None], K[None], WIDTH, HEIGHT, "opencv", torch.tensor([[-0.3, 0, 0, 0]]))
    wide = torch.tensor([[20.0, 0, 60], [0, 20, 45], [0, 0, 1]])
    straight = undistort_photos(PosedImages.from_tensors(cameras, torch.ones(1, HEIGHT, WIDTH, 3)), wide[None])
    radius = _plane(wide).norm(dim=1).reshape(HEIGHT, WIDTH)
    assert float(radius.max()) > 3
    white = straight.image(0)[..., 0] > 0
    assert bool(white[radius < 0.55].all())
    assert not bool(white[radius > 1.06].any())


# Another size


def test_cameras_shrink_with_their_photos() -> None:
    photos = _photo("barrel")
    small = resize_photos(photos, 60, 30)
    assert (small.cameras.width, small.cameras.height) == (60, 30)
    torch.testing.assert_close(small.image(0), photos.image(0).reshape(30, 3, 60, 2, 3).mean((1, 3)))
    points = torch.tensor([[0.3, -0.2, 1.0], [-0.9, 0.4, 2.0]])
    before, after = photos.cameras.project(points), small.cameras.project(points)
    torch.testing.assert_close(after.pixels, before.pixels * torch.tensor([0.5, 1 / 3]))


def test_a_spot_stays_where_its_point_projects_at_every_size() -> None:
    cameras = _cameras("fisheye")
    spot = torch.tensor([[0.31, -0.22, 1.0]])
    away = (pixel_centers(WIDTH, HEIGHT, K) - cameras.project(spot).pixels[0, 0]).norm(dim=1)
    photo = (-((away / 6) ** 2)).exp().reshape(HEIGHT, WIDTH, 1).expand(HEIGHT, WIDTH, 3)
    for width, height in ((60, 45), (47, 31), (121, 89), (200, 150), (90, 120)):
        resized = resize_photos(PosedImages.from_tensors(cameras, photo[None]), width, height)
        weight = resized.image(0)[..., 0].reshape(-1, 1)
        found = (pixel_centers(width, height, K) * weight).sum(0) / weight.sum()
        torch.testing.assert_close(found, resized.cameras.project(spot).pixels[0, 0], atol=0.02, rtol=0)


def test_photos_of_files_are_resized_from_the_file_and_like_those_in_memory(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    load = LazyPhoto(tmp_path / "a.png")
    lazy = PosedImages(_cameras(None), ("a.png",), (load,))
    known = PosedImages.from_tensors(_cameras(None), lazy.images())
    for size in ((60, 45), (50, 37), (130, 50)):
        assert resize_photos(lazy, *size).loads == (LazyPhoto(tmp_path / "a.png", size=size),)
        torch.testing.assert_close(resize_photos(lazy, *size).image(0), resize_photos(known, *size).image(0))
    twice = resize_photos(resize_photos(lazy, 10, 7), 60, 45)  # nothing is lost on the way
    torch.testing.assert_close(twice.image(0), resize_photos(lazy, 60, 45).image(0))
    assert lazy.image(0).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-3, -3)])
def test_photos_have_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="give a width and a height above 0"):
        resize_photos(_photo("barrel"), *size)


# When it happens


class _Counted:
    """A photo that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> Float[Tensor, "h w 3"]:
        self.reads += 1
        return torch.rand(HEIGHT, WIDTH, 3)


def test_a_photo_is_read_once_and_not_before_it_is_wanted() -> None:
    load = _Counted()
    photos = undistort_photos(resize_photos(PosedImages(_cameras("barrel"), ("a",), (load,)), 40, 30))
    assert load.reads == 0
    first = photos.image(0)
    assert photos.image(0) is first
    assert load.reads == 1


def test_resized_and_undistorted_photos_travel_to_other_processes(tmp_path: Path) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 102, np.uint8)).save(tmp_path / "a.png")
    photos = PosedImages(_cameras("fisheye"), ("a.png",), (LazyPhoto(tmp_path / "a.png"),))
    changed = resize_photos(undistort_photos(resize_photos(photos, 60, 45)), 20, 15)
    again = pickle.loads(pickle.dumps(changed.loads[0]))
    torch.testing.assert_close(again(), torch.full((15, 20, 3), 0.4))


@pytest.mark.parametrize("name", ["barrel", "pincushion", "rational", "fisheye"])
def test_filled_intrinsics_leave_nothing_black_with_the_least_zoom(name: str) -> None:
    cameras = _cameras(name, 2)
    K = filled_intrinsics(cameras)
    assert torch.equal(K[0], K[1])
    assert torch.equal(K[:, :2, 2], cameras.K[:, :2, 2])
    factor = float(K[0, 0, 0] / cameras.K[0, 0, 0])

    def shown(zoom: float) -> bool:
        wanted = cameras.K.clone()
        wanted[:, :2, :2] *= zoom
        pinhole = Cameras(cameras.camera_from_world[:1], wanted[:1], WIDTH, HEIGHT)
        return bool(undistortion_mask(cameras[0], pinhole).all())

    assert shown(factor)
    assert factor == 1 or not shown(1 + 0.99 * (factor - 1))


def test_a_lens_that_no_zoom_fills_keeps_its_intrinsics() -> None:
    cameras = _cameras("barrel")
    assert torch.equal(filled_intrinsics(cameras, most=1.0001), cameras.K)


# Between pixels


def test_samples_are_linear_between_pixel_centres_and_0_far_outside() -> None:
    image = torch.tensor([[[0.0, 10], [1, 20]], [[2, 30], [5, 40]]])
    at = torch.tensor([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.0, 0.5], [1.0, 1.0], [-0.5, 0.5], [0.5, 9.0]])
    expected = torch.tensor([[0.0, 10], [1, 20], [2, 30], [0.5, 15], [2, 25], [0, 0], [0, 0]])
    torch.testing.assert_close(sample_image(image, at), expected)
    torch.testing.assert_close(sample_image(image, at.double().reshape(7, 1, 2)), expected.reshape(7, 1, 2))
    assert sample_image(image, torch.zeros(0, 2)).shape == (0, 2)


def test_samples_have_gradients_to_image_and_place() -> None:
    image = torch.rand(3, 4, 2, dtype=torch.float64, requires_grad=True)
    at = torch.tensor([[1.2, 0.9], [2.7, 2.1]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sample_image, (image, at))
