"""VGGT (Wang et al., CVPR 2025), which finds cameras itself; theirs serve for the scale alone.

Written for ``vggt.models.vggt.VGGT`` as its README and docstrings describe it. So far it has run against a stand-in with that
interface alone, never with real weights.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.errors import CorruptFile
from ...data.posed_images import PosedImages
from .prediction import Prediction, aside, patched_size, poses, resized_images, stacked
from .weights import Source, Weights

SOURCE = Source(
    name="VGGT",
    module="vggt.models.vggt",
    install="pip install git+https://github.com/facebookresearch/vggt",
    repository="facebook/VGGT-1B",
    licences={
        "facebook/VGGT-1B": "a licence for non-commercial use; read it where they come from",
        "facebook/VGGT-1B-Commercial": "a licence of their own that allows commercial use on its terms; read it where they "
        "come from",
    },
    single_files=True,
)

_LONGEST = 518


def predict(photos: PosedImages, weights: Weights, device: str) -> Prediction:
    """Depth of photos at the model's own size and scale.

    Raises:
        CorruptFile: A file of weights does not hold the model's.
    """
    model_class = SOURCE.import_module().VGGT
    decode = SOURCE.import_module("vggt.utils.pose_enc").pose_encoding_to_extri_intri
    width, height = patched_size(photos.cameras.width, photos.cameras.height, _LONGEST)
    images = resized_images(photos, width, height).to(device)
    with aside(), torch.no_grad():
        model = _loaded(model_class, weights.place).to(device).eval()
        found = model(images)
        extrinsics, _ = decode(found["pose_enc"], (height, width))
    n = len(photos)
    return Prediction(
        stacked("depth", found["depth"], n, trailing=1),
        stacked("confidence", found["depth_conf"], n),
        poses(extrinsics, n),
    )


def _loaded(model_class: Any, place: Path) -> Any:
    if place.is_dir():
        return model_class.from_pretrained(str(place))
    model = model_class()
    try:
        model.load_state_dict(_state(place))
    except RuntimeError as error:  # torch's way to say that names or shapes differ
        raise CorruptFile(place, "tensors", f"not those of VGGT ({error!s:.200}); copy the file again") from error
    return model


def _state(place: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if place.suffix == ".safetensors":
            return load_file(place)
        found = torch.load(place, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        raise CorruptFile(place, "file", f"no weights of torch ({error!s:.80}); copy it again") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise CorruptFile(place, "file", "no table of tensors; expected the state of VGGT as its authors publish it")
    return found
