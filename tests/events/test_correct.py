"""Lens distortion taken out of events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.distortion import Model
from trisparse.data.event_camera import EventCamera
from trisparse.data.event_stream import EventStream
from trisparse.events.correct import undistort_events

from tests.events.thread_counts import threads

BACKENDS = ["numba", "numpy"]
RATIONAL = (-0.3, 0.12, 0.001, -0.0005, 0.01, 0.05, -0.01, 0.002)
FISHEYE = (-0.03, 0.012, -0.009, 0.002)


def camera(model: Model, distortion: tuple[float, ...], *, width: int = 64, height: int = 48) -> EventCamera:
    """A camera with a wide lens and a little skew."""
    K = torch.tensor([[0.6 * width, 0.4, 0.49 * width], [0, 0.61 * width, 0.52 * height], [0, 0, 1]]).double()
    return EventCamera(K, width, height, model, torch.tensor(distortion, dtype=torch.float64))


def events_at(x: np.ndarray, y: np.ndarray, *, width: int = 64, height: int = 48) -> EventStream:
    """Events at some pixels, all at one time."""
    return EventStream.from_arrays(x, y, np.zeros(len(x), np.int64), x > 0, height=height, width=width)


def everywhere(width: int = 64, height: int = 48) -> EventStream:
    """An event at every pixel."""
    y, x = np.mgrid[:height, :width]
    return events_at(x.ravel(), y.ravel(), width=width, height=height)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lens", ["plumb_bob", "plumb_bob_strong", "equidistant"])
def test_the_original_s_positions_are_found(backend: str, lens: str, shared: Path) -> None:
    with np.load(shared / "oracles" / "enerf" / "undistortion.npz") as file:
        K, raw, coefficients = file["intrinsics"], file["raw_position"], file[f"{lens}_params"]
        known = file[f"{lens}_position"]
    matrix = torch.from_numpy(K).double() + torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    model = "fisheye" if lens == "equidistant" else "opencv"
    seen = EventCamera(matrix, 640, 480, model, torch.from_numpy(coefficients).double())
    events = events_at(*raw.T, width=640, height=480)
    found = undistort_events(events, seen, backend=backend)
    # Both are float32, ours half a pixel further: a few roundings of numbers up to 1275.
    np.testing.assert_allclose(found - 0.5, known, rtol=0, atol=2e-4)


@pytest.mark.parametrize("lens", [("opencv", RATIONAL), ("fisheye", FISHEYE)])
def test_the_table_of_all_pixels_gives_what_each_event_gives_alone(lens: tuple[Model, tuple[float, ...]]) -> None:
    seen, events = camera(*lens), everywhere()
    fast, plain = (undistort_events(events, seen, backend=backend) for backend in BACKENDS)
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-5, equal_nan=True)
    some = events[::7]
    np.testing.assert_array_equal(undistort_events(some, seen), fast[::7])
    assert undistort_events(events[:0], seen).shape == (0, 2)
    np.testing.assert_array_equal(undistort_events(events[5:6], seen), fast[5:6])


def test_the_number_of_threads_changes_nothing() -> None:
    found = []
    for n in (1, 2):
        with threads(n):
            found.append(undistort_events(everywhere(), camera("opencv", RATIONAL), backend="numba"))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("lens", [("opencv", (-0.05, 0.01, 2e-4, -1e-4)), ("fisheye", FISHEYE)])
def test_a_mild_lens_is_inverted_alike_by_both_methods(lens: tuple[Model, tuple[float, ...]]) -> None:
    seen, events = camera(*lens), everywhere()
    usual, exact = undistort_events(events, seen), undistort_events(events, seen, method="exact")
    np.testing.assert_allclose(usual, exact, rtol=0, atol=2e-3)


def test_the_exact_inverse_leads_back_to_the_pixels() -> None:
    seen, events = camera("opencv", RATIONAL), everywhere()
    pixels = torch.from_numpy(undistort_events(events, seen, method="exact")).double()
    there = pixels.isfinite().all(1)
    assert there.float().mean() > 0.95
    rays = torch.linalg.solve(seen.K[:2, :2], (pixels[there] - seen.K[:2, 2]).mT).mT
    points = torch.nn.functional.pad(rays, (0, 1), value=1.0)
    at = seen.cameras(torch.eye(4, dtype=torch.float64)[None]).project(points).pixels[0]
    wanted = np.stack([events.x, events.y], 1)[there.numpy()] + 0.5
    np.testing.assert_allclose(at, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pixels_beyond_90_degrees_of_a_fisheye_lens_are_not_numbers(backend: str) -> None:
    K = torch.tensor([[20.0, 0, 50], [0, 20, 50], [0, 0, 1]]).double()
    seen = EventCamera(K, 100, 100, "fisheye", torch.zeros(4, dtype=torch.float64))
    events = everywhere(100, 100)
    found = undistort_events(events, seen, backend=backend)
    distance = np.hypot(events.x + 0.5 - 50, events.y + 0.5 - 50)
    np.testing.assert_array_equal(np.isnan(found[:, 0]), distance / 20 >= np.pi / 2)
    near = distance / 20 < 1.2
    scale = np.tan(distance[near] / 20) / (distance[near] / 20)
    np.testing.assert_allclose(found[near, 0], 50 + (events.x[near] + 0.5 - 50) * scale, rtol=0, atol=1e-4)


def test_without_distortion_pixel_centres_stay() -> None:
    events = everywhere()
    found = undistort_events(events, camera("pinhole", ()))
    np.testing.assert_array_equal(found, np.stack([events.x, events.y], 1) + 0.5)


def test_another_sensor_or_method_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="sensor of 64 x 48 pixels and a camera of 32 x 48"):
        undistort_events(everywhere(), camera("opencv", RATIONAL, width=32))
    with pytest.raises(InvalidInput, match="no way 'newton' to undistort"):
        undistort_events(everywhere(), camera("opencv", RATIONAL), method="newton")
