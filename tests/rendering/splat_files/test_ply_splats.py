"""PLY files of Gaussians: the layout that others read, and the variety that others write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, MissingPart, UnknownFormat
from trisparse.data.readers.ply import read_ply, write_ply
from trisparse.rendering.splat_files.files import read_splats, write_splats

from tests.rendering.splat_files.clouds import assert_same, random_cloud


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_what_is_written_is_read_to_the_bit(tmp_path: Path, n: int, degree: int) -> None:
    cloud = random_cloud(n, degree)
    assert write_splats(tmp_path / "a.ply", cloud) == ()
    file = read_splats(tmp_path / "a.ply")
    assert_same(file.cloud, cloud)
    assert (file.format, file.notes, file.antialiased) == ("PLY", (), None)


def test_the_layout_is_that_of_the_original_implementation(tmp_path: Path) -> None:
    cloud = random_cloud(2, 1)
    write_splats(tmp_path / "a.ply", cloud)
    content = (tmp_path / "a.ply").read_bytes()
    header, _, body = content.partition(b"end_header\n")
    names = [
        "x",
        "y",
        "z",
        "nx",
        "ny",
        "nz",
        "f_dc_0",
        "f_dc_1",
        "f_dc_2",
        *(f"f_rest_{i}" for i in range(9)),
        "opacity",
    ]
    names += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 2",
        *(f"property float {name}" for name in names),
    ]
    assert header.decode().splitlines() == lines
    row = np.frombuffer(body, "<f4").reshape(2, len(names))[1]
    np.testing.assert_array_equal(row[:9], [*cloud.means[1], 0, 0, 0, *cloud.sh[1, 0]])
    np.testing.assert_array_equal(row[9:18], cloud.sh[1, 1:].T.flatten())  # all of red, then of green, then of blue
    np.testing.assert_array_equal(row[18:], [cloud.opacity_logits[1], *cloud.log_scales[1], *cloud.quats[1]])


def _columns(path: Path) -> dict:
    return read_ply(path).elements["vertex"].columns


@pytest.mark.parametrize("encoding", ["ascii", "binary_big_endian", "binary_little_endian"])
def test_any_order_of_properties_and_any_encoding_is_read(tmp_path: Path, encoding) -> None:
    cloud = random_cloud(7, 2)
    write_splats(tmp_path / "a.ply", cloud)
    columns = _columns(tmp_path / "a.ply")
    shuffled = {name: columns[name] for name in sorted(columns, key=lambda name: name[::-1])}
    shuffled["filter_3D"] = np.ones(7, np.float32)
    shuffled["x"] = shuffled["x"].astype(np.float64)
    write_ply(tmp_path / "b.ply", {"vertex": shuffled, "camera": {"fov": np.ones(3)}}, encoding=encoding)
    assert_same(read_splats(tmp_path / "b.ply").cloud, cloud)


def test_normals_and_further_harmonics_may_be_missing(tmp_path: Path) -> None:
    cloud = random_cloud(5, 3)
    write_splats(tmp_path / "a.ply", cloud)
    few = {n: c for n, c in _columns(tmp_path / "a.ply").items() if n not in ("nx", "ny", "nz") and "rest" not in n}
    write_ply(tmp_path / "b.ply", {"vertex": few})
    assert_same(read_splats(tmp_path / "b.ply").cloud, cloud.with_degree(0))


def test_missing_harmonics_are_written_as_zeros_and_further_ones_cut_off_where_asked(tmp_path: Path) -> None:
    cloud = random_cloud(5, 1)
    assert write_splats(tmp_path / "a.ply", cloud, sh_degree=3) == ()
    assert_same(read_splats(tmp_path / "a.ply").cloud, cloud.with_degree(3))
    assert write_splats(tmp_path / "a.ply", cloud, sh_degree=0) == ("harmonics above degree 0 are not in the file",)
    assert_same(read_splats(tmp_path / "a.ply").cloud, cloud.with_degree(0))


@pytest.mark.parametrize("name", ["x", "f_dc_2", "opacity", "scale_2", "rot_3"])
def test_a_missing_property_is_named(tmp_path: Path, name: str) -> None:
    write_splats(tmp_path / "a.ply", random_cloud(3, 1))
    columns = _columns(tmp_path / "a.ply")
    del columns[name]
    write_ply(tmp_path / "b.ply", {"vertex": columns})
    with pytest.raises(MissingPart, match=rf"b\.ply: no property '{name}'.*expected Gaussians"):
        read_splats(tmp_path / "b.ply")


def test_plain_points_and_files_without_any_are_told_so(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", {"vertex": {name: np.zeros(3, np.float32) for name in "xyz"}})
    with pytest.raises(MissingPart, match=r"'f_dc_0'.*plain points"):
        read_splats(tmp_path / "a.ply")
    write_ply(tmp_path / "b.ply", {"face": {"a": np.zeros(3)}})
    with pytest.raises(MissingPart, match="'x' of an element 'vertex'"):
        read_splats(tmp_path / "b.ply")


def test_properties_that_are_lists_are_refused(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", random_cloud(3, 1))
    columns = _columns(tmp_path / "a.ply")
    columns["rot_1"] = np.zeros((3, 2), np.float32)
    write_ply(tmp_path / "b.ply", {"vertex": columns})
    with pytest.raises(MissingPart, match=r"b\.ply: no scalar property 'rot_1'"):
        read_splats(tmp_path / "b.ply")


def test_a_number_of_harmonics_that_no_degree_has_is_refused(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", random_cloud(3, 2))
    columns = _columns(tmp_path / "a.ply")
    del columns["f_rest_23"]
    write_ply(tmp_path / "b.ply", {"vertex": columns})
    with pytest.raises(CorruptFile, match=r"header: 23 properties f_rest_\*; expected 0, 9, 24 or 45"):
        read_splats(tmp_path / "b.ply")
    columns["f_rest_24"] = columns["f_rest_0"]  # as many as there should be, but one is missing
    write_ply(tmp_path / "b.ply", {"vertex": columns})
    with pytest.raises(MissingPart, match="f_rest_23"):
        read_splats(tmp_path / "b.ply")


def test_compressed_files_of_supersplat_are_named_as_such(tmp_path: Path) -> None:
    table = {"packed_position": np.zeros(2, np.uint32), "packed_color": np.zeros(2, np.uint32)}
    write_ply(tmp_path / "a.ply", {"chunk": {"min_x": np.zeros(1)}, "vertex": table})
    with pytest.raises(UnknownFormat, match="compressed PLY file of SuperSplat"):
        read_splats(tmp_path / "a.ply")


def test_numbers_too_large_for_single_precision_are_found_in_their_row(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", random_cloud(4, 0))
    columns = _columns(tmp_path / "a.ply")
    columns["z"] = np.array([0, 0, 1e300, 0])
    write_ply(tmp_path / "b.ply", {"vertex": columns})
    with pytest.raises(CorruptFile, match=r"b\.ply: Gaussian 2: hold NaN or infinity \(1 of 4\)"):
        read_splats(tmp_path / "b.ply")


def test_the_file_needs_no_gradients_and_no_single_precision(tmp_path: Path) -> None:
    cloud = random_cloud(3, 1)
    wide = cloud.to(torch.float64)
    for name in ("means", "sh"):
        getattr(wide, name).requires_grad_()
    write_splats(tmp_path / "a.ply", wide)
    assert_same(read_splats(tmp_path / "a.ply").cloud, cloud)
