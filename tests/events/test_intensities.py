"""Photos as intensities."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.readers.blender import read_blender
from trisparse.events.intensities import IntensityRange, displayed_intensity

CASES = {
    "rgba_over_white_bayer": {},
    "rgba_dropped_alpha_bayer": {"over_white": False},
    "bgr_real_mono": {"is_color": False},
    "grey_real": {"is_color": False},
    "grey12bit_real": {"is_color": False, "bits": 12},
}


@pytest.fixture(scope="module")
def known(shared: Path) -> dict[str, np.ndarray]:
    """What the original reads."""
    with np.load(shared / "oracles" / "enerf" / "views.npz") as file:
        return dict(file)


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """From OpenCV's order of channels to ours."""
    return pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]] if pixels.ndim == 3 else pixels


@pytest.mark.parametrize("name", CASES)
def test_intensities_are_the_original_s(name: str, known: dict[str, np.ndarray]) -> None:
    settings = CASES[name]
    for pixels, target in zip(known[f"{name}_file_pixels"], known[f"{name}_target"], strict=True):
        found = displayed_intensity(as_rgb(pixels), **settings)
        wanted = np.moveaxis(target, 0, -1) if target.ndim == 3 else target[..., None]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    span = IntensityRange.of_bits(settings.get("bits", 8))
    np.testing.assert_array_equal([span.lowest, span.highest], known[f"{name}_min_max"])


def test_a_transparent_photo_of_a_monochrome_camera_becomes_grey_which_the_original_forgets(
    known: dict[str, np.ndarray],
) -> None:
    for pixels, colors in zip(
        known["rgba_over_white_mono_file_pixels"], known["rgba_over_white_mono_target"], strict=True
    ):
        found = displayed_intensity(as_rgb(pixels), is_color=False)
        wanted = colors.astype(np.float64) @ [0.114, 0.587, 0.299]
        np.testing.assert_allclose(found[..., 0], wanted, rtol=0, atol=1e-6)


def test_cameras_of_its_views_are_the_original_s(known: dict[str, np.ndarray], tmp_path: Path) -> None:
    frames = []
    for i, matrix in enumerate(known["rgba_over_white_bayer_transform_matrix"]):
        Image.fromarray(as_rgb(known["rgba_over_white_bayer_file_pixels"][i])).save(tmp_path / f"r_{i}.png")
        frames.append({"file_path": f"./r_{i}", "transform_matrix": matrix.tolist()})
    document = {"camera_angle_x": float(known["camera_angle_x"]), "frames": frames}
    (tmp_path / "transforms_test.json").write_text(json.dumps(document))
    cameras = read_blender(tmp_path, "test").cameras
    pose = cameras.world_from_camera
    np.testing.assert_allclose(pose[:, :3, :3], known["rgba_over_white_bayer_rotation"], atol=1e-6)
    np.testing.assert_allclose(pose[:, :3, 3], known["rgba_over_white_bayer_position"], atol=1e-6)
    half = torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # pixel centres at +0.5
    np.testing.assert_allclose(cameras.K[0], known["rgba_over_white_bayer_intrinsics"] + half.numpy(), atol=1e-5)


def test_photos_that_make_no_sense_are_refused() -> None:
    grey = np.zeros((3, 4), np.uint8)
    with pytest.raises(ShapeMismatch, match=r"a photo of shape \(3, 4, 2\)"):
        displayed_intensity(np.zeros((3, 4, 2), np.uint8))
    with pytest.raises(ShapeMismatch, match="a grey photo cannot be compared"):
        displayed_intensity(grey)
    with pytest.raises(InvalidInput, match=r"pixels of uint16, up to 4096; expected whole numbers below 2\^12"):
        displayed_intensity(np.full((2, 2), 4096, np.uint16), bits=12, is_color=False)
    with pytest.raises(InvalidInput, match="pixels of float64"):
        displayed_intensity(grey.astype(np.float64), is_color=False)
