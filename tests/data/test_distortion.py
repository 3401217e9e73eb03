"""Lenses and their inverses: there and back, far off the axis, where they turn back, and against OpenCV."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from trisparse.data.distortion import PARAMETERS, Model, distort, reach, undistort

LENSES: list[tuple[Model, tuple[float, ...]]] = [
    ("opencv", (-0.31, 0.12, 1e-3, -2e-3, -0.02, 0, 0, 0)),  # a wide-angle lens that turns back
    ("opencv", (0.25, 0.1, -2e-3, 1e-3, 0.01, 0, 0, 0)),  # pincushion
    ("opencv", (0.9, 0.4, 1e-4, 2e-4, 0.02, 1.2, 0.7, 0.1)),  # rational
    ("opencv", (0, 0, 0, 0, 0, 0, 0, 0)),
    ("fisheye", (0, 0, 0, 0)),
    ("fisheye", (0.03, -0.01, 4e-3, -1e-3)),
    ("fisheye", (-0.2, 0.01, 0, 0)),  # turns back
]


def _lens(values: tuple[float, ...]) -> Float[Tensor, "d"]:
    return torch.tensor(values, dtype=torch.float64)


def _directions(farthest_degrees: float) -> Float[Tensor, "n 2"]:
    """Points of the plane z = 1, all around, up to an angle from the axis."""
    radius = torch.tan(torch.deg2rad(torch.linspace(0, farthest_degrees, 60, dtype=torch.float64)))
    turn = torch.linspace(0, 2 * math.pi, 13, dtype=torch.float64)
    return torch.stack([radius[:, None] * turn.cos(), radius[:, None] * turn.sin()], -1).reshape(-1, 2)


@pytest.mark.parametrize(("model", "values"), LENSES)
def test_there_and_back_up_to_where_the_lens_turns(model: Model, values: tuple[float, ...]) -> None:
    lens = _lens(values)
    limit = math.degrees(math.atan(reach(model, lens)))
    xy = _directions(0.97 * min(limit, 88.0))
    back, exists = undistort(distort(xy, model, lens), model, lens)
    assert bool(exists.all())
    torch.testing.assert_close(back, xy, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("model", "values"), [LENSES[0], LENSES[6]])
def test_the_reach_is_where_the_radius_stops_to_grow(model: Model, values: tuple[float, ...]) -> None:
    """A brute search along one axis, of the lens without its tangential part."""
    lens = _lens(values)
    if model == "opencv":
        lens[2:4] = 0
    x = torch.linspace(0, 20, 200_001, dtype=torch.float64)
    radius = distort(torch.stack([x, torch.zeros_like(x)], 1), model, lens)[:, 0]
    first = int((radius.diff() <= 0).nonzero()[0])
    assert reach(model, lens) == pytest.approx(float(x[first]), abs=2e-4)


def test_lenses_that_never_turn_back_reach_everywhere() -> None:
    assert reach("pinhole", torch.zeros(0)) == math.inf
    assert reach("fisheye", torch.zeros(4)) == math.inf
    assert reach("opencv", torch.zeros(8)) == math.inf
    assert reach("opencv", _lens(LENSES[1][1])) == math.inf


def test_a_pole_of_the_rational_lens_ends_its_reach() -> None:
    lens = _lens((0, 0, 0, 0, 0, -0.25, 0, 0))  # 1 / (1 - r^2 / 4)
    assert reach("opencv", lens) == pytest.approx(2)
    back, exists = undistort(distort(_directions(60), "opencv", lens), "opencv", lens)
    assert bool(exists.all())
    torch.testing.assert_close(back, _directions(60), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("model", "values"), [LENSES[0], LENSES[6]])
def test_points_that_the_lens_never_reaches_have_no_ray(model: Model, values: tuple[float, ...]) -> None:
    lens = _lens(values)
    edge = distort(torch.tensor([[reach(model, lens), 0]], dtype=torch.float64), model, lens)
    outside, exists = undistort(torch.cat([1.1 * edge, 5 * edge, 1e3 * edge]), model, lens)
    assert not bool(exists.any())
    assert outside.tolist() == [[0, 0]] * 3


def test_the_inner_of_two_rays_is_the_one_that_the_lens_shows() -> None:
    lens = _lens((-0.3, 0, 0, 0, 0, 0, 0, 0))
    far = torch.tensor([[1.7, 0.0]], dtype=torch.float64)  # beyond the turn at 1.054
    back, exists = undistort(distort(far, "opencv", lens), "opencv", lens)
    assert bool(exists.all())
    assert 0 < float(back[0, 0]) < reach("opencv", lens)
    torch.testing.assert_close(distort(back, "opencv", lens), distort(far, "opencv", lens))


@pytest.mark.parametrize("model", list(PARAMETERS))
def test_no_points_and_other_precisions_are_ordinary(model: Model) -> None:
    lens = torch.zeros(PARAMETERS[model])
    nothing, exists = undistort(torch.zeros(0, 2), model, lens)
    assert nothing.shape == (0, 2)
    assert exists.shape == (0,)
    assert distort(torch.zeros(0, 2), model, lens).shape == (0, 2)
    single, exists = undistort(torch.tensor([[0.1, 0.2]]), model, lens)
    assert single.dtype == torch.float32
    assert bool(exists.all())
    grid = distort(torch.zeros(3, 4, 2), model, lens)
    assert grid.tolist() == torch.zeros(3, 4, 2).tolist()


@pytest.mark.parametrize(("model", "values"), LENSES)
def test_gradients_are_those_of_central_differences(model: Model, values: tuple[float, ...]) -> None:
    xy = torch.tensor([[0.3, -0.2], [0.0, 0.4], [-0.6, -0.5]], dtype=torch.float64, requires_grad=True)
    lens = _lens(values).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: distort(a, model, b), (xy, lens))


def test_the_gradient_on_the_axis_of_a_fisheye_is_finite() -> None:
    xy = torch.zeros(1, 2, requires_grad=True)
    distort(xy, "fisheye", torch.tensor([0.1, 0.0, 0.0, 0.0])).sum().backward()
    assert xy.grad is not None
    torch.testing.assert_close(xy.grad, torch.ones(1, 2))


@pytest.mark.parametrize(("model", "values"), LENSES)
def test_opencv_distorts_the_same(model: Model, values: tuple[float, ...]) -> None:
    cv2: Any = pytest.importorskip("cv2")
    xy = _directions(70)
    points = torch.cat([xy, torch.ones(len(xy), 1, dtype=torch.float64)], 1).numpy()[:, None]
    zero, lens = np.zeros(3), np.array(values, np.float64)
    project = cv2.fisheye.projectPoints if model == "fisheye" else cv2.projectPoints
    theirs, _ = project(points, zero, zero, np.eye(3), lens)
    ours = distort(xy, model, _lens(values))
    torch.testing.assert_close(ours, torch.from_numpy(theirs.reshape(-1, 2)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("model", "values"), LENSES)
def test_opencv_undistorts_the_same(model: Model, values: tuple[float, ...]) -> None:
    cv2: Any = pytest.importorskip("cv2")
    bent = distort(_directions(35), model, _lens(values))
    ours, exists = undistort(bent, model, _lens(values))
    assert bool(exists.all())
    points, lens = bent.numpy()[:, None], np.array(values, np.float64)
    precise = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    if model == "fisheye":
        theirs = cv2.fisheye.undistortPoints(points, np.eye(3), lens, criteria=precise)
    else:
        iterate = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)  # its name in OpenCV 4
        theirs = iterate(points, np.eye(3), lens, R=None, P=None, criteria=precise)
    torch.testing.assert_close(ours, torch.from_numpy(theirs.reshape(-1, 2)), rtol=1e-6, atol=1e-7)
