"""What `trisparse render` says of photos and files that are not what it needs: one line with the name, or a note."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.readers.ply import read_ply, write_ply
from trisparse.pipelines import cli
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import read_splats, write_splats

WIDTH, HEIGHT = 32, 24


def _photos(n: int = 3) -> PosedImages:
    """Photos of nothing in particular, around the origin, and forty points there."""
    random = torch.Generator().manual_seed(1)
    angles = torch.linspace(-0.5, 0.5, n)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.full((n,), 0.3)], 1)
    K = torch.tensor([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]]).repeat(n, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=WIDTH, height=HEIGHT)
    images = torch.randint(0, 256, (n, HEIGHT, WIDTH, 3), generator=random) / 255
    cloud = PointCloud(0.2 * torch.randn(40, 3, generator=random), torch.rand(40, 3, generator=random))
    points = SparsePoints(cloud, torch.ones(40, n, dtype=torch.bool))
    return PosedImages.from_tensors(cameras, images, [f"{i}.png" for i in range(n)], points)


def _cloud() -> GaussianCloud:
    random = torch.Generator().manual_seed(0)
    return GaussianCloud.from_points(0.3 * torch.randn(50, 3, generator=random), torch.rand(50, 3, generator=random))


def _render(tmp_path: Path, what: Path, *words: str) -> int:
    places = ("--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"))
    return cli.main(["render", str(what), *words, *places])


def _refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: Path, *words: str) -> str:
    """The one line that the command ends with."""
    code = _render(tmp_path, what, *words)
    printed = capsys.readouterr()
    assert code == 1, printed.out
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("trisparse render: error: ")
    assert "Traceback" not in printed.out + printed.err
    assert not (tmp_path / "out").exists()
    return printed.err


# Photos

_FEW = ("--method", "3dgs", "--steps", "3", "--frames", "0", "--export")
"""Quick, and with points as the file has them."""


def _folder(change: Callable[[Path], object], n: int = 3) -> Callable[[Path], Path]:
    def made(tmp_path: Path) -> Path:
        write_camera_json(_photos(n), tmp_path / "set")
        change(tmp_path / "set")
        return tmp_path / "set"

    return made


def _frames(change: Callable[[list[Any]], object]) -> Callable[[Path], object]:
    def changed(folder: Path) -> None:
        content = json.loads((folder / "cameras.json").read_text())
        change(content["frames"])
        (folder / "cameras.json").write_text(json.dumps(content))

    return changed


def _empty(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def _lone_photo(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 6)).save(_empty(tmp_path) / "a.jpg")
    return tmp_path / "set"


def _jpeg(folder: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(out, "JPEG")
    (folder / "images" / "1.png").write_bytes(out.getvalue()[:-200])


def _resized(folder: Path) -> None:
    Image.new("RGB", (HEIGHT, WIDTH)).save(folder / "images" / "1.png")


def _no_photos(folder: Path) -> None:
    for file in (folder / "images").iterdir():
        file.unlink()


def _outwards(folder: Path) -> None:
    """Each camera looks away from where the others look."""
    centers = torch.tensor([[0.0, 0.5, 0], [0.5, -0.5, 0], [-0.5, -0.5, 0]])
    photos = _photos()
    cameras = [Cameras.looking_at(c[None], 9 * c, photos.cameras.K[:1], width=WIDTH, height=HEIGHT) for c in centers]
    poses = torch.cat([camera.camera_from_world for camera in cameras])
    away = replace(photos, cameras=replace(photos.cameras, camera_from_world=poses), points=None)
    (folder / "points.npz").unlink()
    write_camera_json(away, folder)


def _one_place(folder: Path) -> None:
    _frames(lambda frames: [frame.update(R=frames[0]["R"], t=frames[0]["t"]) for frame in frames])(folder)


@pytest.mark.parametrize(
    ("made", "words", "message"),
    [
        (_empty, (), "set: no photos and no cameras that are read here; looked for "),
        (_lone_photo, (), "set: 1 photos and no cameras that are read here"),
        (lambda tmp: _lone_photo(tmp) / "a.jpg", (), "a.jpg: one photo; give the folder of several"),
        (lambda tmp: tmp / "nowhere", (), "nowhere: no such file or folder"),
        (_folder(_no_photos), (), "none of its 3 photos is there; looked for '0.png'"),
        (_folder(lambda f: None, n=1), ("--steps", "3"), "depth from 1 photo: at least two from different places"),
        (_folder(lambda f: None), ("--train", "1", "--steps", "3"), "depth from 1 photo"),
        (
            _folder(lambda f: None),
            ("--train", "1", *_FEW),
            "none of the 40 sparse points is seen by two of the 1 photos",
        ),
        (_folder(_resized), (), "frame 1: its camera sees 32 x 24 pixels, but the photo"),
        (_folder(_jpeg), _FEW, "1.png: pixels: the pixels cannot be decoded"),
        (_folder(_frames(lambda frames: frames[1].update(K=[[0] * 3] * 3))), (), "frame 1: K is [[0.0"),
        (
            _folder(_frames(lambda frames: frames[1]["K"][0].__setitem__(0, 0))),
            (),
            "frame 1: the focal lengths are 0 and 30 pixels",
        ),
        (_folder(_outwards), (), "no two of the 3 cameras see the same space"),
        (_folder(_outwards), ("--method", "3dgs-random"), "no two of the 3 cameras see the same space"),
        (_folder(_one_place), (), "all 3 cameras stand at one place"),
    ],
)
def test_photos_that_cannot_be_used_are_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    made: Callable[[Path], Path],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert message in _refused(tmp_path, capsys, made(tmp_path), *words)


def test_what_is_odd_but_usable_is_rendered_with_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Photos that are grey, deep, transparent or not there, one without a camera, points behind a camera."""
    write_camera_json(_photos(5), tmp_path / "set")
    images = tmp_path / "set" / "images"
    levels = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    Image.fromarray(levels[..., 0]).save(images / "0.png")
    Image.fromarray(levels[..., 0].astype(np.uint16) * 257).save(images / "1.png")
    Image.fromarray(levels).save(images / "2.png")
    (images / "4.png").rename(images / "stray.png")
    with np.load(tmp_path / "set" / "points.npz") as file:
        points = dict(file)
    points["xyz"][:3, 1] -= 100
    np.savez(tmp_path / "set" / "points.npz", allow_pickle=False, **points)
    assert _render(tmp_path, tmp_path / "set", *_FEW, "ply") == 0
    printed = capsys.readouterr().out
    for note in (
        "1 photos have no camera (stray.png): left out",
        "1 of 5 photos are not there (4.png): left out",
        "1 photos: each brought from 16 or 32 bits to 8",
        "1 photos: each laid on the colour (0, 0, 0) where it is transparent",
        "12 sights of points are by cameras that the points lie behind: left out",
    ):
        assert f"note: {note}" in printed
    assert len(read_splats(tmp_path / "out" / "splats.ply").cloud) == 37


# Splat files

_SOON = ("--frames", "1", "--longest", "16", "--video", "webp", "--export", "ply")


def test_gaussians_with_nan_are_left_out_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = _cloud()
    cloud.means[3, 1] = torch.nan
    cloud.quats[7] = torch.inf
    write_nan(tmp_path / "a.ply", cloud)
    assert _render(tmp_path, tmp_path / "a.ply", *_SOON) == 0
    assert "note: 2 of 50 Gaussians hold NaN or infinity and were left out" in capsys.readouterr().out
    assert len(read_splats(tmp_path / "out" / "splats.ply").cloud) == 48


def write_nan(path: Path, cloud: GaussianCloud) -> None:
    """A PLY file that holds what our writer refuses."""
    write_splats(path, _cloud())
    columns = dict(read_ply(path).elements["vertex"].columns)
    columns |= {name: cloud.means[:, i].numpy() for i, name in enumerate("xyz")}
    columns |= {f"rot_{i}": cloud.quats[:, i].numpy() for i in range(4)}
    write_ply(path, {"vertex": columns})


def test_a_ply_without_further_harmonics_is_rendered(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", _cloud(), sh_degree=0)
    assert not [name for name in read_ply(tmp_path / "a.ply").elements["vertex"].columns if name.startswith("f_rest")]
    assert _render(tmp_path, tmp_path / "a.ply", *_SOON) == 0
    assert (tmp_path / "out" / "orbit.webp").is_file()


def _all_nan(path: Path) -> None:
    cloud = _cloud()
    write_nan(path, replace(cloud, means=cloud.means * torch.nan))


def _points(path: Path) -> None:
    write_ply(path, {"vertex": {name: np.zeros(3, np.float32) for name in "xyz"}})


def _odd_harmonics(path: Path) -> None:
    write_splats(path, _cloud(), sh_degree=1)
    columns = dict(read_ply(path).elements["vertex"].columns)
    del columns["f_rest_8"]
    write_ply(path, {"vertex": columns})


def _spz(version: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(gzip.compress(struct.pack("<4sIIBBBB", b"NGSP", version, 0, 0, 12, 0, 0)))

    return write


def _far(path: Path) -> None:
    cloud = _cloud()
    write_nan(path, replace(cloud, means=cloud.means * 1e37))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.ply", _all_nan, "a.ply: no Gaussian to render (50 of 50 Gaussians hold NaN or infinity and were left out)"),
        ("a.ply", lambda path: write_splats(path, _cloud()[:0]), "a.ply: no Gaussian to render"),
        ("a.ply", _points, "a.ply: no property 'f_dc_0' of an element 'vertex'; expected Gaussians"),
        ("a.ply", _odd_harmonics, "a.ply: header: 8 properties f_rest_*; expected 0, 9, 24 or 45"),
        ("a.ply", _far, "a.ply: no Gaussian to render (50 of 50 Gaussians lie or reach beyond 1e15"),
        ("a.ply", lambda path: path.write_bytes(b""), "a.ply: byte 0: the file is empty"),
        ("a.spz", _spz(1), "a.spz: SPZ of version 1; expected 2 or 3"),
        ("a.spz", _spz(9), "a.spz: SPZ of version 9; expected 2 or 3"),
        ("a.spz", lambda path: path.write_bytes(b"NGSP" + struct.pack("<I", 5) + bytes(24)), "a.spz: SPZ of version 5"),
        ("a.spz", lambda path: path.write_bytes(gzip.compress(b"hello")), "a.spz: a gzip file of 5 bytes"),
        ("a.splat", lambda path: path.write_bytes(bytes(50)), "a.splat: byte 32: 50 bytes, expected a multiple of 32"),
    ],
)
def test_files_that_hold_no_splats_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / name)
    assert message in _refused(tmp_path, capsys, tmp_path / name, *_SOON)
