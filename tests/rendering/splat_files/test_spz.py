"""SPZ files: against files of Niantic's implementation, there and back, and when they lie."""

from __future__ import annotations

import base64
import gzip
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from trisparse.core.errors import BackendUnavailable, CorruptFile, InvalidInput, UnknownFormat
from trisparse.rendering.gaussians import GaussianCloud, rotation_matrices
from trisparse.rendering.harmonics import colors_from_harmonics
from trisparse.rendering.splat_files import spz
from trisparse.rendering.splat_files.files import read_splats, write_splats

from tests.rendering.splat_files.clouds import assert_same, random_cloud, recorded_cloud, rotation_error

RECORDED = {
    (2, 1): (
        "H4sIAAAAAAAAA/NzDw5gYmBgYAFiRh4g0cDEYMDAcOO/cTbjdX0GBg2GtDCGdfogkVmO/1vBIoy5G/43zFhna+20uLto/b4jBbF2CzZw1NbW/phg0NDQ"
        "IBlpn1b8cf/NHgkBAQ2PjAwHjQsrGiIMJD58uHHgwYcPLy5ENKwAShTMOKAgIAAAzpxLpYAAAAA="
    ),
    (3, 3): (
        "H4sIAAAAAAAAAx2OIUgEQRSG33kGhRNeNM62bffgoiij5bTIoHBcESbJiogTLQtThItjE9MUQcsy0Tjx4jQvbtw40ba+3fAG3vv/72Oul7dqCgD7PNMZ"
        "P3YPCGDXLx4nv3OAEu5X0MyHy8d5/zpeJk+ht+/NxU21PD3ZPK/N3ZkPB3Vd/zlGIV41n0dFcfj9ULytjhHLy6qSZc4tKRtSRhTRmdhmFBSsIoG5jcZF"
        "gWjXxP3dj/Ox5RppjpFBabwcaslblTKD0mnZbb9eFHU5C2U0xyg4Hv0UnWY/97UNhAwG3rqt34SEiCkwLQatdqM/KePH/0hvBv8/KB1TyhQBAAA="
    ),
    (4, 2): (
        "TkdTUAQAAAAEAAAAAgwBBiAAAAAAAAAAAAAAAAAAAAAtAAAAAAAAACQAAAAAAAAADQAAAAAAAAAEAAAAAAAAABUAAAAAAAAADAAAAAAAAAAVAAAAAAAA"
        "AAwAAAAAAAAAGQAAAAAAAAAQAAAAAAAAAFwAAAAAAAAAYAAAAAAAAAAotS/9ICQhAQAAgAIAMAAA2P8zawHXLwAAKABmVgCuLwAA2P+aQf+FLwAAKAAo"
        "tS/9IAQhAAABbbD/KLUv/SAMYQAAgJiuW0g9vsTBO0NTKLUv/SAMYQAAcF0+oLAIfX19+JAwKLUv/SAQgQAAAAAAwEmupQ0hIQmpaSGRVii1L/0gYJ0C"
        "AALGExrAJR2uH2ZaDTPDPpXpb5XqM/2wb5UapoZ9T//NJMDKLqQoGNzETBquU7z0f0/qEjuhAAplT+omuw6LK//YIY09jgUq+3vSWPrLEYRQbBIA"
    ),
    (4, 0): (
        "TkdTUAQAAAAEAAAAAAwABSAAAAAAAAAAAAAAAAAAAAAtAAAAAAAAACQAAAAAAAAADQAAAAAAAAAEAAAAAAAAABUAAAAAAAAADAAAAAAAAAAVAAAAAAAA"
        "AAwAAAAAAAAAGQAAAAAAAAAQAAAAAAAAACi1L/0gJCEBAACAAgAwAADY/zNrAdcvAAAoAGZWAK4vAADY/5pB/4UvAAAoACi1L/0gBCEAAAFtsP8otS/9"
        "IAxhAACAmK69xMK2pIxzW0gotS/9IAxhAABwXT6gsAh9fX34kDAotS/9IBCBAAAAAADASa6lDSEhCalpIZFW"
    ),
}
"""By version and degree: what Niantic's implementation wrote of `recorded_cloud`, told that its axes are right, down, front."""

LONG, ENTRY = struct.Struct("<4sIIBBBBI12x"), struct.Struct("<QQ")


def streams(content: bytes) -> tuple[list[bytes], bytes]:
    """A file's streams in plain, of version 4, and what lies between header and table."""
    zstandard = pytest.importorskip("zstandard", reason="SPZ of version 4 needs zstandard")
    n, table = LONG.unpack(content[:32])[6:]
    at, found = table + 16 * n, []
    for i in range(n):
        small, size = ENTRY.unpack_from(content, table + 16 * i)
        found.append(zstandard.ZstdDecompressor().decompress(content[at : at + small], max_output_size=size))
        at += small
    return found, content[32:table]


def inside(content: bytes) -> bytes:
    """All that a file says, however compressed."""
    if content[:4] != b"NGSP":
        return gzip.decompress(content)
    return content[:16] + b"".join(streams(content)[0])


def needs_zstandard(version: int) -> None:
    """Skip what cannot run here."""
    if version == 4:
        pytest.importorskip("zstandard", reason="SPZ of version 4 needs zstandard")


@pytest.mark.parametrize(("version", "degree"), RECORDED)
def test_the_bytes_are_those_that_the_original_implementation_writes(tmp_path: Path, version: Any, degree: int) -> None:
    needs_zstandard(version)
    write_splats(tmp_path / "a.spz", recorded_cloud(degree), spz_version=version, antialiased=degree == 2)
    assert inside((tmp_path / "a.spz").read_bytes()) == inside(base64.b64decode(RECORDED[version, degree]))


@pytest.mark.parametrize(("version", "degree"), RECORDED)
def test_files_of_the_original_implementation_are_read(tmp_path: Path, version: int, degree: int) -> None:
    needs_zstandard(version)
    (tmp_path / "a.spz").write_bytes(base64.b64decode(RECORDED[version, degree]))
    file, expected = read_splats(tmp_path / "a.spz"), recorded_cloud(degree)
    assert (file.format, file.notes, file.antialiased) == (f"SPZ {version}", (), degree == 2)
    torch.testing.assert_close(file.cloud.means, expected.means, rtol=0, atol=2**-13)
    torch.testing.assert_close(file.cloud.log_scales, expected.log_scales, rtol=0, atol=1 / 32)
    torch.testing.assert_close(file.cloud.opacities, expected.opacities, rtol=0, atol=0.51 / 255)
    torch.testing.assert_close(file.cloud.sh[:, :1], expected.sh[:, :1], rtol=0, atol=0.51 / 255 / 0.15)
    torch.testing.assert_close(file.cloud.sh[:, 1:4], expected.sh[:, 1:4], rtol=0, atol=4.6 / 128)
    torch.testing.assert_close(file.cloud.sh[:, 4:], expected.sh[:, 4:], rtol=0, atol=8.6 / 128)
    assert rotation_error(file.cloud, expected) < (0.12 if version == 2 else 0.006)


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 400])
def test_what_was_read_is_written_again_as_it_was(tmp_path: Path, version: Any, degree: int, n: int) -> None:
    needs_zstandard(version)
    assert write_splats(tmp_path / "a.spz", random_cloud(n, degree), spz_version=version, antialiased=True) == ()
    file = read_splats(tmp_path / "a.spz")
    assert (len(file.cloud), file.cloud.sh_degree, file.antialiased) == (n, degree, True)
    write_splats(tmp_path / "b.spz", file.cloud, spz_version=version)
    again = read_splats(tmp_path / "b.spz").cloud
    torch.testing.assert_close(again.means, file.cloud.means, rtol=0, atol=2**-12)
    if n:
        assert rotation_error(again, file.cloud) < (0.12 if version == 2 else 2e-6)
    for name in ("log_scales", "opacity_logits", "sh"):
        torch.testing.assert_close(getattr(again, name), getattr(file.cloud, name))


def test_rotations_with_equal_or_negative_largest_components_are_kept(tmp_path: Path) -> None:
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 0, 1])] * 4)
    quats = corners[corners.abs().sum(1) > 0]
    cloud = random_cloud(len(quats), 0)
    cloud.quats[:] = quats
    for version, accuracy in ((2, 0.12), (3, 0.006)):
        write_splats(tmp_path / "a.spz", cloud, spz_version=version)
        assert rotation_error(read_splats(tmp_path / "a.spz").cloud, cloud) < accuracy


@pytest.mark.parametrize(
    ("extent", "accuracy"), [(0.01, 2**-20), (1.0, 2**-17), (40.0, 2**-13), (3000.0, 2**-12), (1e6, 2**-4)]
)
def test_positions_are_as_accurate_as_24_bits_allow(tmp_path: Path, extent: float, accuracy: float) -> None:
    cloud = random_cloud(50, 0)
    cloud.means.mul_(extent / cloud.means.abs().max())
    notes = write_splats(tmp_path / "a.spz", cloud)
    error = (read_splats(tmp_path / "a.spz").cloud.means - cloud.means).abs().max()
    assert error <= accuracy + 1e-7 * extent
    assert bool(notes) == (extent > 2048)


@pytest.mark.parametrize("far", [2048.0, -2048.0, 2047.99995, 8388606.0])
def test_coordinates_at_the_edge_of_what_fits_do_not_wrap(tmp_path: Path, far: float) -> None:
    cloud = random_cloud(2, 0)
    cloud.means[0] = far
    write_splats(tmp_path / "a.spz", cloud)
    assert read_splats(tmp_path / "a.spz").cloud.means[0].tolist() == pytest.approx([far] * 3, rel=1e-6)


def test_coordinates_beyond_what_fits_are_refused(tmp_path: Path) -> None:
    cloud = random_cloud(2, 0)
    cloud.means[1, 1] = -1e9
    with pytest.raises(InvalidInput, match=r"a coordinate of 1e\+09; SPZ holds less than 8388608"):
        write_splats(tmp_path / "a.spz", cloud)
    assert not (tmp_path / "a.spz").exists()


def test_what_bytes_cannot_hold_is_said_and_cut_off(tmp_path: Path) -> None:
    cloud = random_cloud(9, 1)
    cloud.log_scales[0, 1], cloud.sh[1:3, 0, 0], cloud.sh[4, 2, 1] = -15, 9, -3
    notes = write_splats(tmp_path / "a.spz", cloud)
    assert [note.split(",")[0] for note in notes] == [
        "1 Gaussians have a standard deviation outside e^-10..e^5.94",
        "2 Gaussians have a colour far outside 0..1",
        "1 Gaussians have a harmonic outside -1..1",
    ]
    found = read_splats(tmp_path / "a.spz").cloud
    assert found.log_scales[0, 1] == -10
    assert found.sh[4, 2, 1] == pytest.approx(-1, abs=0.01)


# Axes


def extended(content: bytes, records: bytes) -> bytes:
    """A gzip file with records of extensions."""
    plain = bytearray(gzip.decompress(content))
    plain[14] |= 2
    return gzip.compress(bytes(plain) + records)


@pytest.mark.parametrize(("number", "axes"), [(0, "RUB"), *enumerate(spz._AXES, 1)])
def test_the_axes_that_an_extension_names_are_followed(tmp_path: Path, number: int, axes: str) -> None:
    write_splats(tmp_path / "a.spz", random_cloud(20, 3))
    plain = read_splats(tmp_path / "a.spz").cloud
    content = extended((tmp_path / "a.spz").read_bytes(), struct.pack("<III", 0xADBE0003, 4, number))
    (tmp_path / "b.spz").write_bytes(content)
    found = read_splats(tmp_path / "b.spz").cloud
    toward = {"R": (1, 0, 0), "L": (-1, 0, 0), "D": (0, 1, 0), "U": (0, -1, 0), "F": (0, 0, 1), "B": (0, 0, -1)}
    # The same numbers in the file, along other axes than right, up, back.
    there = torch.tensor([toward[letter] for letter in axes], dtype=torch.float32).T @ torch.diag(
        torch.tensor([1.0, -1, -1])
    )
    torch.testing.assert_close(found.means, plain.means @ there.T)
    torch.testing.assert_close(covariances(found), there @ covariances(plain) @ there.T, rtol=1e-4, atol=1e-6)
    directions = random_cloud(20, 0, seed=1).means
    seen = colors_from_harmonics(found.sh, directions @ there.T, 3)
    torch.testing.assert_close(seen, colors_from_harmonics(plain.sh, directions, 3), rtol=1e-4, atol=1e-5)


def covariances(cloud: GaussianCloud) -> torch.Tensor:
    """[g 3 3]."""
    axes = rotation_matrices(cloud.quats) * cloud.scales[:, None]
    return axes @ axes.mT


def test_other_extensions_are_passed_over_and_named(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", random_cloud(5, 0))
    records = struct.pack("<II3f", 0xADBE0002, 12, 0, 1, 2) + struct.pack("<II", 0x12340001, 0)
    (tmp_path / "b.spz").write_bytes(extended((tmp_path / "a.spz").read_bytes(), records))
    file = read_splats(tmp_path / "b.spz")
    assert file.notes == ("extensions 0xADBE0002, 0x12340001 were not read",)
    assert_same(file.cloud, read_splats(tmp_path / "a.spz").cloud)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (b"abc", "3 bytes, expected type and length"),
        (struct.pack("<II", 0x12340001, 1 << 31), "a record of 2147483648 bytes, of which 0"),
        (struct.pack("<III", 0xADBE0003, 4, 17), "axes of number 17, expected 1 to 16"),
        (struct.pack("<IIB", 0xADBE0003, 1, 1), "axes of number -1"),
    ],
)
def test_damaged_extensions_are_refused(tmp_path: Path, records: bytes, problem: str) -> None:
    write_splats(tmp_path / "a.spz", random_cloud(5, 0))
    (tmp_path / "b.spz").write_bytes(extended((tmp_path / "a.spz").read_bytes(), records))
    with pytest.raises(CorruptFile, match=rf"b\.spz: extensions: .*{problem}"):
        read_splats(tmp_path / "b.spz")


def test_harmonics_of_degree_4_are_left_out_with_a_note(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", random_cloud(6, 3))
    plain = bytearray(gzip.decompress((tmp_path / "a.spz").read_bytes()))
    old = plain[-6 * 45 :]
    wide = b"".join(bytes(old[45 * i : 45 * (i + 1)]) + bytes([77] * 27) for i in range(6))
    plain[12] = 4
    (tmp_path / "b.spz").write_bytes(gzip.compress(bytes(plain[: -6 * 45]) + wide))
    file = read_splats(tmp_path / "b.spz")
    assert file.notes == ("harmonics of degree 4 were left out",)
    assert_same(file.cloud, read_splats(tmp_path / "a.spz").cloud)


# Files that lie


def patched(content: bytes, place: int, new: bytes) -> bytes:
    """A gzip file with other bytes at a place of what it holds."""
    plain = bytearray(gzip.decompress(content))
    plain[place : place + len(new)] = new
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    ("place", "new", "error", "problem"),
    [
        (0, b"PNGS", UnknownFormat, "holds no SPZ file but b'PNGS'"),
        (4, b"\x01", UnknownFormat, "version 1; expected 2 or 3 in such a file"),
        (4, b"\x04", UnknownFormat, "version 4; expected 2 or 3 in such a file"),
        (8, b"\xff\xff\xff\xff", CorruptFile, "4294967295 Gaussians take .* its header lies"),
        (8, b"\x06", CorruptFile, "rotations: .* expected 24 for 6 Gaussians"),
        (8, b"\x04", CorruptFile, "20 bytes after 4 Gaussians, expected none"),
        (12, b"\x05", CorruptFile, "harmonics of degree 5, expected 0 to 4"),
        (13, b"\x19", CorruptFile, "25 of a position's 24 bits"),
    ],
)
def test_a_header_that_lies_is_found(tmp_path: Path, place: int, new: bytes, error: type, problem: str) -> None:
    write_splats(tmp_path / "a.spz", random_cloud(5, 0))
    (tmp_path / "b.spz").write_bytes(patched((tmp_path / "a.spz").read_bytes(), place, new))
    with pytest.raises(error, match=rf"b\.spz: .*{problem}"):
        read_splats(tmp_path / "b.spz")


@pytest.mark.parametrize("version", [3, 4])
def test_every_truncation_is_found(tmp_path: Path, version: Any) -> None:
    needs_zstandard(version)
    write_splats(tmp_path / "a.spz", random_cloud(5, 1), spz_version=version)
    content = (tmp_path / "a.spz").read_bytes()
    for length in range(4, len(content)):
        (tmp_path / "b.spz").write_bytes(content[:length])
        with pytest.raises((CorruptFile, UnknownFormat)):
            read_splats(tmp_path / "b.spz")


def peak_megabytes(path: Path, problem: str) -> float:
    """Memory that refusing a file takes."""
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFile, match=problem):
            read_splats(path)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_gzip_bombs_are_refused_before_they_burst(tmp_path: Path) -> None:
    head = struct.pack("<4sIIBBBB", b"NGSP", 3, 10_000_000, 3, 12, 0, 0)
    (tmp_path / "a.spz").write_bytes(gzip.compress(head + bytes(100_000_000)))
    assert peak_megabytes(tmp_path / "a.spz", "its header lies") < 8
    head = struct.pack("<4sIIBBBB", b"NGSP", 3, 0, 0, 12, 2, 0)
    (tmp_path / "b.spz").write_bytes(gzip.compress(head + bytes(100_000_000)))
    assert peak_megabytes(tmp_path / "b.spz", "goes on after 0 Gaussians") < 8


def fourth(header: tuple, table: list[tuple[int, int]], content: bytes) -> bytes:
    """A file of version 4, perhaps a lying one."""
    return LONG.pack(b"NGSP", *header) + b"".join(ENTRY.pack(*entry) for entry in table) + content


def test_zstandard_bombs_are_refused_before_they_burst(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="SPZ of version 4 needs zstandard")
    bomb = zstandard.ZstdCompressor().compress(bytes(200_000_000))
    sizes = (9, 1, 3, 3, 4)
    table = [(len(bomb), size) for size in sizes]
    (tmp_path / "a.spz").write_bytes(fourth((4, 1, 0, 12, 0, 5, 32), table, 5 * bomb))
    assert peak_megabytes(tmp_path / "a.spz", "a stream of 200000000 bytes, expected 9") < 8
    (tmp_path / "a.spz").write_bytes(
        fourth((4, 10_000_000, 0, 12, 0, 5, 32), [(40, 10_000_000 * s) for s in sizes], bytes(200))
    )
    assert peak_megabytes(tmp_path / "a.spz", "its header lies") < 8
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(200_000_000))  # does not say its size
    table = [(len(silent), size) for size in sizes]
    (tmp_path / "a.spz").write_bytes(fourth((4, 1, 0, 12, 0, 5, 32), table, 5 * silent))
    assert peak_megabytes(tmp_path / "a.spz", "positions: ") < 8


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ((5, 5, 0, 12, 0, 5, 32), "version 5; expected 4"),
        ((3, 5, 0, 12, 0, 5, 32), "version 3; expected 4"),
        ((4, 5, 0, 12, 0, 6, 32), "6 streams and a table at byte 32 .* expected 5 streams"),
        ((4, 5, 0, 12, 0, 5, 31), "a table at byte 31"),
        ((4, 5, 0, 12, 0, 5, 1 << 31), "a table at byte 2147483648"),
        ((4, 5, 0, 12, 0, 5, 33), "its streams end elsewhere"),
        ((4, 4, 0, 12, 0, 5, 32), "45 bytes of positions, expected 36 for 4 Gaussians"),
        ((4, 5, 1, 12, 0, 5, 32), "expected 6 streams"),
    ],
)
def test_a_header_of_version_4_that_lies_is_found(tmp_path: Path, header: tuple, problem: str) -> None:
    needs_zstandard(4)
    write_splats(tmp_path / "a.spz", random_cloud(5, 0), spz_version=4)
    content = (tmp_path / "a.spz").read_bytes()
    (tmp_path / "a.spz").write_bytes(LONG.pack(b"NGSP", *header) + content[32:])
    with pytest.raises((CorruptFile, UnknownFormat), match=problem):
        read_splats(tmp_path / "a.spz")


def test_extensions_of_version_4_lie_before_its_table(tmp_path: Path) -> None:
    needs_zstandard(4)
    write_splats(tmp_path / "a.spz", random_cloud(5, 0), spz_version=4)
    content = (tmp_path / "a.spz").read_bytes()
    record = struct.pack("<III", 0xADBE0003, 4, spz._AXES.index("RDF") + 1)
    (tmp_path / "b.spz").write_bytes(LONG.pack(b"NGSP", 4, 5, 0, 12, 2, 5, 32 + len(record)) + record + content[32:])
    found, plain = read_splats(tmp_path / "b.spz").cloud, read_splats(tmp_path / "a.spz").cloud
    torch.testing.assert_close(found.means, plain.means * torch.tensor([1.0, -1, -1]))


def test_version_4_without_zstandard_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        BackendUnavailable, match=r'needs the package zstandard.*pip install "trisparse\[views\]".*version 3'
    ):
        write_splats(tmp_path / "a.spz", random_cloud(5, 0), spz_version=4)
    assert not (tmp_path / "a.spz").exists()
    (tmp_path / "b.spz").write_bytes(base64.b64decode(RECORDED[4, 0]))
    with pytest.raises(BackendUnavailable, match="zstandard"):
        read_splats(tmp_path / "b.spz")


def test_the_same_cloud_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.spz", "b.spz"):
        write_splats(tmp_path / name, random_cloud(30, 2))
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()
