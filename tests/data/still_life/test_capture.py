from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import InvalidInput
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.camera_json import read_camera_json
from trisparse.data.readers.nerfstudio import read_transforms
from trisparse.data.readers.photos import read_photos
from trisparse.data.still_life.capture import FeatureConfig, capture, write_still_life
from trisparse.data.still_life.casting import nearest_hits
from trisparse.data.still_life.rigs import Lens, arc, usual_cameras
from trisparse.data.still_life.scene import StillLife, make_still_life

LENS = Lens(128, 96)
EXACT = FeatureConfig(600, noise_px=0.0)


@pytest.fixture(scope="module", params=["table", "object", "courtyard"])
def scene(request: pytest.FixtureRequest) -> StillLife:
    """One of each kind."""
    return make_still_life(2, request.param)


@pytest.fixture(scope="module")
def exact(scene: StillLife) -> PosedImages:
    """Four photos, and points without noise."""
    return capture(scene, arc(scene, 4, LENS, angle=0.6), samples_per_pixel=1, features=EXACT)


def test_points_lie_on_surfaces_and_are_seen_where_it_is_said(scene: StillLife, exact: PosedImages) -> None:
    assert exact.points is not None
    points, visible = exact.points.cloud.points.double(), exact.points.visible
    assert len(points) == 600
    assert visible.sum(1).min() >= 2
    inside = exact.cameras.project(points).inside.T
    for view in range(4):
        center = exact.cameras.centers[view]
        way = points[visible[:, view]] - center
        hits = nearest_hits(scene.arrays[0], center[None].numpy(), way.contiguous().numpy())
        np.testing.assert_allclose(hits.distance, 1, atol=1e-5)  # nothing before them, and the surface there
    assert inside[visible].all()
    assert not visible.all()


def test_points_have_the_colours_of_the_photos(exact: PosedImages) -> None:
    assert exact.points is not None
    assert exact.points.cloud.colors is not None
    images, off = exact.images(), []
    for view in range(4):
        rows = exact.points.visible[:, view]
        pixels = exact.cameras.project(exact.points.cloud.points.double()).pixels[view, rows].long()
        off.append((images[view, pixels[:, 1], pixels[:, 0]] - exact.points.cloud.colors[rows]).abs().mean(1))
    assert torch.cat(off).median() < 0.06


def test_points_are_where_there_is_contrast(scene: StillLife, exact: PosedImages) -> None:
    assert exact.points is not None
    gray = exact.image(0).mean(-1)
    steep = torch.zeros_like(gray)
    steep[1:-1, 1:-1] = torch.minimum(
        (gray[1:-1, 2:] - gray[1:-1, :-2]).abs(), (gray[2:, 1:-1] - gray[:-2, 1:-1]).abs()
    )
    rows = exact.points.visible[:, 0]
    pixels = exact.cameras[0].project(exact.points.cloud.points.double()).pixels[0, rows].long()
    assert steep[pixels[:, 1], pixels[:, 0]].mean() > 1.5 * steep[gray < 0.999].mean()


def test_noise_displaces_points_by_about_as_many_pixels(scene: StillLife) -> None:
    """Across the rays: along them it may be more, which other views see."""
    cameras = arc(scene, 4, LENS, angle=0.6)
    features = FeatureConfig(600, noise_px=0.5)
    noisy = capture(scene, cameras, samples_per_pixel=1, features=features).points
    exact = capture(scene, cameras, samples_per_pixel=1, features=EXACT).points
    assert noisy is not None
    assert exact is not None
    assert torch.equal(noisy.visible, exact.visible)
    moved = cameras.project(noisy.cloud.points.double()).pixels - cameras.project(exact.cloud.points.double()).pixels
    size = moved.norm(dim=-1).T[exact.visible]
    assert 0.4 < size.median() < 2.0
    assert (noisy.cloud.points - exact.cloud.points).norm(dim=1).median() > 0


def test_the_sky_has_no_points() -> None:
    scene = make_still_life(2, "courtyard")
    points = capture(scene, usual_cameras(scene, 3, LENS), samples_per_pixel=1, features=EXACT).points
    assert points is not None
    assert points.cloud.points.norm(dim=1).max() < 40


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_photos_give_no_points(n: int) -> None:
    scene = make_still_life(2, "object")
    taken = capture(scene, usual_cameras(scene, n, LENS), samples_per_pixel=1)
    assert len(taken) == n
    assert taken.points is not None
    assert taken.points.visible.shape == (0, n)


def test_the_seed_decides_which_points_and_never_the_photos() -> None:
    scene = make_still_life(2, "object")
    cameras = arc(scene, 3, LENS)
    first, again, other = (
        capture(scene, cameras, samples_per_pixel=1, features=FeatureConfig(50), seed=seed) for seed in (1, 1, 2)
    )
    assert first.points is not None
    assert again.points is not None
    assert other.points is not None
    assert torch.equal(first.points.cloud.points, again.points.cloud.points)
    assert not torch.equal(first.points.cloud.points, other.points.cloud.points)
    assert torch.equal(first.images(), other.images())


@pytest.mark.parametrize("layout", ["cameras.json", "transforms.json"])
def test_what_is_written_is_read_again(scene: StillLife, layout: str, tmp_path: Path) -> None:
    taken = write_still_life(tmp_path, scene, arc(scene, 3, LENS), layout=layout, features=FeatureConfig(100))
    read = read_camera_json if layout == "cameras.json" else read_transforms
    back = read(tmp_path / layout, background=(255, 255, 255))
    assert back.names == taken.names
    poses = taken.cameras.camera_from_world
    torch.testing.assert_close(back.cameras.camera_from_world.double(), poses, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(back.cameras.K.double(), taken.cameras.K, atol=1e-4, rtol=1e-6)
    torch.testing.assert_close(back.images(), taken.images(), atol=1.6 / 255, rtol=0)
    assert back.points is not None
    assert taken.points is not None
    torch.testing.assert_close(back.points.cloud.points, taken.points.cloud.points)
    assert layout != "cameras.json" or torch.equal(back.points.visible, taken.points.visible)
    with Image.open(tmp_path / "images" / "000.png") as image:
        assert image.mode == ("RGB" if scene.has_backdrop else "RGBA")


@pytest.mark.parametrize("layout", ["cameras.json", "transforms.json"])
def test_photos_without_points_are_written_without_them(layout: str, tmp_path: Path) -> None:
    scene = make_still_life(2, "object")
    write_still_life(tmp_path, scene, usual_cameras(scene, 1, LENS), layout=layout, samples_per_pixel=1)
    back = read_photos(tmp_path)
    assert (len(back), back.points) == (1, None)


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    scene = make_still_life(2, "object")
    with pytest.raises(InvalidInput, match=r"choose from cameras\.json"):
        write_still_life(tmp_path, scene, usual_cameras(scene, 1, LENS), layout="colmap")
