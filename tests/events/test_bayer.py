"""Colour filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.events.bayer import bayer_channels, mosaic


def test_letters_stand_for_even_even_odd_even_even_odd_and_odd_odd() -> None:
    x, y = (part.astype(np.int16) for part in np.meshgrid(np.arange(4), np.arange(2)))
    np.testing.assert_array_equal(bayer_channels(x, y, "RGGB"), [[0, 1, 0, 1], [1, 2, 1, 2]])
    np.testing.assert_array_equal(bayer_channels(x, y, "GBRG"), [[1, 2, 1, 2], [0, 1, 0, 1]])
    np.testing.assert_array_equal(bayer_channels(x, y, ""), np.zeros((2, 4)))


@pytest.mark.parametrize("pattern", ["rggb", "bggr"])
def test_the_original_s_channels_are_found(pattern: str, shared: Path) -> None:
    with np.load(shared / "oracles" / "enerf" / "pairing.npz") as file:
        x, y = file["position"].astype(np.int16).T
        known = file[f"channel_idx_{pattern}"]
    np.testing.assert_array_equal(bayer_channels(x, y, pattern.upper()), known)


def test_a_mosaic_takes_from_each_pixel_the_channel_of_its_filter() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.float32).reshape(5, 7, 3)
    y, x = np.mgrid[:5, :7].astype(np.int16)
    channels = bayer_channels(x, y, "BGGR")
    np.testing.assert_array_equal(mosaic(image, "BGGR"), np.take_along_axis(image, channels[..., None], 2)[..., 0])


def test_other_patterns_and_images_are_refused() -> None:
    with pytest.raises(InvalidInput, match="pattern of 'RGB'; expected four"):
        mosaic(np.zeros((2, 2, 3)), "RGB")
    with pytest.raises(InvalidInput, match="pattern of 'RGGW'"):
        bayer_channels(np.zeros(1, np.int16), np.zeros(1, np.int16), "RGGW")
    with pytest.raises(ShapeMismatch, match=r"shape \(2, 2\)"):
        mosaic(np.zeros((2, 2)), "RGGB")
