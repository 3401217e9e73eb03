"""Small valid models of photos with cameras, to be damaged."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_seeds import ply_files
from PIL import Image
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.colmap_writing import write_colmap
from trisparse.data.readers.nerfstudio import write_transforms

NAMES = ("p0.png", "p1.png")
_WIDTH, _HEIGHT = 8, 6


def photo_files() -> dict[str, bytes]:
    """Two photos of one size."""
    out = {}
    for name in NAMES:
        file = io.BytesIO()
        Image.fromarray(np.full((_HEIGHT, _WIDTH, 3), 7, np.uint8)).save(file, "PNG")
        out[name] = file.getvalue()
    return out


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
