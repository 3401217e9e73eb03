"""A scene as Gaussians: raw parameters, activated views of them, and ways to make them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic; a colour c has the coefficient (c - 0.5) / SH_C0."""


@dataclass(frozen=True, eq=False)
class GaussianCloud:
    """Anisotropic Gaussians with colours by spherical harmonics (Kerbl et al., SIGGRAPH 2023). World frame, metres."""

    means: Float[Tensor, "g 3"]
    quats: Float[Tensor, "g 4"]
    """w x y z, not necessarily of unit length."""
    log_scales: Float[Tensor, "g 3"]
    """Natural logarithm of the standard deviations along the Gaussian's own axes."""
    opacity_logits: Float[Tensor, "g"]
    sh: Float[Tensor, "g k 3"]
    """Coefficients of the harmonics, k = 1, 4, 9 or 16; the colour is their sum plus 0.5, cut at 0."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if len(getattr(self, field.name)) != len(self.means):
                raise ShapeMismatch(f"{len(getattr(self, field.name))} {field.name} for {len(self.means)} means")
        if self.sh.shape[1] not in (1, 4, 9, 16):
            raise ShapeMismatch(f"{self.sh.shape[1]} harmonics; expected 1, 4, 9 or 16 (degree 0 to 3)")

    @classmethod
    def from_points(
        cls,
        points: Float[Tensor, "g 3"],
        colors: Float[Tensor, "g 3"],
        *,
        sh_degree: int = 0,
        opacity: float = 0.1,
        scale_factor: float = 1.0,
    ) -> GaussianCloud:
        """Round Gaussians at points, as large as the root mean square distance to the three nearest neighbours.

        Args:
            points: Metres.
            colors: 0..1.
            sh_degree: 0 to 3.
            opacity: Of each.
            scale_factor: Times the standard deviations.

        Raises:
            InvalidInput: A degree other than 0 to 3, or an opacity that no logit stands for.
            NotFinite: Points or colours hold NaN or infinity.
            ShapeMismatch: Not a colour for each point.
        """
        if not 0 <= sh_degree <= 3:
            raise InvalidInput(f"harmonics of degree {sh_degree}; choose 0, 1, 2 or 3")
        if not 0 < opacity < 1:
            raise InvalidInput(f"an opacity of {opacity:g}; expected a number between 0 and 1, both excluded")
        if len(points) != len(colors):
            raise ShapeMismatch(f"{len(points)} points but {len(colors)} colors; give one for each point")
        require_finite(points, "points")
        require_finite(colors, "colors")
        n = len(points)
        sh = points.new_zeros(n, (sh_degree + 1) ** 2, 3)
        sh[:, 0] = (colors - 0.5) / SH_C0
        spacing = neighbour_distance(points) * scale_factor
        return cls(
            points.clone(),
            points.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(n, 1),
            spacing.clamp_min(1e-7).log()[:, None].repeat(1, 3),
            points.new_full((n,), opacity).logit(),
            sh,
        )

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, rows: slice | Tensor) -> GaussianCloud:
        return GaussianCloud(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def scales(self) -> Float[Tensor, "g 3"]:
        """Standard deviations in metres."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Float[Tensor, "g"]:
        """0..1."""
        return self.opacity_logits.sigmoid()

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return int(self.sh.shape[1] ** 0.5) - 1

    @property
    def base_colors(self) -> Float[Tensor, "g 3"]:
        """The colour without the part that depends on the view, 0..1."""
        return (self.sh[:, 0] * SH_C0 + 0.5).clamp(0, 1)

    def with_degree(self, degree: int) -> GaussianCloud:
        """The same with more harmonics (the new ones 0) or fewer."""
        wanted = (degree + 1) ** 2
        sh = self.sh[:, :wanted]
        return replace(self, sh=torch.nn.functional.pad(sh, (0, 0, 0, wanted - sh.shape[1])))

    def moved(self, scale: float, rotation: Float[Tensor, "3 3"], translation: Float[Tensor, "3"]) -> GaussianCloud:
        """The cloud in another world, where x is ``rotation @ (scale * x) + translation``.

        Harmonics of degree 1 and more are turned with it.

        Raises:
            InvalidInput: ``scale`` is not above 0, or ``rotation`` is none.
        """
        from .harmonics import rotate_harmonics

        if not 0 < scale < torch.inf:
            raise InvalidInput(f"a scale of {scale:g}; expected a finite number above 0")
        turned = _quaternion(rotation).to(self.quats)
        return replace(
            self,
            means=(scale * self.means) @ rotation.to(self.means).mT + translation.to(self.means),
            quats=_multiply(turned, self.quats),
            log_scales=self.log_scales + torch.tensor(scale, dtype=torch.float64).log().item(),
            sh=rotate_harmonics(self.sh, rotation),
        )

    def to(self, target: torch.device | torch.dtype | str) -> GaussianCloud:
        """The same on another device or in another precision."""
        return GaussianCloud(*(getattr(self, field.name).to(target) for field in fields(self)))

    def finite_rows(self) -> Int64[Tensor, "m"]:
        """Numbers of the Gaussians without NaN and infinity."""
        good = torch.ones(len(self), dtype=torch.bool, device=self.means.device)
        for field in fields(self):
            bad = ~getattr(self, field.name).isfinite()
            good &= ~(bad if bad.ndim == 1 else bad.flatten(1).any(1))
        return good.nonzero().flatten()


def neighbour_distance(points: Float[Tensor, "g 3"], k: int = 3) -> Float[Tensor, "g"]:
    """Root mean square distance of each point to its ``k`` nearest others (fewer where there are fewer; 1 for a lone one)."""
    from scipy.spatial import KDTree

    if len(points) < 2:
        return points.new_ones(len(points))
    k = min(k, len(points) - 1)
    array = points.detach().cpu().double().numpy()
    distances, _ = KDTree(array).query(array, k=k + 1)
    mean = torch.from_numpy(distances[:, 1:] ** 2).mean(1).sqrt()
    return mean.to(points)


def rotation_matrices(quats: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 3 3"]:
    """Rotations of quaternions w x y z of any length."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).reshape(*quats.shape[:-1], 3, 3)


def _quaternion(rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "4"]:
    from scipy.spatial.transform import Rotation

    matrix = rotation.detach().cpu().double()
    if not torch.allclose(matrix @ matrix.T, torch.eye(3, dtype=torch.float64), atol=1e-3) or matrix.det() < 0:
        raise InvalidInput(
            f"{matrix.tolist()} is no rotation (orthogonal, determinant 1); give a scale apart, mirror nothing"
        )
    x, y, z, w = Rotation.from_matrix(matrix.numpy()).as_quat()
    return torch.tensor([w, x, y, z], dtype=torch.float64)


def _multiply(first: Float[Tensor, "4"], others: Float[Tensor, "g 4"]) -> Float[Tensor, "g 4"]:
    aw, ax, ay, az = first
    bw, bx, by, bz = others.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )
