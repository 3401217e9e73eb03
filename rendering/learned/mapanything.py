"""MapAnything (Keetha et al., 2025; arXiv 2509.13414), told the cameras.

Written for ``mapanything.models.MapAnything`` as its README and the docstring of ``infer`` describe it. So far it has run
against a stand-in with that interface alone, never with real weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import BackendUnavailable, MissingPart
from ...data.posed_images import PosedImages
from .prediction import Prediction, aside, patched_size, poses, resized_images, stacked
from .weights import Source, Weights

SOURCE = Source(
    name="MapAnything",
    module="mapanything.models",
    install="pip install git+https://github.com/facebookresearch/map-anything",
    repository="facebook/map-anything-apache",
    licences={
        "facebook/map-anything-apache": "Apache-2.0, as their authors say",
        "facebook/map-anything": "CC BY-NC 4.0 (not for commercial use), as their authors say",
    },
)

_LONGEST = 518
_NORMALISATION = "dinov2"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the encoder DINOv2 takes."""


def predict(photos: PosedImages, weights: Weights, device: str, *, allow_download: bool) -> Prediction:
    """Depth of photos at the model's own size and scale: metres, where its guess of the scale is right.

    Raises:
        MissingPart: The code of DINOv2, which its package fetches through torch's hub, is not on this machine.
    """
    model_class = SOURCE.import_module().MapAnything
    views = _views(photos)
    with aside(), torch.no_grad():
        with _without_spare_downloads(allow_download):
            model = model_class.from_pretrained(str(weights.place)).to(device).eval()
        expected = getattr(getattr(model, "encoder", None), "data_norm_type", _NORMALISATION)
        if expected != _NORMALISATION:
            raise BackendUnavailable(
                f"these weights of MapAnything want images normalised for {expected!r}; only {_NORMALISATION!r} is known here"
            )
        found = model.infer(
            views,
            memory_efficient_inference=False,
            use_amp=torch.device(device).type == "cuda",
            apply_mask=True,
            mask_edges=True,
            apply_confidence_mask=False,
        )
    return _prediction(found)


def _views(photos: PosedImages) -> list[dict[str, Any]]:
    width, height = patched_size(photos.cameras.width, photos.cameras.height, _LONGEST)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
    images = (resized_images(photos, width, height) - mean) / deviation
    cameras = photos.cameras.to("cpu").to(torch.float64).resized(width, height)
    K = cameras.K.clone()
    K[:, :2, 2] -= 0.5  # its first pixel centre is at (0, 0)
    return [
        {
            "img": images[row : row + 1],
            "data_norm_type": [_NORMALISATION],
            "intrinsics": K[row : row + 1].float(),
            "camera_poses": cameras.world_from_camera[row : row + 1].float(),
            "is_metric_scale": torch.tensor([False]),  # the world of photos has any scale
        }
        for row in range(len(photos))
    ]


def _prediction(found: list[dict[str, Tensor]]) -> Prediction:
    n = len(found)
    depth = stacked("depth", torch.cat([view["depth_z"] for view in found]), n, trailing=1)
    confidence = stacked("confidence", torch.cat([view["conf"] for view in found]), n)
    if all("mask" in view for view in found):
        valid = stacked("mask", torch.cat([view["mask"] for view in found]), n, trailing=1) > 0.5
        depth = torch.where(valid, depth, torch.zeros_like(depth))
    if not all("camera_poses" in view for view in found):
        return Prediction(depth, confidence, None)
    return Prediction(depth, confidence, _inverse(poses(torch.cat([view["camera_poses"] for view in found]), n)))


def _inverse(pose: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n 4 4"]:
    out = pose.clone()
    out[:, :3, :3] = pose[:, :3, :3].mT
    out[:, :3, 3] = -(pose[:, :3, :3].mT @ pose[:, :3, 3:])[..., 0]
    return out


@contextmanager
def _without_spare_downloads(allow_download: bool) -> Iterator[None]:
    """The model is built without DINOv2's own weights, which the checkpoint replaces, and from local code of DINOv2.

    Its package calls ``torch.hub.load`` while it is built, unasked: 4.5 GB that are overwritten at once (map-anything, issue
    149), and code from GitHub. No argument of ``from_pretrained`` keeps it from that.
    """
    original = torch.hub.load

    def load(repository: str, model: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["pretrained"] = False
        if allow_download or kwargs.get("source") == "local":
            return original(repository, model, *args, **kwargs)
        owner_name, _, branch = repository.partition(":")
        stem = owner_name.replace("/", "_")
        folders = [
            Path(torch.hub.get_dir()) / f"{stem}_{name}" for name in ([branch] if branch else ["main", "master"])
        ]
        code = next((folder for folder in folders if folder.is_dir()), None)
        if code is None:
            raise MissingPart(
                f"MapAnything builds on code of {owner_name}, which is not in torch's hub folder ({folders[0]}), and nothing "
                f"is downloaded unasked; clone https://github.com/{owner_name} there, or allow the download"
            )
        kwargs.pop("force_reload", None)
        return original(str(code), model, *args, **{**kwargs, "source": "local"})

    torch.hub.load = load
    try:
        yield
    finally:
        torch.hub.load = original
