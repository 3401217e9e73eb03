"""Pyramids of photos: sizes, and that a map is sampled where it was made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from trisparse.rendering.image_pyramid import CHANNELS, COLOR_CHANNELS, ImagePyramid, color_levels

from .point_scenes import noise, rng


def _ramp(height: int, width: int) -> Tensor:
    """Red is x, green is y, at the pixels' centres; blue is 1."""
    x, y = torch.arange(width).double() + 0.5, torch.arange(height).double() + 0.5
    planes = [x.expand(height, width), y[:, None].expand(height, width), torch.ones(height, width).double()]
    return torch.stack(planes)[None]


def _passing() -> ImagePyramid:
    """A pyramid whose first two channels are the photo's at every size, by way of the quarter-sized map."""
    pyramid = ImagePyramid(rng()).double()
    for convolution in pyramid.modules():
        if isinstance(convolution, nn.Conv2d):
            nn.init.zeros_(convolution.weight)
            if convolution not in (pyramid.lateral[0], pyramid.lateral[1]):
                middle = convolution.kernel_size[0] // 2
                with torch.no_grad():
                    convolution.weight[0, 0, middle, middle] = convolution.weight[1, 1, middle, middle] = 1
    return pyramid


@pytest.mark.parametrize(("height", "width"), [(32, 40), (33, 42), (31, 43), (34, 41)])
def test_features_are_found_where_the_photo_has_them_at_every_size(height: int, width: int) -> None:
    photo = _ramp(height, width)
    pixels = torch.rand(1, 50, 2, generator=rng(1), dtype=torch.float64)
    pixels = 9 + pixels * (torch.tensor([width, height]) - 18)  # away from the zeros around the photo
    for index, maps in enumerate(_passing()(photo)):
        found = ImagePyramid.level(maps, index).at(pixels)[..., :2]
        torch.testing.assert_close(found, pixels, atol=1e-12, rtol=0, msg=f"level {index}")


@pytest.mark.parametrize(("height", "width"), [(32, 40), (33, 42), (31, 43)])
def test_colours_are_found_where_the_photo_has_them_at_every_size(height: int, width: int) -> None:
    pixels = 4 + torch.rand(1, 50, 2, generator=rng(1), dtype=torch.float64) * (torch.tensor([width, height]) - 9)
    for level in color_levels(_ramp(height, width)):
        torch.testing.assert_close(level.at(pixels)[..., :2], pixels, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(16, 20), (17, 19), (1, 1), (2, 5)])
def test_maps_have_the_sizes_of_the_photo_its_half_and_its_quarter_rounded_up(height: int, width: int) -> None:
    maps = ImagePyramid(rng())(noise(2, 3, height, width).float())
    for stride, channels, level, colors in zip(
        (1, 2, 4), CHANNELS, maps, color_levels(noise(2, 3, height, width)), strict=True
    ):
        assert tuple(level.shape) == (2, channels, -(-height // stride), -(-width // stride))
        assert tuple(colors.maps.shape) == (2, 3, -(-height // stride), -(-width // stride))
    assert 3 * len(CHANNELS) == COLOR_CHANNELS


def test_averaged_colours_are_those_of_the_pixels_that_exist() -> None:
    photo = torch.arange(9.0).view(1, 1, 3, 3).expand(1, 3, 3, 3)
    assert color_levels(photo)[1].maps[0, 0].tolist() == [[2.0, 3.5], [6.5, 8.0]]


def test_every_weight_of_the_pyramid_gets_a_gradient() -> None:
    pyramid = ImagePyramid(rng()).double()
    maps = pyramid(noise(1, 3, 12, 12).sigmoid())
    torch.autograd.backward([(x * noise(*x.shape, seed=i)).sum() for i, x in enumerate(maps)])
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in pyramid.parameters())


def test_the_number_of_weights_is_the_one_that_is_documented() -> None:
    assert sum(p.numel() for p in ImagePyramid(rng()).parameters()) == 48_816
    assert "49,000 weights" in (ImagePyramid.__doc__ or "")
