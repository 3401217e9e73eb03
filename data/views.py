"""Which photos are learned from and which are compared with: the field's sparse-view splits, to the index.

All numbers are places in the list of photos sorted by file name, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput

DTU_TRAIN = (25, 22, 28, 40, 44, 48, 0, 8, 13)
"""Of RegNeRF and pixelNeRF; the first 3, 6 or 9 are used."""
DTU_EXCLUDED = (3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 36, 37, 38, 39)
DTU_PHOTOS = 49
BLENDER_TRAIN = (2, 16, 26, 55, 73, 76, 86, 93)
"""Of DietNeRF, in the order of transforms_train.json."""
_TANKS_PHOTOS = 24
_SAME_PLACE = 0.01
"""Of the distance to the middle of an arc: photos nearer to one another are from one place."""
_ROUNDING = 1e-3
"""Degrees, by which cameras in single precision may lie outside an arc of a round width."""


@dataclass(frozen=True)
class ViewSplit:
    """Photos by number."""

    train: tuple[int, ...]
    test: tuple[int, ...]

    def __post_init__(self) -> None:
        both = set(self.train) & set(self.test)
        if both:
            raise InvalidInput(f"photos {sorted(both)} are trained on and tested; give each once")


def evenly(candidates: Sequence[int], k: int) -> tuple[int, ...]:
    """``k`` of the candidates at equal steps from the first to the last, halves rounded to even (numpy's linspace and round).

    Raises:
        InvalidInput: More are asked for than there are, or none.
    """
    last = len(candidates) - 1
    if not 1 <= k <= len(candidates):
        raise InvalidInput(f"{k} of {len(candidates)} photos to train on; give 1 to {len(candidates)}")
    places = [0.0] if k == 1 else [last * i / (k - 1) for i in range(k)]
    return tuple(candidates[round(place)] for place in places)


def split_llff(n: int, k: int | None = None, *, every: int = 8) -> ViewSplit:
    """LLFF and Mip-NeRF 360: every eighth photo is tested, from the first on; ``k`` of the others train, evenly.

    For Mip-NeRF 360 k is 12 or 24. (nerfbaselines truncates the places instead of rounding them and so trains on other photos.)

    Args:
        n: Photos.
        k: To train on; all the others by default.
        every: Of how many one is tested.
    """
    test = tuple(range(0, n, every))
    rest = [i for i in range(n) if i % every]
    return ViewSplit(tuple(rest) if k is None else evenly(rest, k), test)


def split_dtu(n: int, k: int) -> ViewSplit:
    """DTU: 3, 6 or 9 fixed photos train, 25 fixed ones test; the others are never used. Of 64 photos the first 49 count."""
    if n < DTU_PHOTOS:
        raise InvalidInput(f"{n} photos; the DTU split needs the first {DTU_PHOTOS} of a scan")
    if not 1 <= k <= len(DTU_TRAIN):
        raise InvalidInput(f"{k} photos to train on; the DTU split has 1 to {len(DTU_TRAIN)}, usually 3, 6 or 9")
    unused = {*DTU_TRAIN, *DTU_EXCLUDED}
    return ViewSplit(DTU_TRAIN[:k], tuple(i for i in range(DTU_PHOTOS) if i not in unused))


def split_blender(n_train: int, n_test: int) -> ViewSplit:
    """Blender (NeRF-synthetic): 8 fixed training frames, every eighth test frame.

    Args:
        n_train: Frames of transforms_train.json.
        n_test: Frames of transforms_test.json; their numbers in the split begin at ``n_train``.
    """
    if n_train <= max(BLENDER_TRAIN):
        raise InvalidInput(f"{n_train} training frames; the Blender split takes frame {max(BLENDER_TRAIN)}")
    return ViewSplit(BLENDER_TRAIN, tuple(n_train + i for i in range(0, n_test, 8)))


def split_tanks(n: int, k: int) -> ViewSplit:
    """Tanks and Temples as InstantSplat uses it: of 24 photos 12 test, places cut to whole numbers; of the others k train."""
    if n != _TANKS_PHOTOS:
        raise InvalidInput(f"{n} photos; this split is of {_TANKS_PHOTOS}")
    if not 1 <= k <= 12:
        raise InvalidInput(f"{k} photos to train on; give 1 to 12, usually 3, 6 or 12")
    test = _cut_down(1, 22, 12)
    rest = [i for i in range(n) if i not in test]
    return ViewSplit(tuple(rest[i] for i in _cut_down(0, 11, k)), test)


def _cut_down(first: int, last: int, k: int) -> tuple[int, ...]:
    step = (last - first) / (k - 1) if k > 1 else 0.0
    return tuple(math.floor(first + step * i + 1e-9) for i in range(k))


def split_arc(centers: Float[Tensor, "n 3"], focus: Float[Tensor, "3"], degrees: float, k: int) -> ViewSplit:
    """Photos within one arc around a point: ``k`` train evenly from end to end, those between test.

    The arc is the one of that width that holds the most photos; among equals the first. Angles are measured in the plane in
    which the cameras are spread most. Of photos from one place, as a gantry takes them upright and upside down, the first
    counts alone: tested beside the other it would be known already.

    Args:
        centers: Of the cameras.
        focus: Middle of the arc.
        degrees: Width of the arc.
        k: Photos to train on, at least 2.

    Raises:
        InvalidInput: Fewer than ``k`` photos lie in any such arc, or k is below 2.
    """
    offsets = (centers - focus).double()
    axes = torch.linalg.svd(offsets - offsets.mean(0)).Vh if len(offsets) > 1 else torch.eye(3, dtype=torch.float64)
    normal = torch.linalg.cross(axes[0], axes[1])
    up = normal[normal.abs().argmax()].sign()  # of an axis, LAPACK chooses one of two signs
    angles = torch.rad2deg(torch.atan2(up * (offsets @ axes[1]), offsets @ axes[0])) % 360
    places: list[int] = []
    for i in range(len(offsets)):
        if bool(((offsets[i] - offsets[places]).norm(dim=1) > _SAME_PLACE * offsets[i].norm()).all()):
            places.append(i)
    best: list[int] = []
    for start in angles[places].tolist():
        turned = (angles - start) % 360
        inside = [i for i in places if float(turned[i]) <= degrees + _ROUNDING]
        if len(inside) > len(best):
            best = sorted(inside, key=lambda i: float(turned[i]))
    if k < 2 or len(best) < k:
        raise InvalidInput(
            f"{k} photos to train on in an arc of {degrees:g} degrees, which holds {len(best)}; give 2 to that"
        )
    train = evenly(best, k)
    return ViewSplit(train, tuple(i for i in best if i not in train))
