"""Cameras: where they stand, how they see, and what they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from .distortion import PARAMETERS, Model, distort, reach, undistort
from .rays import Rays


@dataclass(frozen=True, eq=False)
class Cameras:
    """A batch of cameras of one image size.

    OpenCV axes: x right, y down, z forward. Pixel centres at +0.5: the image covers 0..width by 0..height, and the
    centre of the first pixel is (0.5, 0.5). World frame in metres, z up.
    """

    camera_from_world: Float[Tensor, "n 4 4"]
    K: Float[Tensor, "n 3 3"]
    """Focal lengths and principal point in pixels; no skew is assumed anywhere, but none is refused."""
    width: int
    height: int
    model: Model = "pinhole"
    distortion: Float[Tensor, "n d"] = field(default_factory=lambda: torch.zeros(0, 0))
    """Coefficients of the lens, see :data:`trisparse.data.distortion.PARAMETERS`; shorter rows are filled with zeros."""

    def __post_init__(self) -> None:
        n = len(self.camera_from_world)
        if len(self.K) != n:
            raise ShapeMismatch(f"{n} poses and {len(self.K)} matrices K; give one each a camera")
        if (self.K.dtype, self.K.device) != (self.camera_from_world.dtype, self.camera_from_world.device):
            raise InvalidInput(
                f"poses are {self.camera_from_world.dtype} on {self.camera_from_world.device} and K {self.K.dtype} on "
                f"{self.K.device}; bring them to one with `.to`"
            )
        require_finite(self.camera_from_world, "camera_from_world")
        require_finite(self.K, "K")
        if self.width < 1 or self.height < 1:
            raise InvalidInput(f"an image of {self.width} x {self.height} pixels; give a width and a height above 0")
        _check_intrinsics(self.K)
        _check_poses(self.camera_from_world)
        if self.model not in PARAMETERS:
            raise InvalidInput(f"no camera model {self.model!r}; choose from {', '.join(PARAMETERS)}")
        object.__setattr__(self, "distortion", self._filled_coefficients())

    def _filled_coefficients(self) -> Float[Tensor, "n d"]:
        n, most = len(self.K), PARAMETERS[self.model]
        given = self.distortion
        if given.numel() == 0:
            return self.K.new_zeros(n, most)
        if len(given) != n or given.shape[1] > most:
            raise ShapeMismatch(
                f"coefficients of shape {tuple(given.shape)} for {n} cameras; {self.model} has at most {most} a camera"
            )
        require_finite(given, "distortion")
        return torch.nn.functional.pad(given.to(self.K), (0, most - given.shape[1]))

    @classmethod
    def looking_at(
        cls,
        centers: Float[Tensor, "n 3"],
        target: Float[Tensor, "3"],
        K: Float[Tensor, "n 3 3"],
        *,
        width: int,
        height: int,
        up: Float[Tensor, "3"] | None = None,
    ) -> Cameras:
        """Cameras that look at a point with the world's ``up`` (z by default) upwards in the image."""
        up = centers.new_tensor([0.0, 0.0, 1.0]) if up is None else up
        forward = torch.nn.functional.normalize(target - centers, dim=-1)
        right = torch.linalg.cross(forward, torch.nn.functional.normalize(up, dim=-1).expand_as(forward))
        undefined = right.norm(dim=-1) < 1e-6
        if bool(undefined.any()):
            raise InvalidInput(
                f"camera {int(undefined.nonzero()[0])} stands at the target or looks straight along `up`, so that right and "
                "left are undefined; move it, or give another `up`"
            )
        right = torch.nn.functional.normalize(right, dim=-1)
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], -2)
        return cls(rigid(rotation, -(rotation @ centers[..., None])[..., 0]), K, width, height)

    def __len__(self) -> int:
        return len(self.K)

    def __getitem__(self, rows: int | slice | Sequence[int] | Int64[Tensor, "m"]) -> Cameras:
        """Some of the cameras; one number gives a batch of one."""
        if isinstance(rows, int) and not -len(self) <= rows < len(self):
            raise IndexError(f"camera {rows} of {len(self)}")  # also what ends a loop over the cameras
        chosen = slice(rows, rows + 1 or None) if isinstance(rows, int) else rows
        if isinstance(chosen, Sequence):
            chosen = torch.tensor(list(chosen), dtype=torch.long, device=self.K.device)
        return replace(
            self,
            camera_from_world=self.camera_from_world[chosen],
            K=self.K[chosen],
            distortion=self.distortion[chosen],
        )

    @property
    def has_distortion(self) -> bool:
        """Whether any lens bends rays."""
        return self.model == "fisheye" or bool((self.distortion != 0).any())

    @property
    def world_from_camera(self) -> Float[Tensor, "n 4 4"]:
        """Poses the other way round."""
        rotation = self.camera_from_world[:, :3, :3].mT
        return rigid(rotation, -(rotation @ self.camera_from_world[:, :3, 3:])[..., 0])

    @property
    def centers(self) -> Float[Tensor, "n 3"]:
        """Where the cameras stand, in the world."""
        return self.world_from_camera[:, :3, 3]

    @property
    def forwards(self) -> Float[Tensor, "n 3"]:
        """Where they look: unit vectors of the world."""
        return self.camera_from_world[:, 2, :3]

    def to(self, target: torch.device | torch.dtype | str) -> Cameras:
        """The same cameras on another device or in another precision."""
        return replace(
            self,
            camera_from_world=self.camera_from_world.to(target),
            K=self.K.to(target),
            distortion=self.distortion.to(target),
        )

    def resized(self, width: int, height: int) -> Cameras:
        """Cameras for the same images at another size. With pixel centres at +0.5 the matrices scale as the sizes do."""
        factor = self.K.new_tensor([width / self.width, height / self.height, 1.0])
        return replace(self, K=self.K * factor[:, None], width=width, height=height)

    def moved(self, scale: float, new_from_old: Float[Tensor, "4 4"]) -> Cameras:
        """The cameras in a new world: a point x of the old one is ``new_from_old @ (scale * x)`` there.

        Args:
            scale: New length by old length, above 0.
            new_from_old: A rotation and a translation.
        """
        if not scale > 0:
            raise InvalidInput(f"a scale of {scale}; give one above 0")
        camera = self.camera_from_world.clone()
        camera[:, :3, 3] *= scale
        rotation = new_from_old[:3, :3].mT
        back = rigid(rotation[None], -(rotation @ new_from_old[:3, 3])[None])
        return replace(self, camera_from_world=camera @ back.to(camera))

    def project(self, points: Float[Tensor, "p 3"]) -> Projection:
        """Where points of the world appear, distortion included.

        The place is that of the lens's formula, which far outside the image may lead back into it: ask ``inside``.
        """
        rotation, shift = self.camera_from_world[:, :3, :3], self.camera_from_world[:, :3, 3]
        local = points @ rotation.mT + shift[:, None]
        depth = local[..., 2]
        safe = torch.where(depth.abs() > 1e-12, depth, torch.full_like(depth, 1e-12))
        plane = local[..., :2] / safe[..., None]
        within = torch.ones_like(depth, dtype=torch.bool)
        if self.has_distortion and len(self):
            radii = depth.new_tensor([reach(self.model, row) for row in self.distortion])
            within = plane.norm(dim=-1) <= radii[:, None]
            pairs = zip(plane, self.distortion, strict=True)
            plane = torch.stack([distort(xy, self.model, row) for xy, row in pairs])
        pixels = plane @ self.K[:, :2, :2].mT + self.K[:, None, :2, 2]
        return Projection(pixels, depth, within, self.width, self.height)

    def rays(self, pixels: Float[Tensor, "r 2"] | None = None) -> tuple[Rays, Bool[Tensor, "r"]]:
        """The rays of one camera through some points of its image.

        Args:
            pixels: Points in pixels; by default the centres of all pixels, row by row.

        Returns:
            The rays, and which of them exist (see :func:`trisparse.data.distortion.undistort`).
        """
        if len(self) != 1:
            raise ShapeMismatch(f"rays of one camera are asked from {len(self)}; take one by its number first")
        pixels = pixel_centers(self.width, self.height, self.K) if pixels is None else pixels
        plane = torch.linalg.solve(self.K[0, :2, :2], (pixels - self.K[0, :2, 2]).mT).mT
        plane, exists = undistort(plane, self.model, self.distortion[0])
        local = torch.cat([plane, torch.ones_like(plane[:, :1])], 1)
        directions = torch.nn.functional.normalize(local @ self.camera_from_world[0, :3, :3], dim=-1)
        return Rays(self.centers.expand(len(directions), 3), directions), exists


@dataclass(frozen=True, eq=False)
class Projection:
    """Points as the cameras see them."""

    pixels: Float[Tensor, "n p 2"]
    depth_z: Float[Tensor, "n p"]
    """Metres along the optical axis; 0 or less behind the camera."""
    within_reach: Bool[Tensor, "n p"]
    """Whether the lens can show a point in that direction (see :func:`trisparse.data.distortion.reach`)."""
    width: int
    height: int

    @property
    def inside(self) -> Bool[Tensor, "n p"]:
        """Whether a point lies in front of the camera and inside its image (what hides it is not asked)."""
        x, y = self.pixels.unbind(-1)
        return self.within_reach & (self.depth_z > 1e-6) & (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)


def pixel_centers(width: int, height: int, like: Tensor) -> Float[Tensor, "r 2"]:
    """Centres of all pixels (x, y), row by row."""
    x = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    y = torch.arange(height, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)


def rigid(rotation: Float[Tensor, "n 3 3"], translation: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4 4"]:
    """Matrices 4 x 4 of rotations followed by translations."""
    top = torch.cat([rotation, translation[..., None]], -1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(top), 1, 4)
    return torch.cat([top, bottom], -2)


def _check_intrinsics(K: Float[Tensor, "n 3 3"]) -> None:
    last = K.new_tensor([0.0, 0.0, 1.0])
    wrong = (K[:, 0, 0] <= 0) | (K[:, 1, 1] <= 0) | (K[:, 1, 0] != 0) | (K[:, 2] != last).any(-1)
    if bool(wrong.any()):
        which = int(wrong.nonzero()[0])
        raise InvalidInput(
            f"K of camera {which} is {K[which].tolist()}; expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in pixels with "
            "fx and fy above 0"
        )


def _check_poses(poses: Float[Tensor, "n 4 4"]) -> None:
    rotation = poses[:, :3, :3].double()
    identity = torch.eye(3, dtype=torch.float64, device=poses.device)
    last = poses.new_tensor([0.0, 0.0, 0.0, 1.0])
    wrong = ((rotation @ rotation.mT - identity).abs().amax((-1, -2)) > 1e-3) | (torch.linalg.det(rotation) < 0)
    wrong |= (poses[:, 3] != last).any(-1)
    if bool(wrong.any()):
        which = int(wrong.nonzero()[0])
        raise InvalidInput(
            f"pose {which} is {[[round(v, 4) for v in row] for row in poses[which].tolist()]}: not a rotation and a "
            "translation; a mirrored or scaled pose comes from other axes or units, convert it first"
        )
