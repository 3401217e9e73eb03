"""The sphere behind everything."""

from __future__ import annotations

import torch
from trisparse.data.cameras import Cameras
from trisparse.rendering.backdrop import BackdropConfig, backdrop
from trisparse.rendering.features import Views

from .fit_scenes import photos_of

POINTS = torch.tensor([[0.0, 3.0, 0.0], [1.0, 2.5, 0.2]])


def _camera(turn: float = 0.0) -> Cameras:
    K = torch.tensor([[[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]])
    target = torch.tensor([[torch.sin(torch.tensor(turn)), torch.cos(torch.tensor(turn)), 0.0]])
    return Cameras.looking_at(torch.zeros(1, 3), target[0], K, width=64, height=48)


def _photo() -> torch.Tensor:
    """Red on the left, blue on the right."""
    photo = torch.zeros(1, 48, 64, 3)
    photo[:, :, :32, 0] = 1
    photo[:, :, 32:, 2] = 1
    return photo


def test_a_photo_is_shown_again_blurred_from_where_it_was_taken() -> None:
    made = backdrop(Views(_photo(), _camera()), POINTS, BackdropConfig())
    shown = photos_of(made, _camera()).image(0)
    torch.testing.assert_close(shown[8:40, 4:22], _photo()[0, 8:40, 4:22], atol=0.1, rtol=0)
    torch.testing.assert_close(shown[8:40, 42:60], _photo()[0, 8:40, 42:60], atol=0.1, rtol=0)


def test_beside_a_photo_its_margin_goes_on() -> None:
    made = backdrop(Views(_photo(), _camera()), POINTS, BackdropConfig())
    beside = photos_of(made, _camera(turn=0.45)).image(0)[8:40, 24:54]
    assert float(beside[..., 2].min()) > 0.9
    assert float(beside[..., :2].max()) < 0.1


def test_it_stands_behind_all_points_and_not_where_no_photo_looks() -> None:
    made = backdrop(Views(_photo(), _camera()), POINTS, BackdropConfig(distance=2.0, reach=0.3))
    torch.testing.assert_close(made.means.norm(dim=1), made.means.norm(dim=1).mean().expand(len(made)))
    assert float(made.means.norm(dim=1).min()) > 1.9 * float(POINTS.norm(dim=1).median())
    assert float(made.means[:, 1].min()) > 0
    behind = photos_of(made, _camera(turn=3.1)).image(0)
    assert float(behind.max()) < 0.01


def test_photos_that_show_a_direction_say_more_of_it_than_others() -> None:
    first, second = _camera(), _camera(turn=1.2)
    both = Cameras(
        torch.cat([first.camera_from_world, second.camera_from_world]), torch.cat([first.K, second.K]), 64, 48
    )
    photos = torch.stack([torch.zeros(48, 64, 3), torch.ones(48, 64, 3)])
    made = backdrop(Views(photos, both), POINTS, BackdropConfig())
    assert float(photos_of(made, first).image(0)[16:32, 20:44].max()) < 0.05
    assert float(photos_of(made, second).image(0)[16:32, 20:44].min()) > 0.9
