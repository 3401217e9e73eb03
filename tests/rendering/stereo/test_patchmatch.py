"""Slanted windows: planes are found, kept at other sizes, and the same from any number of threads."""

from __future__ import annotations

import numba
import pytest
import torch
from torch import Tensor
from trisparse.data.cameras import Cameras
from trisparse.rendering.stereo.fusion import unproject
from trisparse.rendering.stereo.patchmatch import Photos, PixelPlanes, SearchConfig, search
from trisparse.rendering.stereo.warping import PairWarp

from tests.rendering.warp_scenes import plane_depth, tilted_pair

WIDTH, HEIGHT = 72, 54


def _pair() -> Cameras:
    """Two cameras before a tilted plane, in one batch."""
    first, second = tilted_pair()
    poses = torch.cat([first.camera_from_world, second.camera_from_world])
    return Cameras(poses, torch.cat([first.K, second.K]), first.width, first.height).resized(WIDTH, HEIGHT)


def _grey(points: Tensor) -> Tensor:
    """A texture of the world, 0..1, as fine as a few pixels."""
    x, _, z = points.unbind(-1)
    waves = (23 * x + 9 * z).sin() + (17 * z - 31 * x).cos() + (12 * z + 41 * x).sin()
    return (0.5 + waves / 6).float()


def _photos() -> tuple[Photos, Tensor]:
    """Both photos of the plane, and its exact inverse depth in the first."""
    cameras = _pair()
    depth_z = torch.stack([plane_depth(cameras[i]) for i in range(2)])
    grey = _grey(unproject(cameras, depth_z))
    photos = Photos(grey[0], [grey[1]], [PairWarp.between(cameras, 0, 1)], float(cameras.K[0, 0, 0]))
    return photos, (1 / depth_z[0]).float()


def _search(rounds: int = 3, config: SearchConfig | None = None) -> tuple[PixelPlanes, Tensor]:
    photos, exact = _photos()
    middle = float(exact.mean())
    start = PixelPlanes.through(torch.full((HEIGHT, WIDTH), middle), photos.focal)
    limits = (0.7 * middle, 1.4 * middle)
    return search(photos, start, limits, reach=0.2 * middle, rounds=rounds, config=config), exact


def test_a_tilted_plane_is_found_with_its_slope() -> None:
    found, exact = _search()
    assert float(exact.max() / exact.min()) > 1.15  # the start is wrong almost everywhere
    seen = found.similarity > 0.9
    assert float(seen.float().mean()) > 0.75
    error = ((found.inverse_depth - exact).abs() / exact)[seen]
    assert float(error.median()) < 0.004
    assert float(error.quantile(0.9)) < 0.012
    right, down = (float((exact.roll(-1, dim) - exact)[:-1, :-1].median()) for dim in (1, 0))
    steepest = float(exact.mean()) / _photos()[0].focal
    assert float(found.planes[..., 1][seen].median()) == pytest.approx(right, abs=0.1 * steepest)
    assert float(found.planes[..., 2][seen].median()) == pytest.approx(down, abs=0.1 * steepest)


def test_more_rounds_are_not_worse_and_planes_stay_within_the_limits() -> None:
    once, exact = _search(1)
    thrice, _ = _search(3)
    assert float(thrice.similarity.mean()) > float(once.similarity.mean())
    assert float(thrice.inverse_depth.min()) >= 0.7 * float(exact.mean()) - 1e-6
    assert float(thrice.inverse_depth.max()) <= 1.4 * float(exact.mean()) + 1e-6


def test_what_no_other_photo_shows_has_the_least_similarity() -> None:
    photos, exact = _photos()
    way = photos.ways[0]
    behind = PairWarp(-way.at_infinity, -way.epipole)  # a camera that looks the other way
    start = PixelPlanes.through(exact, photos.focal)
    found = search(
        Photos(photos.reference, photos.sources, [behind], photos.focal), start, (0.1, 9.0), reach=0.1, rounds=1
    )
    assert bool((found.similarity == -1).all())
    torch.testing.assert_close(found.inverse_depth, exact)


def test_the_same_bits_come_from_any_number_of_threads_and_the_start_is_not_changed() -> None:
    photos, exact = _photos()
    start = PixelPlanes.through(exact * 1.05, photos.focal)
    before = start.planes.clone()
    most, found = numba.get_num_threads(), []
    try:
        for threads in (1, most):
            numba.set_num_threads(threads)
            found.append(search(photos, start, (0.1, 2.0), reach=0.1, rounds=2))
    finally:
        numba.set_num_threads(most)
    assert torch.equal(found[0].planes, found[1].planes)
    assert torch.equal(found[0].similarity, found[1].similarity)
    assert torch.equal(start.planes, before)


def test_planes_through_a_map_follow_it_and_are_not_steeper_than_63_degrees() -> None:
    x, y = torch.arange(30.0), torch.arange(20.0)[:, None]
    inverse_depth = 0.5 + 0.002 * x - 0.001 * y
    planes = PixelPlanes.through(inverse_depth, focal=50.0).planes
    torch.testing.assert_close(planes[..., 0], inverse_depth)
    torch.testing.assert_close(planes[5:-5, 5:-5, 1], torch.full((10, 20), 0.002), atol=1e-5, rtol=0)
    torch.testing.assert_close(planes[5:-5, 5:-5, 2], torch.full((10, 20), -0.001), atol=1e-5, rtol=0)
    cliff = torch.cat([torch.full((20, 15), 0.1), torch.full((20, 15), 5.0)], 1)
    steep = PixelPlanes.through(cliff, focal=50.0).planes
    assert bool((steep[..., 1:].abs() <= 2 * cliff[..., None] / 50 + 1e-6).all())


@pytest.mark.parametrize("size", [(40, 60), (39, 59), (41, 60), (20, 30)])
def test_a_plane_is_the_same_plane_at_another_size(size: tuple[int, int]) -> None:
    def plane(height: int, width: int) -> Tensor:
        x = (torch.arange(width) + 0.5) / width
        y = ((torch.arange(height) + 0.5) / height)[:, None]
        w = 0.5 + 0.2 * x - 0.1 * y
        return torch.stack([w, torch.full_like(w, 0.2 / width), torch.full_like(w, -0.1 / height)], -1)

    coarse = PixelPlanes(plane(20, 30), torch.rand(20, 30, generator=torch.Generator().manual_seed(0)))
    finer = coarse.enlarged(*size)
    torch.testing.assert_close(finer.planes, plane(*size))
    assert finer.similarity.shape == size
