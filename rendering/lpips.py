"""LPIPS (Zhang et al., CVPR 2018) from weights that are already on this machine; nothing is ever downloaded.

Two files are needed: ImageNet weights of VGG16 or AlexNet, which torchvision keeps in torch's hub folder, and the small weights
of the metric itself, which come with the packages ``lpips`` and ``torchmetrics``. None of these is imported.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import CorruptFile, InvalidInput, MissingPart, ShapeMismatch

Net = Literal["vgg", "alex"]

_BACKBONES = {"vgg": ("vgg16-397923af.pth",), "alex": ("alexnet-owt-7be5be79.pth", "alexnet-owt-4df8aa71.pth")}
"""File names in torch's hub folder; any of them will do."""
_PACKAGES = (("lpips", "weights/v0.1"), ("torchmetrics", "functional/image/lpips_models"))
"""Packages and folders in them where the metric's own weights lie."""


class _Layer(NamedTuple):
    number: int
    """Of the convolution among all layers."""
    is_pooled: bool = False
    """Its input is the maximum over neighbourhoods."""
    is_compared: bool = False
    stride: int = 1
    padding: int = 1


_LAYERS = {
    "vgg": (
        *(_Layer(0), _Layer(2, is_compared=True)),
        *(_Layer(5, is_pooled=True), _Layer(7, is_compared=True)),
        *(_Layer(10, is_pooled=True), _Layer(12), _Layer(14, is_compared=True)),
        *(_Layer(17, is_pooled=True), _Layer(19), _Layer(21, is_compared=True)),
        *(_Layer(24, is_pooled=True), _Layer(26), _Layer(28, is_compared=True)),
    ),
    "alex": (
        _Layer(0, is_compared=True, stride=4, padding=2),
        _Layer(3, is_pooled=True, is_compared=True, padding=2),
        _Layer(6, is_pooled=True, is_compared=True),
        _Layer(8, is_compared=True),
        _Layer(10, is_compared=True),
    ),
}
_POOL = {"vgg": 2, "alex": 3}
"""Side of a neighbourhood; its stride is 2."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of red, green and blue in -1..1 before the network."""


@dataclass(frozen=True, eq=False)
class Lpips:
    """The network, ready to compare images.

    ``is_rescaled`` says whether images in 0..1 are brought to -1..1 first, for which the metric was made. Most papers on sparse
    views with VGG do not do that; their numbers can only be compared with ``is_rescaled=False``.
    """

    net: Net
    convolutions: tuple[tuple[Tensor, Tensor], ...]
    weights: tuple[Tensor, ...]
    is_rescaled: bool = False

    @classmethod
    def load(cls, net: Net = "vgg", *, is_rescaled: bool = False) -> Lpips:
        """Load the network from files on this machine.

        Raises:
            MissingPart: Weights are not here; says which file belongs where.
            CorruptFile: A file does not hold the weights that it should.
        """
        backbone, own = _find(net)
        features, lines = _state(backbone), _state(own)
        convolutions = tuple(
            (_tensor(backbone, features, f"{layer}.weight", 4), _tensor(backbone, features, f"{layer}.bias", 1))
            for layer in (f"features.{number}" for number, *_ in _LAYERS[net])
        )
        weights = tuple(_tensor(own, lines, f"lin{i}.model.1.weight", 4) for i in range(5))
        return cls(net, convolutions, weights, is_rescaled)

    def __call__(self, image: Float[Tensor, "h w 3"], target: Float[Tensor, "..."]) -> float:
        """Distance of two images in 0..1; 0 for equal ones.

        Raises:
            ShapeMismatch: The images differ in shape.
            InvalidInput: They are too small for the network.
        """
        if image.shape != target.shape:
            raise ShapeMismatch(f"images of shapes {tuple(image.shape)} and {tuple(target.shape)}; expected the same")
        if min(image.shape[:2]) < 32:
            raise InvalidInput(f"an image of {image.shape[1]} x {image.shape[0]} pixels; LPIPS needs at least 32 x 32")
        distance = 0.0
        with torch.no_grad():
            pairs = zip(self._features(image), self._features(target), self.weights, strict=True)
            for first, second, weight in pairs:
                distance += float(functional.conv2d((first - second).square(), weight.to(first)).mean())
        return distance

    def _features(self, image: Float[Tensor, "h w 3"]) -> Iterator[Float[Tensor, "1 c h2 w2"]]:
        """What is compared, layer by layer, each pixel's features of length 1."""
        x = image.detach().float()
        x = 2 * x - 1 if self.is_rescaled else x
        x = ((x - x.new_tensor(_SHIFT)) / x.new_tensor(_SCALE)).movedim(-1, 0)[None]
        for (weight, bias), layer in zip(self.convolutions, _LAYERS[self.net], strict=True):
            if layer.is_pooled:
                x = functional.max_pool2d(x, _POOL[self.net], 2)
            x = functional.conv2d(x, weight.to(x), bias.to(x), layer.stride, layer.padding).relu()
            if layer.is_compared:
                yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def why_no_lpips(net: Net = "vgg") -> str | None:
    """Which weights are missing here, or None where :meth:`Lpips.load` finds all."""
    try:
        _find(net)
    except MissingPart as error:
        return str(error)
    return None


def _find(net: Net) -> tuple[Path, Path]:
    if net not in _BACKBONES:
        raise InvalidInput(f"LPIPS with {net!r}; choose from {', '.join(_BACKBONES)}")
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    backbone = next((hub / name for name in _BACKBONES[net] if (hub / name).is_file()), None)
    if backbone is None:
        raise MissingPart(
            f"LPIPS needs the ImageNet weights {_BACKBONES[net][0]} of torchvision in {hub}; nothing is downloaded: copy the "
            "file there, or do without LPIPS"
        )
    for package, folder in _PACKAGES:
        for root in _folders(package):
            if (root / folder / f"{net}.pth").is_file():
                return backbone, root / folder / f"{net}.pth"
    raise MissingPart("LPIPS needs the weights that come with the package lpips or torchmetrics; install one of them")


def _folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _state(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise CorruptFile(path, "file", f"no weights of torch ({error!s:.80}); copy it again") from error
    return found if isinstance(found, dict) else {}


def _tensor(path: Path, state: dict[str, Tensor], name: str, ndim: int) -> Tensor:
    found = state.get(name)
    if not isinstance(found, Tensor) or found.ndim != ndim:
        raise CorruptFile(path, name, f"no tensor of {ndim} dimensions is there; expected the original weights")
    return found
