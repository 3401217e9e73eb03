"""Images at another size: nothing moves, nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.data.resizing import resize_image

SIZES = [(3, 2), (5, 7), (12, 9), (7, 9), (12, 4), (1, 1), (24, 9), (5, 30)]


def _image() -> Float[Tensor, "9 12 3"]:
    return torch.rand(9, 12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_a_worked_example() -> None:
    """Three pixels into two: each covers one and a half."""
    small = resize_image(torch.tensor([[[0.0], [3.0], [6.0]]]), 2, 1)
    torch.testing.assert_close(small, torch.tensor([[[1.0], [5.0]]]))
    large = resize_image(torch.tensor([[[0.0], [4.0]]]), 4, 1)
    assert large[0, :, 0].tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_each_new_pixel_is_the_mean_of_what_it_covers(width: int, height: int) -> None:
    """Against the image blown up to a common multiple, pixel by pixel."""
    image = _image()
    small = resize_image(image, min(width, 12), min(height, 9))
    h, w = small.shape[:2]
    fine = image.repeat_interleave(h, 0).repeat_interleave(w, 1)
    torch.testing.assert_close(small, fine.reshape(h, 9, w, 12, 3).mean((1, 3)))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_ramp_stays_where_it_was(width: int, height: int) -> None:
    """With pixel centres at +0.5 the place x is at x * new / old; a pixel of the image holds its own place.

    Parts of pixels count with the whole pixel's value, so that a ramp of steps errs by up to an eighth of one; never all to
    one side.
    """
    x = (torch.arange(12, dtype=torch.float64) + 0.5)[None, :, None].expand(9, 12, 1)
    found = resize_image(x, width, height)[0, :, 0]
    expected = (torch.arange(width, dtype=torch.float64) + 0.5) * 12 / width
    whole = width >= 12 or 12 % width == 0
    torch.testing.assert_close(found, expected.clamp(0.5, 11.5), rtol=0, atol=1e-9 if whole else 0.125)
    torch.testing.assert_close(found.mean(), expected.mean())


def test_bytes_become_fractions_of_the_same_range_and_the_same_size_changes_nothing() -> None:
    image = torch.randint(0, 256, (4, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(resize_image(image, 6, 4), image.float())
    assert resize_image(image, 3, 2).dtype == torch.float32
    torch.testing.assert_close(resize_image(image, 3, 2).mean(), image.float().mean())
    assert torch.equal(resize_image(_image(), 12, 9), _image())


def test_opencv_averages_areas_the_same() -> None:
    cv2: Any = pytest.importorskip("cv2")
    image = _image().float()
    theirs = cv2.resize(image.numpy(), (5, 7), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(resize_image(image, 5, 7).numpy(), theirs, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(0, 4), (4, -1)])
def test_a_size_of_nothing_is_refused(width: int, height: int) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        resize_image(_image(), width, height)
    with pytest.raises(InvalidInput, match="above 0"):
        resize_image(torch.zeros(0, 4, 3), 2, 2)
