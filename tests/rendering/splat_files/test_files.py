"""What all formats of splats have in common: names, contents, repairs, damage."""

from __future__ import annotations

import gzip
import math
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, NotFinite, TrisparseError, UnknownFormat
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import VIEWING_DISTANCE, read_splats, write_splats

from tests.rendering.splat_files.clouds import PARTS, assert_same, random_cloud

SUFFIXES = [".ply", ".splat", ".spz"]


@pytest.mark.parametrize("suffix", [".ply", ".spz"])
def test_the_content_decides_whatever_the_name(tmp_path: Path, suffix: str) -> None:
    write_splats(tmp_path / f"a{suffix}", random_cloud(4, 1))
    for name in ("a.splat", "a.bin", "a"):
        (tmp_path / name).write_bytes((tmp_path / f"a{suffix}").read_bytes())
        assert_same(read_splats(tmp_path / name).cloud, read_splats(tmp_path / f"a{suffix}").cloud)


@pytest.mark.parametrize("name", ["a.SPLAT", "a.Ply", "a.SPZ"])
def test_suffixes_may_be_in_capitals(tmp_path: Path, name: str) -> None:
    write_splats(tmp_path / name, random_cloud(4, 0))
    assert len(read_splats(str(tmp_path / name)).cloud) == 4


def test_other_files_are_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"a\.ply: no such file; expected Gaussian splats: \.ply, \.splat or \.spz"):
        read_splats(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_bytes(b"")
    with pytest.raises(CorruptFile, match="the file is empty"):
        read_splats(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_bytes(b"plymouth")
    with pytest.raises(UnknownFormat, match=r"begins with b'plym'.*is not named \.splat"):
        read_splats(tmp_path / "a.ply")
    (tmp_path / "a.spz").write_bytes(gzip.compress(b"something else altogether"))
    with pytest.raises(UnknownFormat, match="a gzip file that holds no SPZ file"):
        read_splats(tmp_path / "a.spz")
    with zipfile.ZipFile(tmp_path / "a.sog", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("means.webp", bytes(10_000_000))
    with pytest.raises(UnknownFormat, match="begins with b'PK"):
        read_splats(tmp_path / "a.sog")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sh_degree": 4}, "degree 4; choose 0, 1, 2 or 3"),
        ({"spz_version": 1}, "version 1; choose 2, 3 or 4"),
        ({"normalize": 0.0}, "distance of 0; expected a finite number above 0"),
        ({"normalize": math.nan}, "distance of nan"),
    ],
)
def test_options_that_make_no_sense_are_refused_and_nothing_is_written(
    tmp_path: Path, options: Any, problem: str
) -> None:
    with pytest.raises(Exception, match=problem) as found:
        write_splats(tmp_path / "a.spz", random_cloud(2, 0), **options)
    assert isinstance(found.value, InvalidInput)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.obj", "a", "ply"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"a file of splats is named \.ply, \.splat or \.spz, not"):
        write_splats(tmp_path / name, random_cloud(2, 0))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_replaced_is_whole_at_any_time(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a{suffix}"
    write_splats(path, random_cloud(3, 0))
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_splats(path, random_cloud(5, 0))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Numbers that are none


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", PARTS)
def test_rows_that_are_not_finite_are_named_or_left_out_when_writing(tmp_path: Path, suffix: str, part: str) -> None:
    cloud, path = random_cloud(12, 1), tmp_path / f"a{suffix}"
    getattr(cloud, part)[[1, 2, 3, 4, 5, 7]] = torch.nan
    with pytest.raises(
        NotFinite, match=r"Gaussians 1, 2, 3, 4, 5 and 1 more: hold NaN or infinity \(6 of 12\).*drop_bad=True"
    ):
        write_splats(path, cloud)
    assert not path.exists()
    notes = write_splats(path, cloud, drop_bad=True)
    assert notes[0] == "6 of 12 Gaussians hold NaN or infinity and were left out"
    assert len(read_splats(path).cloud) == 6
    assert len(cloud) == 12


def _bad_ply(path: Path) -> GaussianCloud:
    cloud = random_cloud(6, 1)
    write_splats(path, cloud)
    content = bytearray(path.read_bytes())
    start = content.index(b"end_header\n") + len("end_header\n")
    width = (len(content) - start) // 6
    for row in (0, 4):
        content[start + row * width : start + row * width + 4] = b"\x00\x00\xc0\x7f"
    path.write_bytes(bytes(content))
    return cloud


def test_rows_that_are_not_finite_are_named_or_left_out_when_reading(tmp_path: Path) -> None:
    cloud = _bad_ply(tmp_path / "a.ply")
    with pytest.raises(CorruptFile, match=r"a\.ply: Gaussians 0, 4: hold NaN or infinity \(2 of 6\)"):
        read_splats(tmp_path / "a.ply")
    file = read_splats(tmp_path / "a.ply", drop_bad=True)
    assert file.notes == ("2 of 6 Gaussians hold NaN or infinity and were left out",)
    assert_same(file.cloud, cloud[torch.tensor([1, 2, 3, 5])])


@pytest.mark.parametrize("part", ["means", "log_scales"])
def test_gaussians_absurdly_far_away_or_large_are_named_or_left_out_when_reading(tmp_path: Path, part: str) -> None:
    cloud = random_cloud(6)
    getattr(cloud, part)[2, 1] = -2e15 if part == "means" else 90
    write_splats(tmp_path / "a.ply", cloud)
    with pytest.raises(CorruptFile, match=r"a\.ply: Gaussian 2: lies or reaches .*\(1 of 6 do beyond 1e15\)"):
        read_splats(tmp_path / "a.ply")
    file = read_splats(tmp_path / "a.ply", drop_bad=True)
    assert file.notes == ("1 of 6 Gaussians lie or reach beyond 1e15 and were left out",)
    assert_same(file.cloud, cloud[torch.tensor([0, 1, 3, 4, 5])])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_infinities_that_mean_something_are_made_finite_with_a_note(tmp_path: Path, suffix: str) -> None:
    cloud, path = random_cloud(5, 0), tmp_path / f"a{suffix}"
    cloud.opacity_logits[0], cloud.opacity_logits[1], cloud.log_scales[2, 1] = torch.inf, -torch.inf, -torch.inf
    notes = write_splats(path, cloud)
    assert notes[:2] == (
        "2 Gaussians have an opacity of exactly 0 or 1: taken as almost so",
        "1 Gaussians have no extent along an axis: taken as 1e-07 thick",
    )
    found = read_splats(path).cloud
    assert len(found.finite_rows()) == 5
    assert found.opacities[:2].tolist() == pytest.approx([1, 0], abs=2e-3)
    assert cloud.opacity_logits[0] == torch.inf  # the caller's cloud is left alone


# Scale


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_small_scene_is_scaled_so_that_viewers_do_not_cut_it_off(tmp_path: Path, suffix: str) -> None:
    cloud = random_cloud(40, 0)
    cloud.means.mul_(0.01)
    notes = write_splats(tmp_path / f"a{suffix}", cloud, normalize=0.1)
    assert notes[0] == f"scaled by 40, so that cameras are some {VIEWING_DISTANCE:g} units away"
    found = read_splats(tmp_path / f"a{suffix}").cloud
    torch.testing.assert_close(found.means, 40 * cloud.means, rtol=1e-5, atol=2**-12)
    torch.testing.assert_close(found.scales, 40 * cloud.scales, rtol=0.04, atol=0)


# Damage


@cache
def _undamaged(name: str) -> bytes:
    options: dict[str, Any] = {"spz_version": 4} if name == "4.spz" else {}
    with TemporaryDirectory() as folder:
        write_splats(Path(folder) / name, random_cloud(6, 1), **options)
        return (Path(folder) / name).read_bytes()


def _damage(content: bytes, changes: list[tuple[int, int, int]]) -> bytes:
    damaged = bytearray(content)
    for kind, place, value in changes:
        place %= len(damaged) + 1
        if kind == 0 and place < len(damaged):
            damaged[place] = value
        elif kind == 1:
            damaged = damaged[:place] + bytes([value] * (value % 9)) + damaged[place:]
        elif kind == 2:
            del damaged[place : place + value]
        elif place < len(damaged):
            damaged[place] ^= 1 << value % 8
    return bytes(damaged)


CHANGES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.parametrize("name", ["a.ply", "a.splat", "a.spz", "4.spz", "inside.spz"])
@settings(max_examples=150)
@given(changes=CHANGES)
def test_damaged_files_are_read_or_refused_but_nothing_else(name: str, changes: list[tuple[int, int, int]]) -> None:
    if name == "4.spz":
        pytest.importorskip("zstandard", reason="SPZ of version 4 needs zstandard")
    if name == "inside.spz":
        content = gzip.compress(_damage(gzip.decompress(_undamaged("a.spz")), changes))
    else:
        content = _damage(_undamaged(name), changes)
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with suppress(TrisparseError):
            cloud = read_splats(path, drop_bad=True).cloud
            assert len(cloud.finite_rows()) == len(cloud) <= len(content)
