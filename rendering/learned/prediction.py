"""What learned models say of photos, brought to the photos' size, and photos at the sizes that the models take."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...core.errors import ShapeMismatch
from ...data.cameras import rigid
from ...data.posed_images import PosedImages
from ...data.resizing import resize_image

PATCH = 14
"""Side of the squares that the models' first layer reads; sizes are multiples of it."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth as a model tells it, at the model's size and scale. The maps show the whole photos."""

    depth_z: Float[Tensor, "n h w"]
    """Along the optical axis; 0 or less, NaN or infinity is unknown."""
    confidence: Float[Tensor, "..."]
    """As many; of any range; more is better."""
    camera_from_world: Float[Tensor, "n 4 4"] | None
    """Where the model puts the cameras, in the depth's scale; None where it says nothing of them."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.depth_z.shape != self.confidence.shape:
            raise ShapeMismatch(
                f"depth of shape {tuple(self.depth_z.shape)} with confidence of {tuple(self.confidence.shape)}; the model's "
                "package may be of another version than the one that this was written for"
            )

    def sized(self, width: int, height: int) -> tuple[Float[Tensor, "n h2 w2"], Float[Tensor, "n h2 w2"]]:
        """Inverse depth and confidence at another size; where depth is unknown, or known of less than half, both are 0."""
        known = self.depth_z.isfinite() & (self.depth_z > 0)
        inverse = torch.where(known, 1 / torch.where(known, self.depth_z, torch.ones_like(self.depth_z)), 0)
        confidence = torch.where(known, self.confidence.nan_to_num(), 0)
        both = torch.stack([inverse, confidence, known.to(inverse)], -1)
        resized = torch.stack([resize_image(view, width, height) for view in both])
        share = resized[..., 2]
        values = resized[..., :2] / share.clamp_min(1e-6)[..., None]
        values = torch.where(share[..., None] > 0.5, values, 0)
        return values[..., 0], values[..., 1]


def stacked(what: str, found: object, n: int, trailing: int = 0) -> Float[Tensor, "n h w"]:
    """Maps that a package returned, as float32 on the CPU.

    Args:
        what: They are, for the message.
        found: An array or tensor of shape (n, h, w), perhaps with a batch of 1 before it and ``trailing`` axes of 1 after.
        n: Number of photos.
        trailing: Axes of 1 at the end that belong to the documented shape.

    Raises:
        ShapeMismatch: Another shape.
    """
    maps = torch.as_tensor(np.asarray(found) if not isinstance(found, Tensor) else found.detach().cpu()).float()
    shape = tuple(maps.shape)
    if maps.ndim == 4 + trailing and len(maps) == 1:
        maps = maps[0]
    if maps.ndim == 3 + trailing and all(size == 1 for size in maps.shape[3:]):
        maps = maps.reshape(maps.shape[:3])
    if maps.ndim != 3 or len(maps) != n or not maps.numel():
        raise ShapeMismatch(
            f"the model's {what} has shape {shape} for {n} photos; its package may be of another version than the one that "
            "this was written for"
        )
    return maps


def poses(found: object, n: int) -> Float[Tensor, "n 4 4"]:
    """Poses that a package returned as (n, 3, 4) or (n, 4, 4), perhaps with a batch of 1 before them; float64 on the CPU.

    Raises:
        ShapeMismatch: Another shape.
    """
    matrices = torch.as_tensor(np.asarray(found) if not isinstance(found, Tensor) else found.detach().cpu()).double()
    shape = tuple(matrices.shape)
    matrices = matrices[0] if matrices.ndim == 4 and len(matrices) == 1 else matrices
    if tuple(matrices.shape) not in ((n, 3, 4), (n, 4, 4)):
        raise ShapeMismatch(
            f"the model's poses have shape {shape} for {n} photos; its package may be of another version than the one that "
            "this was written for"
        )
    return rigid(matrices[:, :3, :3], matrices[:, :3, 3])


def patched_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Width and height in multiples of :data:`PATCH`, the longer side ``longest``."""
    factor = longest / max(width, height) / PATCH
    return max(round(width * factor), 1) * PATCH, max(round(height * factor), 1) * PATCH


def resized_images(photos: PosedImages, width: int, height: int) -> Float[Tensor, "n 3 h w"]:
    """The photos at another size, 0..1."""
    images = [resize_image(photos.image(row).detach().cpu().float(), width, height) for row in range(len(photos))]
    return torch.stack(images).permute(0, 3, 1, 2).contiguous()


def edges(inverse_depth: Float[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Where depth jumps, so that a smooth map shows surfaces that are not there. Planes have none, however slanted."""
    padded = torch.nn.functional.pad(inverse_depth[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    middle = padded[:, 1:-1, 1:-1]
    across = (padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2] - 2 * middle).abs()
    along = (padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] - 2 * middle).abs()
    return torch.maximum(across, along) > _JUMP * middle


_JUMP = 0.05
"""Second difference of inverse depth between neighbours, as a share of it."""


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """What a package prints goes to stderr, since stdout may be for machines."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
