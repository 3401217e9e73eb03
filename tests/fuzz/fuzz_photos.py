"""Small valid models of photos with cameras, to be damaged."""

from __future__ import annotations

import io
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_seeds import ply_files, written
from PIL import Image
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.readers.colmap_writing import write_colmap
from trisparse.data.readers.nerfstudio import write_transforms

NAMES = ("p0.png", "p1.png")
_WIDTH, _HEIGHT = 8, 6


def photo_files() -> dict[str, bytes]:
    """Two photos of one size."""
    return dict.fromkeys(NAMES, _encoded(np.full((_HEIGHT, _WIDTH, 3), 7, np.uint8), "PNG"))


def _photos(distortion: list[float], model: Any) -> PosedImages:
    centers = torch.tensor([[0.0, -3, 1], [0.5, -3, 1]])
    K = torch.tensor([[9.0, 0, 4], [0, 9, 3], [0, 0, 1]]).expand(2, 3, 3)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=_WIDTH, height=_HEIGHT)
    rows = torch.tensor([distortion]).expand(2, len(distortion))
    cameras = Cameras(cameras.camera_from_world, K, _WIDTH, _HEIGHT, model, rows)
    cloud = PointCloud(torch.tensor([[0.0, 0, 0], [0.1, 0.2, 0.3], [-0.2, 0, 0.1]]), torch.eye(3))
    points = SparsePoints(cloud, torch.tensor([[True, True], [True, False], [False, False]]))
    return PosedImages.from_tensors(cameras, torch.zeros(2, _HEIGHT, _WIDTH, 3), NAMES, points)


def colmap_files(binary: bool) -> dict[str, list[bytes]]:
    """The three files of models with several kinds of lenses."""
    found: dict[str, list[bytes]] = {}
    for lens, model in (([], "pinhole"), ([0.1, 0.01, 0.002, 0.001], "opencv"), ([0.1, 0, 0, 0], "fisheye")):
        with tempfile.TemporaryDirectory() as folder:
            written = write_colmap(_photos(lens, model), folder, binary=binary, with_photos=False)
            for file in sorted(written.iterdir()):
                found.setdefault(file.name, []).append(file.read_bytes())
    return found


def transforms_files() -> dict[str, list[bytes]]:
    """As nerfstudio and as instant-ngp write them, and the points that the first names."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_transforms(_photos([0.1, 0.01, 0.002, 0.001, 0.0], "opencv"), Path(folder), with_photos=False)
        ours = json.loads(file.read_bytes())
    frames = [dict(frame, sharpness=30.5, fl_x=9.5, cx=4.25, k1=0.01) for frame in ours["frames"]]
    for frame in frames:
        frame["file_path"] = "./" + frame["file_path"].removesuffix(".png")
    others = [
        {"camera_angle_x": 0.8, "aabb_scale": 4, "frames": frames},
        {**ours, "camera_model": "OPENCV_FISHEYE", "k3": 0.0, "k4": 0.01},
    ]
    return {"transforms.json": [json.dumps(c).encode() for c in (ours, *others)], "sparse_pc.ply": ply_files()[:2]}


def blender_files() -> dict[str, list[bytes]]:
    """With the field of view in radians for all, as Blender writes it."""
    frames = json.loads(transforms_files()["transforms.json"][1])["frames"]
    for frame in frames:
        for key in ("fl_x", "cx", "k1", "sharpness"):
            del frame[key]
    whole = {"camera_angle_x": 0.8, "frames": [dict(frame, rotation=0.01) for frame in frames]}
    return {"transforms_train.json": [json.dumps(whole).encode()]}


def llff_files() -> dict[str, list[bytes]]:
    """A table of two rows: double and single precision, rows and columns first."""
    row = [[0.0, 1, 0, 0.5, _HEIGHT], [0, 0, 1, -3, _WIDTH], [1, 0, 0, 1, 9]]
    table = np.array([[*np.ravel(row), 1.5, 9.5], [*np.ravel(row), 1.25, 8]])
    tables = table, table.astype(np.float32), np.asfortranarray(table)
    return {"poses_bounds.npy": [written(partial(np.save, arr=t, allow_pickle=False), "a.npy") for t in tables]}


def dtu_files() -> dict[str, list[bytes]]:
    """A projection matrix each, and a mask each, one of whose kinds is twice as large as the photos."""
    K = np.array([[9.0, 0, 3.5], [0, 9, 2.5], [0, 0, 1]])
    found: dict[str, list[bytes]] = {}
    for number in (1, 2):
        pose = np.array([[1.0, 0, 0, -100 * number], [0, 1, 0, 20], [0, 0, 1, 600]])
        rows = "\n".join(" ".join(f"{value:.6g}" for value in row) for row in (K @ pose).tolist())
        found[f"pos_00{number}.txt"] = [f"{rows}\n".encode()]
        masks = [np.full((_HEIGHT * f, _WIDTH * f), 255, np.uint8) for f in (1, 2)]
        found[f"00{number - 1}.png"] = [_encoded(mask, "PNG") for mask in masks]
    return found


def camera_json_files() -> dict[str, list[bytes]]:
    """Frames of several kinds of lenses, and points with and without colours and sights."""
    found: dict[str, list[bytes]] = {}
    for lens, model in (([], "pinhole"), ([0.1, 0.01, 0.002, 0.001], "opencv"), ([0.1, 0, 0, 0], "fisheye")):
        with tempfile.TemporaryDirectory() as folder:
            written_file = write_camera_json(_photos(lens, model), folder, with_photos=False)
            for file in (written_file, written_file.with_name("points.npz")):
                found.setdefault(file.name, []).append(file.read_bytes())
    bare = written(partial(np.savez, xyz=np.zeros((4, 3))), "a.npz")
    return {**found, "points.npz": [*found["points.npz"][:1], bare]}


def middlebury_files() -> dict[str, list[bytes]]:
    """With and without the number of lines."""
    numbers = "9 0 3.5 0 9 2.5 0 0 1 1 0 0 0 1 0 0 0 1"
    lines = "\n".join(f"{name} {numbers} {0.1 * i:g} 0 3" for i, name in enumerate(NAMES))
    return {"a_par.txt": [f"2\n{lines}\n".encode(), lines.encode()]}


def dtu_photo_files() -> dict[str, bytes]:
    """Photos under DTU's names."""
    return {f"rect_00{i}_3_r5000.png": content for i, content in enumerate(photo_files().values(), 1)}


def image_files() -> list[bytes]:
    """Every kind of pixel and file that is read: colour, grey, palette, deep, transparent, turned, interlaced, striped."""
    levels = np.arange(_HEIGHT * _WIDTH * 4, dtype=np.uint8).reshape(_HEIGHT, _WIDTH, 4)
    rgb = np.ascontiguousarray(levels[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    files = [_encoded(rgb, format) for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")]
    files += [_encoded(levels, format) for format in ("PNG", "WEBP", "TIFF")]
    files += [_encoded(levels[..., 0], format) for format in ("PNG", "JPEG")]
    files += [_encoded(levels[..., 0].astype(np.uint16) * 257, format) for format in ("PNG", "TIFF")]
    files += [_encoded(levels[..., 0] / np.float32(255), "TIFF"), _encoded(levels[..., 0] > 9, "PNG")]
    files += [_encoded(rgb, format, exif=exif) for format in ("PNG", "JPEG", "TIFF", "WEBP")]
    files += [_encoded(rgb, "JPEG", progressive=True), _encoded(rgb, "TIFF", compression="tiff_lzw")]
    return [*files, _encoded(palette, "PNG", transparency=3), _encoded(palette, "GIF")]


def _encoded(pixels: np.ndarray | Image.Image, format: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
