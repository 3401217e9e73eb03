from __future__ import annotations

import math

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.data.still_life.rigs import (
    Lens,
    arc,
    forward_facing,
    orbit,
    random_views,
    ring_around,
    usual_cameras,
)
from trisparse.data.still_life.scene import StillLife, make_still_life

RIGS = (forward_facing, arc, orbit, ring_around, random_views, usual_cameras)


@pytest.fixture(scope="module")
def scene() -> StillLife:
    """An object, around which cameras stand."""
    return make_still_life(3, "object")


def away(scene: StillLife, cameras: Cameras) -> torch.Tensor:
    """Unit vectors from the centre to the cameras."""
    return torch.nn.functional.normalize(cameras.centers - torch.tensor(scene.center).double(), dim=-1)


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_each_rig_gives_as_many_cameras_as_asked_that_see_the_centre_in_the_middle(
    scene: StillLife, rig: object, n: int
) -> None:
    cameras = rig(scene, n, Lens(64, 48))  # type: ignore[operator]
    assert len(cameras) == n
    there = cameras.project(torch.tensor([scene.center]).double())
    torch.testing.assert_close(there.pixels[:, 0], torch.tensor([[32.0, 24.0]]).double().expand(n, 2))
    assert (there.depth_z > 0).all()
    assert (cameras.camera_from_world[:, 1, 2] < 0).all()  # upright


def test_cameras_in_front_stand_in_rows_of_a_plane(scene: StillLife) -> None:
    centers = forward_facing(scene, 12, Lens(64, 48)).centers
    from_middle = centers - centers.mean(0)
    spread = torch.linalg.svdvals(from_middle)
    assert spread[2] < 1e-9
    rows = centers.reshape(3, 4, 3)
    torch.testing.assert_close(rows[..., 2], rows[:, :1, 2].expand(3, 4))
    assert (rows[1:, :, 2] > rows[:-1, :, 2]).all()
    middle = torch.tensor(scene.center).double() + scene.distance * torch.tensor(
        [
            math.cos(scene.front) * math.cos(scene.elevation),
            math.sin(scene.front) * math.cos(scene.elevation),
            math.sin(scene.elevation),
        ]
    )
    torch.testing.assert_close(centers.mean(0), middle)


def test_a_row_runs_from_left_to_right(scene: StillLife) -> None:
    cameras = forward_facing(scene, 4, Lens(64, 48))
    right = cameras.camera_from_world[0, 0, :3]
    assert (cameras.centers[1] - cameras.centers[0]) @ right > 0
    turned = arc(scene, 3, Lens(64, 48))
    assert (turned.centers[2] - turned.centers[0]) @ turned.camera_from_world[1, 0, :3] > 0


def test_an_arc_spans_its_angle(scene: StillLife) -> None:
    ways = away(scene, arc(scene, 5, angle=1.2))
    flat = torch.nn.functional.normalize(ways[:, :2], dim=1)
    assert torch.arccos(flat[0] @ flat[-1]).item() == pytest.approx(1.2)
    torch.testing.assert_close(ways[:, 2].asin(), torch.full((5,), scene.elevation).double())


@pytest.mark.parametrize("rig", [orbit, random_views])
def test_cameras_around_cover_their_band_evenly(scene: StillLife, rig: object) -> None:
    ways = away(scene, rig(scene, 400, elevations=(0.2, 0.9)))  # type: ignore[operator]
    elevation = ways[:, 2].asin()
    assert elevation.min() > 0.2 - 1e-9
    assert elevation.max() < 0.9 + 1e-9
    quarters = torch.bincount((2 * (ways[:, 0] > 0).long() + (ways[:, 1] > 0)), minlength=4)
    assert quarters.min() > 70
    half = math.asin((math.sin(0.2) + math.sin(0.9)) / 2)
    assert 150 < (elevation > half).sum() < 250


def test_random_views_keep_to_their_part_and_follow_the_seed(scene: StillLife) -> None:
    cameras = random_views(scene, 50, seed=4, angle=0.5)
    front = torch.tensor([math.cos(scene.front), math.sin(scene.front)]).double()
    flat = torch.nn.functional.normalize(away(scene, cameras)[:, :2], dim=1)
    assert torch.arccos(flat @ front).max() <= 0.25 + 1e-9
    again, other = random_views(scene, 50, seed=4, angle=0.5), random_views(scene, 50, seed=5, angle=0.5)
    assert torch.equal(cameras.centers, again.centers)
    assert not torch.equal(cameras.centers, other.centers)


def test_a_spiral_goes_outwards(scene: StillLife) -> None:
    centers = forward_facing(scene, 40, path="spiral").centers
    reach = (centers - centers[0]).norm(dim=1)
    assert reach[30:].mean() > 1.5 * reach[1:10].mean()


def test_a_lens_is_what_its_cameras_have(scene: StillLife) -> None:
    lens = Lens(80, 60, field_of_view=math.pi / 2, model="opencv", distortion=(0.1, -0.2))
    cameras = arc(scene, 2, lens)
    assert (cameras.width, cameras.height, cameras.model) == (80, 60, "opencv")
    torch.testing.assert_close(cameras.K[0].diagonal(), torch.tensor([40.0, 40.0, 1.0]).double())
    assert cameras.distortion[1].tolist() == [0.1, -0.2, 0, 0, 0, 0, 0, 0]


def test_wrong_angles_and_paths_are_refused(scene: StillLife) -> None:
    with pytest.raises(InvalidInput, match="between 0 and pi"):
        Lens(field_of_view=3.2)
    with pytest.raises(InvalidInput, match="grid or spiral"):
        forward_facing(scene, 3, path="circle")
