"""Depth maps from learned models, aligned to cameras that are known."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...core.errors import InvalidInput, ShapeMismatch
from ...data.posed_images import PosedImages
from ..planesweep import MEASURED, DepthMaps, SweepConfig, depth_maps
from ..stereo.agreement import compare_depths
from ..stereo.pairing import require_baseline
from . import depth_anything, mapanything, vggt
from .alignment import align_depth, scale_of_poses
from .prediction import Prediction, edges
from .weights import find_weights

LearnedModel = Literal["depth-anything-3", "mapanything", "vggt"]
LEARNED_MODELS: dict[str, LearnedModel] = {name: name for name in get_args(LearnedModel)}
"""By their names."""

_SOURCES = {"depth-anything-3": depth_anything.SOURCE, "mapanything": mapanything.SOURCE, "vggt": vggt.SOURCE}
_LEAST_SURE = 0.2
"""Share of each map, by the model's own confidence, that is left out."""
_UNCONFIRMED = 0.25


@dataclass(frozen=True)
class LearnedDepth:
    """Which learned model tells depth, and from which weights. Nothing is downloaded unless that is allowed."""

    model: LearnedModel = "depth-anything-3"
    """Each needs its own package."""
    weights: Path | None = None
    """A folder with ``config.json`` and ``model.safetensors``, as the Hugging Face hub has them; for "vggt" a file too. By
    default the hub's copy on this machine."""
    repository: str | None = None
    """On the hub, where no weights are given: by default the weights with the freest licence."""
    allow_download: bool = field(default=False, metadata={"key": False})
    """Whether what is missing may be fetched."""
    device: str = field(default="cpu", metadata={"key": False})
    """Where the model runs."""

    def __post_init__(self) -> None:
        if self.model not in _SOURCES:
            raise InvalidInput(f"no learned model {self.model!r}; choose from {', '.join(_SOURCES)}")
        if self.repository is not None and not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", self.repository):
            raise InvalidInput(f"no repository {self.repository!r}; expected owner/name, as on the Hugging Face hub")


def learned_depth_maps(
    photos: PosedImages,
    config: LearnedDepth | None = None,
    anchors: DepthMaps | None = None,
    sweep: SweepConfig | None = None,
) -> DepthMaps:
    """Ask a learned model for the depth of all pixels, and bring it to the cameras' scale.

    The cameras stay as they are. The model's depth of each view is scaled, and shifted where that explains more, to what a
    plane sweep measured; where that measured too little, by the distances between the cameras that the model found. Then the
    views are held against each other: what another view confirms has at least a confidence of
    :data:`trisparse.rendering.planesweep.MEASURED`, what one sees through has none.

    The adapters have run against stand-ins of the packages alone, never with real weights.

    Args:
        photos: At least two, undistorted, from different places.
        config: The model and its weights.
        anchors: What a plane sweep over the same photos found; it is done here where it is not given.
        sweep: Its settings.

    Returns:
        Maps of the photos' size. The first of the warnings names the weights and their licence.

    Raises:
        InvalidInput: A single photo, no baseline, lenses with distortion, or depth that cannot be aligned.
        BackendUnavailable: The model's package cannot be imported.
        MissingPart: The weights are not here; says how to get them.
        CorruptFile: They are damaged.
    """
    config = config or LearnedDepth()
    cameras = photos.cameras.to("cpu")
    require_baseline(cameras)
    if cameras.has_distortion:
        raise InvalidInput(
            "the photos' lenses distort; undistort them first (trisparse.data.resample.undistort_photos)"
        )
    shape = (len(photos), cameras.height, cameras.width)
    if anchors is not None and anchors.depth_z.shape != shape:
        raise ShapeMismatch(f"anchors of shape {tuple(anchors.depth_z.shape)}; the photos' is {shape}")
    prediction, licence = _predict(photos, config)
    inverse, confidence = prediction.sized(cameras.width, cameras.height)
    inverse = torch.where(edges(inverse), torch.zeros_like(inverse), inverse)
    found = prediction.camera_from_world
    scale = None if found is None else scale_of_poses(cameras, found)
    anchors = depth_maps(photos, config=sweep) if anchors is None else anchors
    aligned = align_depth(inverse, anchors, scale)
    if not bool((aligned.depth_z > 0).any()):
        raise InvalidInput(
            f"the depth of {_SOURCES[config.model].name} has no scale: the plane sweep measured too little, and the model says "
            "nothing of the cameras; take photos with more texture, or start from random points"
        )
    maps = _checked(photos, aligned.depth_z, _sure(confidence, aligned.depth_z > 0))
    return DepthMaps(*maps, (licence, *prediction.notes, *anchors.warnings, *aligned.warnings))


def _predict(photos: PosedImages, config: LearnedDepth) -> tuple[Prediction, str]:
    """What the model says, and which weights say it."""
    source = _SOURCES[config.model]
    source.import_module()  # before anything large is fetched
    weights = find_weights(source, config.weights, config.repository, allow_download=config.allow_download)
    match config.model:
        case "depth-anything-3":
            found = depth_anything.predict(photos, weights, config.device)
        case "mapanything":
            found = mapanything.predict(photos, weights, config.device, allow_download=config.allow_download)
        case "vggt":
            found = vggt.predict(photos, weights, config.device)
    if len(found.depth_z) != len(photos):
        raise ShapeMismatch(f"{source.name} returned depth of {len(found.depth_z)} photos for {len(photos)}")
    return found, weights.note


def _sure(confidence: Float[Tensor, "n h w"], known: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """All but the least sure pixels of each map; all of a map that is sure of everything alike."""
    sure = known.clone()
    for view, there in enumerate(known):
        values = confidence[view][there]
        if len(values):
            sure[view] &= confidence[view] >= values.kthvalue(int(_LEAST_SURE * len(values)) + 1).values
    return sure


def _checked(
    photos: PosedImages, depth_z: Float[Tensor, "n h w"], known: Bool[Tensor, "n h w"]
) -> tuple[Float[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Depth above 0 everywhere, and confidence by what the other views say."""
    filled = torch.where(known, depth_z, depth_z[known].median() if bool(known.any()) else torch.ones(()))
    agreement = compare_depths(photos.cameras.to("cpu"), filled, known.to(filled))
    votes = 1 - 0.5 ** agreement.confirming.to(filled)
    confirmed = MEASURED + (1 - MEASURED) * votes
    trusted = torch.where(agreement.confirming > agreement.contradicting, confirmed, _UNCONFIRMED)
    wrong = ~known | (agreement.contradicting > agreement.confirming)
    return filled, torch.where(wrong, 0.0, trusted)
