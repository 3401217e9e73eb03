"""Photos at another size, or as a lens without distortion would have taken them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import InvalidInput, ShapeMismatch
from .cameras import Cameras, pixel_centers
from .distortion import distort, reach
from .image_files import LazyPhoto
from .posed_images import Load, PosedImages
from .resizing import resize_image


def resize_photos(photos: PosedImages, width: int, height: int) -> PosedImages:
    """Photos and cameras at another size, read when they are wanted; see :func:`.resizing.resize_image`."""
    if width < 1 or height < 1:
        raise InvalidInput(f"photos of {width} x {height} pixels; give a width and a height above 0")
    loads = tuple(
        replace(load, size=(width, height)) if isinstance(load, LazyPhoto) else _Resized(load, width, height)
        for load in photos.loads
    )
    return replace(photos, cameras=photos.cameras.resized(width, height), loads=loads, _kept={})


def undistort_photos(photos: PosedImages, K: Float[Tensor, "n 3 3"] | None = None) -> PosedImages:
    """Photos as pinhole cameras at the same places would have taken them; themselves where no lens distorts.

    Args:
        photos: Of any lens.
        K: Of the new cameras; those of the old ones by default, which keeps the middle as it is. Pixels that the old photo
            does not show are black; see :func:`undistortion_mask`.

    Raises:
        ShapeMismatch: Not one K a photo.
    """
    cameras = photos.cameras
    if K is None and not cameras.has_distortion:
        return photos
    K = cameras.K if K is None else K
    if len(K) != len(cameras):
        raise ShapeMismatch(f"{len(K)} matrices K for {len(cameras)} photos; give one each")
    pinhole = replace(cameras, K=K, model="pinhole", distortion=K.new_zeros(len(K), 0))
    loads = tuple(_Undistorted(load, cameras[row], pinhole[row]) for row, load in enumerate(photos.loads))
    return replace(photos, cameras=pinhole, loads=loads, _kept={})


def undistortion_mask(camera: Cameras, pinhole: Cameras) -> Bool[Tensor, "h w"]:
    """Which pixels of the undistorted photo the distorted one shows."""
    at = _source_pixels(camera, pinhole)
    inside = (at[..., 0] >= 0) & (at[..., 0] < camera.width) & (at[..., 1] >= 0) & (at[..., 1] < camera.height)
    return inside.reshape(pinhole.height, pinhole.width)


def filled_intrinsics(cameras: Cameras, most: float = 2.0) -> Float[Tensor, "n 3 3"]:
    """K of pinhole cameras for which :func:`undistort_photos` leaves nothing black: focal lengths longer by one least factor.

    Args:
        cameras: Of any lens.
        most: Largest factor; where it does not do, as for some fisheye lenses, the K of the cameras are returned.
    """
    keys = torch.cat([cameras.K.flatten(1), cameras.distortion], 1)
    kinds = [int((keys == key).all(1).nonzero()[0]) for key in keys.unique(dim=0)]
    low, high = 1.0, most
    if _is_filled(cameras, kinds, low):
        return cameras.K
    if not _is_filled(cameras, kinds, high):
        return cameras.K
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if _is_filled(cameras, kinds, middle) else (middle, high)
    return _zoomed(cameras.K, high)


def _is_filled(cameras: Cameras, rows: list[int], factor: float) -> bool:
    for row in rows:
        camera = cameras[row]
        pinhole = replace(camera, K=_zoomed(camera.K, factor), model="pinhole", distortion=camera.K.new_zeros(1, 0))
        if not bool(undistortion_mask(camera, pinhole).all()):
            return False
    return True


def _zoomed(K: Float[Tensor, "n 3 3"], factor: float) -> Float[Tensor, "n 3 3"]:
    K = K.clone()
    K[:, :2, :2] *= factor
    return K


def _source_pixels(camera: Cameras, pinhole: Cameras) -> Float[Tensor, "r 2"]:
    """Where the distorted photo shows what a pixel of the pinhole one shows. A lens that turns back shows nothing there."""
    pixels = pixel_centers(pinhole.width, pinhole.height, pinhole.K)
    plane = torch.linalg.solve(pinhole.K[0, :2, :2], (pixels - pinhole.K[0, :2, 2]).mT).mT
    at = distort(plane, camera.model, camera.distortion[0]) @ camera.K[0, :2, :2].mT + camera.K[0, :2, 2]
    shown = plane.norm(dim=1) <= reach(camera.model, camera.distortion[0])
    return torch.where(shown[:, None], at, -torch.ones_like(at))


def sample_image(image: Float[Tensor, "h w c"], pixels: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n c"]:
    """Bilinear values at points in pixels (centres at +0.5); outside the image 0."""
    height, width, channels = image.shape
    flat = pixels.reshape(1, 1, -1, 2).to(image)
    grid = 2 * flat / flat.new_tensor([width, height]) - 1
    found = functional.grid_sample(image.permute(2, 0, 1)[None], grid, mode="bilinear", align_corners=False)
    return found[0, :, 0].mT.reshape(*pixels.shape[:-1], channels)


@dataclass(frozen=True, eq=False)
class _Resized:
    load: Load
    width: int
    height: int

    def __call__(self) -> Float[Tensor, "h w 3"]:
        return resize_image(self.load(), self.width, self.height)


@dataclass(frozen=True, eq=False)
class _Undistorted:
    load: Load
    camera: Cameras
    pinhole: Cameras

    def __call__(self) -> Float[Tensor, "h w 3"]:
        image = self.load()
        at = _source_pixels(self.camera, self.pinhole).to(image)
        # The photo's own border continues it for half a pixel, so that the outermost pixels do not darken.
        inside = (at >= 0).all(-1) & (at < at.new_tensor([self.camera.width, self.camera.height])).all(-1)
        held = torch.minimum(at.clamp_min(0.5), at.new_tensor([self.camera.width, self.camera.height]) - 0.5)
        found = torch.where(inside[:, None], sample_image(image, held), torch.zeros_like(at[:, :1]))
        return found.reshape(self.pinhole.height, self.pinhole.width, 3)
