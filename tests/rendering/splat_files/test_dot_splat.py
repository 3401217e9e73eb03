"""The .splat files of web viewers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile
from trisparse.rendering.gaussians import SH_C0, GaussianCloud
from trisparse.rendering.splat_files.files import read_splats, write_splats

from tests.rendering.splat_files.clouds import random_cloud, rotation_error


def test_a_gaussian_is_32_bytes_as_viewers_read_them(tmp_path: Path) -> None:
    cloud = GaussianCloud(
        torch.tensor([[1.5, -2.0, 3.25]]),
        torch.tensor([[0.0, 0, 3, 0]]),
        torch.tensor([[0.0, -1.0, 1.0]]),
        torch.tensor([0.0]),
        torch.tensor([[[0.5, 0.0, -0.5]]]) / SH_C0,
    )
    assert write_splats(tmp_path / "a.splat", cloud) == ()
    found = struct.unpack("<6f8B", (tmp_path / "a.splat").read_bytes())
    assert found[:6] == pytest.approx([1.5, -2, 3.25, 1, 0.3678794, 2.7182818], rel=1e-6)
    assert found[6:] == (255, 128, 0, 128, 128, 128, 255, 128)  # w x y z, 1 does not fit a byte


@pytest.mark.parametrize("n", [0, 1, 300])
def test_what_is_written_is_read_within_the_rounding_of_bytes(tmp_path: Path, n: int) -> None:
    cloud = random_cloud(n, 0)
    assert write_splats(tmp_path / "a.splat", cloud) == ()
    file = read_splats(tmp_path / "a.splat")
    assert file.notes == ("the format holds no harmonics: colours do not depend on the view",)
    assert torch.equal(file.cloud.means, cloud.means)
    torch.testing.assert_close(file.cloud.log_scales, cloud.log_scales, rtol=0, atol=1e-6)
    torch.testing.assert_close(file.cloud.base_colors, cloud.base_colors, rtol=0, atol=0.51 / 255)
    torch.testing.assert_close(file.cloud.opacities, cloud.opacities, rtol=0, atol=0.51 / 255)
    if n:
        assert rotation_error(file.cloud, cloud) < 0.03
    write_splats(tmp_path / "b.splat", file.cloud)
    first, second = (
        np.frombuffer((tmp_path / name).read_bytes(), np.uint8).reshape(n, 32) for name in ("a.splat", "b.splat")
    )
    np.testing.assert_array_equal(second[:, 24:28], first[:, 24:28])  # colours and opacities lose nothing more


def test_what_the_format_cannot_hold_is_said(tmp_path: Path) -> None:
    cloud = random_cloud(4, 1)
    cloud.sh[1, 0, 2] = 3.0
    assert write_splats(tmp_path / "a.splat", cloud) == (
        ".splat holds no harmonics: colours no longer depend on the view",
        "1 Gaussians have a colour outside 0..1, which is cut off",
    )
    assert read_splats(tmp_path / "a.splat").cloud.base_colors[1, 2] == 1


@pytest.mark.parametrize("logit", [-100.0, -torch.inf, 100.0, torch.inf])
def test_opacities_of_nothing_and_of_everything_come_back_as_finite_logits(tmp_path: Path, logit: float) -> None:
    cloud = random_cloud(2, 0)
    cloud.opacity_logits[0] = logit
    write_splats(tmp_path / "a.splat", cloud)
    found = read_splats(tmp_path / "a.splat").cloud.opacity_logits
    assert found.isfinite().all()
    assert round(float(found[0].sigmoid() * 255)) == (255 if logit > 0 else 0)


def test_a_file_that_ends_inside_a_gaussian_is_refused(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.splat", random_cloud(3, 0))
    content = (tmp_path / "a.splat").read_bytes()
    (tmp_path / "a.splat").write_bytes(content[:-1])
    with pytest.raises(CorruptFile, match=r"a\.splat: byte 64: 95 bytes, expected a multiple of 32"):
        read_splats(tmp_path / "a.splat")


def test_negative_deviations_are_refused_and_those_of_zero_made_tiny(tmp_path: Path) -> None:
    row = struct.pack("<6f8B", 0, 0, 0, 1, 1, 0, 1, 2, 3, 4, 255, 128, 128, 128)
    (tmp_path / "a.splat").write_bytes(row)
    file = read_splats(tmp_path / "a.splat")
    assert file.cloud.scales[0].tolist() == pytest.approx([1, 1, 1e-7])
    assert file.notes[-1] == "1 Gaussians have no extent along an axis: taken as 1e-07 thick"
    (tmp_path / "a.splat").write_bytes(row + struct.pack("<6f8B", 0, 0, 0, 1, -1, 0, *[9] * 8))
    with pytest.raises(CorruptFile, match="Gaussian 1: standard deviations of"):
        read_splats(tmp_path / "a.splat")


def test_quaternions_without_length_are_no_rotation(tmp_path: Path) -> None:
    cloud = random_cloud(1, 0)
    cloud.quats[:] = 0
    write_splats(tmp_path / "a.splat", cloud)
    (tmp_path / "b.splat").write_bytes((tmp_path / "a.splat").read_bytes()[:28] + bytes([128] * 4))
    for name in ("a.splat", "b.splat"):
        assert read_splats(tmp_path / name).cloud.quats.tolist() == [[1, 0, 0, 0]]
