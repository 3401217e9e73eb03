"""Depth Anything 3 (Lin et al., 2025; arXiv 2511.10647), told the cameras.

Written for ``depth_anything_3.api.DepthAnything3`` of the package ``depth-anything-3`` 0.1.1, whose documentation and
signatures were read. So far it has run against a stand-in with that interface alone, never with real weights.
"""

from __future__ import annotations

import numpy as np
import torch

from ...data.cameras import Cameras
from ...data.posed_images import PosedImages
from .prediction import Prediction, aside, poses, stacked
from .weights import Source, Weights

SOURCE = Source(
    name="Depth Anything 3",
    module="depth_anything_3.api",
    install="pip install depth-anything-3",
    repository="depth-anything/DA3-BASE",
    licences={
        **dict.fromkeys(
            (f"depth-anything/{name}" for name in ("DA3-SMALL", "DA3-BASE", "DA3METRIC-LARGE", "DA3MONO-LARGE")),
            "Apache-2.0, as their authors say",
        ),
        **dict.fromkeys(
            (
                f"depth-anything/{name}{version}"
                for name in ("DA3-LARGE", "DA3-GIANT", "DA3NESTED-GIANT-LARGE")
                for version in ("", "-1.1")
            ),
            "CC BY-NC 4.0 (not for commercial use), as their authors say",
        ),
    },
)


def predict(photos: PosedImages, weights: Weights, device: str) -> Prediction:
    """Depth of photos at the model's own size, in the cameras' scale as far as the model keeps to it."""
    model_class = SOURCE.import_module().DepthAnything3
    images = [(photos.image(row).detach().cpu() * 255).round().byte().numpy() for row in range(len(photos))]
    cameras = photos.cameras.to("cpu").to(torch.float64)
    length = _mean_distance(cameras)
    told = {} if _on_a_line(cameras) else _told(cameras, length)
    with aside(), torch.no_grad():
        model = model_class.from_pretrained(str(weights.place)).to(device).eval()
        found = model.inference(images, **told)
    depth = stacked("depth", found.depth, len(photos)) * length
    confidence = torch.ones_like(depth) if found.conf is None else stacked("confidence", found.conf, len(photos))
    if found.sky is not None:
        depth = torch.where(stacked("sky", found.sky, len(photos)) > 0.5, torch.zeros_like(depth), depth)
    if found.extrinsics is None:
        return Prediction(depth, confidence, None)
    where = poses(found.extrinsics, len(photos))
    where[:, :3, 3] *= length
    notes = () if told else ("the cameras stand on a line, so that Depth Anything 3 was not told where",)
    return Prediction(depth, confidence, where, notes)


def _mean_distance(cameras: Cameras) -> float:
    """From the first camera to the others. The package divides by about that, but by no less than 0.1."""
    return float((cameras.centers[1:] - cameras.centers[0]).norm(dim=1).mean())


def _on_a_line(cameras: Cameras) -> bool:
    """Whether the package could not align its own cameras with these: it looks for a rotation, which a line leaves open."""
    spread = torch.linalg.svdvals(cameras.centers - cameras.centers.mean(0))
    return len(cameras) < 3 or float(spread[1]) < 1e-6 * float(spread[0])


def _told(cameras: Cameras, length: float) -> dict[str, np.ndarray]:
    scaled = cameras.moved(1 / length, torch.eye(4, dtype=torch.float64))
    return {
        "extrinsics": scaled.camera_from_world.float().numpy(),
        "intrinsics": scaled.K.float().numpy(),
    }
