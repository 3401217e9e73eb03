"""Correlation of windows: against loops, by hand, and where it is greatest."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from trisparse.rendering.stereo.similarity import Windows, best_half, box_mean, sweep
from trisparse.rendering.stereo.warping import PairWarp

from tests.rendering.sweep_scenes import side_by_side, texture


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 9])
def test_means_are_over_what_there_is_of_a_window(radius: int) -> None:
    values = torch.rand(2, 7, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = box_mean(values, radius)
    for y in range(7):
        for x in range(11):
            window = values[:, max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            torch.testing.assert_close(found[:, y, x], window.mean((1, 2)))


def test_brightness_and_contrast_do_not_matter_and_a_negative_is_the_opposite() -> None:
    image = texture(20, 30)
    windows = Windows.of(image, 3)
    others = torch.stack([image, 0.5 * image + 0.3, 1 - image, texture(20, 30, 1), torch.full_like(image, 0.7)])
    same, paler, negative, other, even = windows.correlation(others)
    assert float(same.min()) > 0.99
    assert float(paler.min()) > 0.98
    assert float(negative.max()) < -0.99
    assert float(other.abs().mean()) < 0.3
    assert float(even.abs().max()) < 1e-3
    assert float(Windows.of(others[4], 3).correlation(image[None]).abs().max()) < 1e-3


def _best_half(column: list[float]) -> float:
    seen = sorted((value for value in column if value > -2), reverse=True)
    half = seen[: (len(seen) + 1) // 2]
    return max(sum(half) / len(half), -1) if half else -1


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([0.9], 0.9),
        ([-2.0], -1),
        ([0.2, 0.6], 0.6),
        ([0.2, -2, 0.6], 0.6),
        ([0.1, 0.5, 0.9], 0.7),
        ([-2.0, -2, -2], -1),
    ],
)
def test_the_better_half_of_those_that_see_a_pixel_counts(column: list[float], expected: float) -> None:
    assert float(best_half([torch.tensor([float(value)]) for value in column])) == pytest.approx(expected)


def test_the_better_half_of_up_to_six_sources_is_that_of_sorting() -> None:
    generator = torch.Generator().manual_seed(1)
    for n in range(1, 7):
        values = 2 * torch.rand(n, 50, generator=generator) - 1
        values[torch.rand(n, 50, generator=generator) < 0.3] = -2
        expected = [_best_half(column) for column in values.T.tolist()]
        torch.testing.assert_close(best_half(list(values)), torch.tensor(expected))


def _at_plane(image: Tensor, shift: int) -> Tensor:
    """What a camera to the right sees of an image on a plane that makes it move by so many pixels."""
    return torch.cat([image[:, shift:], torch.zeros(len(image), shift)], 1)


def test_a_sweep_is_most_alike_at_the_plane_that_the_photos_show() -> None:
    cameras = side_by_side(3, step=0.5, focal=40)
    wide = texture(30, 60)
    photos = [_at_plane(wide, 5 * i)[:, :40] for i in range(3)]
    planes = torch.arange(1, 12) / 20  # a pixel more from plane to plane; the fifth is true
    ways = [PairWarp.between(cameras, 0, i) for i in (1, 2)]
    alike = sweep(Windows.of(photos[0], 2), photos[1:], ways, planes)
    assert alike.shape == (11, 30, 40)
    inner = alike[:, :, 15:]
    assert bool((inner.argmax(0) == 4).all())
    assert float(inner[4].min()) > 0.95
    assert float(alike.min()) >= -1
    assert bool((alike[:, :, 0] == -1).all())  # the left end is in no other photo
    for plane in (0, 8, 10):  # however many are swept at once
        single = sweep(Windows.of(photos[0], 2), photos[1:], ways, planes[plane : plane + 1])
        torch.testing.assert_close(single[0], alike[plane])
