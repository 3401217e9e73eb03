"""Pictures of answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.data.boxes import Boxes3D
from trisparse.data.point_cloud import PointCloud
from trisparse.pipelines.pictures import PANEL, draw_answers
from trisparse.pipelines.point_renderer import View, render

NONE = Boxes3D.axis_aligned(torch.zeros(0, 3), torch.zeros(0, 3))
BOX = Boxes3D.axis_aligned(torch.tensor([[0.5, 0.5, 0.25]]), torch.tensor([[0.5, 0.5, 0.5]]))


def _room() -> PointCloud:
    rng = np.random.default_rng(0)
    floor = rng.uniform([-2, -2, 0], [2, 2, 0.01], (4000, 3))
    box = rng.uniform([0.25, 0.25, 0], [0.75, 0.75, 0.5], (2000, 3))
    colors = np.concatenate([np.full((4000, 3), 0.7), np.tile([0.1, 0.2, 0.9], (2000, 1))])
    return PointCloud(torch.from_numpy(np.concatenate([floor, box])).float(), torch.from_numpy(colors).float())


def test_a_picture_shows_the_best_box_in_red_and_the_true_one_in_green(tmp_path: Path) -> None:
    path = draw_answers(
        _room(),
        BOX,
        "the blue box",
        tmp_path / "a.png",
        labels=["0.9"],
        truth=Boxes3D.axis_aligned(BOX.centers - 1, BOX.sizes),
    )
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert pixels.shape[1] == 2 * PANEL[0]
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 120) & (pixels[..., 2] < 90)
    green = (pixels[..., 1] > 120) & (pixels[..., 0] < 90) & (pixels[..., 2] < 110)
    for half in (slice(0, PANEL[0]), slice(PANEL[0], None)):
        assert red[100:-60, half].sum() > 200
        assert green[100:-60, half].sum() > 100


def test_the_same_answer_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (draw_answers(_room(), BOX, "x", tmp_path / f"{n}.png").read_bytes() for n in "ab")
    assert first == second


@pytest.mark.parametrize("n", [1, 2, 0])
def test_hardly_any_points_and_no_box_still_give_a_picture(tmp_path: Path, n: int) -> None:
    cloud = PointCloud(torch.zeros(n, 3))
    assert draw_answers(cloud, NONE, "a " * 400, tmp_path / "a.png").is_file()


def test_nearer_points_hide_farther_ones() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [2.0, 2.0, 0.0], [-2.0, -2.0, 0.0]])
    colors = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, 0, 1.0]])
    view = View.from_above(points, 101, 101)
    picture = render(points, colors, view, 0.05).image
    assert picture[50, 50].argmax() == 1, "the point above"
    x, y, _ = view.project(points[2:3])
    assert (x[0] > 51) & (y[0] < 50), "x to the right, y upwards"


def test_every_corner_of_the_scene_is_in_the_perspective_picture() -> None:
    points = np.random.default_rng(0).uniform([-3, -1, 0], [3, 1, 2], (500, 3))
    view = View.perspective(points, 0.7, 0.7, 200, 150)
    x, y, depth = view.project(points)
    assert depth.min() > 0
    assert ((x > 0) & (x < 200) & (y > 0) & (y < 150)).all()
