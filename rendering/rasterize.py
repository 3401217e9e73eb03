"""Rasterisation of Gaussians with gsplat's call signature: any CPU, or CUDA through gsplat itself."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch
from .kernels.splatting import Request, View

RENDER_MODES = ("RGB", "D", "ED", "RGB+D", "RGB+ED")

_RASTERIZATION = Op(
    "rasterization",
    {
        "gsplat": "trisparse.rendering.kernels.gsplat_cuda:rasterize",
        "numba": "trisparse.rendering.kernels.numba_splat:rasterize",
        "torch": "trisparse.rendering.kernels.torch_splat:rasterize",
    },
)


def rasterization(
    means: Float[Tensor, "g 3"],
    quats: Float[Tensor, "_ 4"] | None,
    scales: Float[Tensor, "_ 3"] | None,
    opacities: Float[Tensor, "_"],
    colors: Float[Tensor, "..."],
    viewmats: Float[Tensor, "c 4 4"],
    Ks: Float[Tensor, "_ 3 3"],
    width: int,
    height: int,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    eps2d: float = 0.3,
    sh_degree: int | None = None,
    packed: bool = True,
    tile_size: int = 16,
    backgrounds: Float[Tensor, "_ d"] | None = None,
    render_mode: str = "RGB",
    sparse_grad: bool = False,
    absgrad: bool = False,
    rasterize_mode: str = "classic",
    channel_chunk: int = 32,
    distributed: bool = False,
    camera_model: str = "pinhole",
    segmented: bool = False,
    covars: Float[Tensor, "_ 3 3"] | None = None,
    *,
    backend: str = "auto",
) -> tuple[Float[Tensor, "c h w x"], Float[Tensor, "c h w 1"], dict[str, Any]]:
    """Images of Gaussians, differentiable in all but ``Ks`` (Kerbl et al., SIGGRAPH 2023; names and results as in gsplat).

    Args:
        means: World frame, metres.
        quats: w x y z, of any length but 0.
        scales: Standard deviations, metres.
        opacities: 0..1.
        colors: Features [g d] or [c g d] of any d; with ``sh_degree`` harmonics [g k 3] or [c g k 3].
        viewmats: ``camera_from_world``, OpenCV axes.
        Ks: Pixels, pixel centres at +0.5, no skew.
        width: Of the images, pixels.
        height: Likewise.
        near_plane: Metres; Gaussians whose mean is nearer are left out.
        far_plane: Metres.
        radius_clip: Leave out Gaussians with a radius in pixels of at most this.
        eps2d: Added to the diagonal of the covariances in the image, square pixels.
        sh_degree: Degree up to which the harmonics in ``colors`` are used; None for plain features.
        packed: Lists of ``meta`` hold visible Gaussians only.
        tile_size: For the sake of gsplat's signature: tiles have 16 pixels.
        backgrounds: Features where light comes through; depth has none.
        render_mode: Features, accumulated ``depth_z`` (D), expected ``depth_z`` (ED: D by alpha), or features and one of them.
        sparse_grad: Must be False.
        absgrad: Backward sets ``meta["means2d"].absgrad``, sums of absolute gradients over the pixels (Ye et al.,
            *AbsGS*, 2024).
        rasterize_mode: ``antialiased`` lowers opacities by what ``eps2d`` adds in area (Yu et al., *Mip-Splatting*, CVPR 2024).
        channel_chunk: For the sake of gsplat's signature; features are never split.
        distributed: Must be False.
        camera_model: Pinhole only; undistort photos first.
        segmented: For the sake of gsplat's signature.
        covars: Covariances instead of ``quats`` and ``scales``.
        backend: ``gsplat`` (CUDA), ``numba`` (CPU; the same bits for any number of threads), ``torch`` or ``auto``.

    Returns:
        Images, their alpha, and what gsplat's densification strategies read: ``means2d``, ``radii``, ``depths``, ``conics``,
        ``opacities``, ``gaussian_ids``, ``camera_ids``, ``width``, ``height``, ``n_cameras`` and the sizes of the tiles.

    Raises:
        InvalidInput: An option that is not supported, or a value that makes no sense.
        ShapeMismatch: Sizes do not agree.
        BackendUnavailable: The backend asked for does not run on the tensors' device.
    """
    if camera_model != "pinhole":
        raise InvalidInput(f"camera model {camera_model!r}; only 'pinhole' is rasterised: undistort the photos first")
    if sparse_grad or distributed:
        raise InvalidInput("sparse_grad and distributed are not supported; leave them False")
    if render_mode not in RENDER_MODES:
        raise InvalidInput(f"render mode {render_mode!r}; choose from {', '.join(RENDER_MODES)}")
    if rasterize_mode not in ("classic", "antialiased"):
        raise InvalidInput(f"rasterize mode {rasterize_mode!r}; choose classic or antialiased")
    if width < 1 or height < 1:
        raise InvalidInput(f"an image of {width} x {height} pixels; give a width and a height above 0")
    if covars is None and (quats is None or scales is None):
        raise InvalidInput("neither covars nor both quats and scales are given")
    _check_sizes(means, quats, scales, covars, opacities, viewmats, Ks)
    _check_colors(colors, len(means), len(viewmats), sh_degree)
    channels = colors.shape[-1]
    if backgrounds is not None and tuple(backgrounds.shape) != (len(viewmats), channels):
        raise ShapeMismatch(f"backgrounds {tuple(backgrounds.shape)}; expected {(len(viewmats), channels)}")
    view = View(viewmats, Ks, width, height, near_plane, far_plane, radius_clip, eps2d)
    request = Request(
        means,
        quats,
        scales,
        covars,
        opacities,
        colors,
        sh_degree,
        view,
        backgrounds,
        render_mode,
        rasterize_mode == "antialiased",
        packed,
        absgrad,
    )
    return _RASTERIZATION.pick(means.device, backend)(request)


def _check_sizes(
    means: Tensor,
    quats: Tensor | None,
    scales: Tensor | None,
    covars: Tensor | None,
    opacities: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
) -> None:
    given = {"quats": quats, "scales": scales, "opacities": opacities} if covars is None else {"covars": covars}
    for name, value in given.items():
        if value is not None and len(value) != len(means):
            raise ShapeMismatch(f"{len(value)} {name} for {len(means)} means; give one each")
    if len(opacities) != len(means):
        raise ShapeMismatch(f"{len(opacities)} opacities for {len(means)} means; give one each")
    if len(viewmats) != len(Ks):
        raise ShapeMismatch(f"{len(viewmats)} viewmats and {len(Ks)} Ks; give one each a camera")


def _check_colors(colors: Tensor, g: int, c: int, sh_degree: int | None) -> None:
    whole = colors.shape[: -1 if sh_degree is None else -2]
    if tuple(whole) not in ((g,), (c, g)):
        raise ShapeMismatch(
            f"colors {tuple(colors.shape)} for {g} Gaussians and {c} cameras; expected one row a Gaussian"
        )
    if sh_degree is None:
        return
    if not 0 <= sh_degree <= 3:
        raise InvalidInput(f"harmonics of degree {sh_degree}; choose 0, 1, 2 or 3")
    if colors.shape[-1] != 3 or colors.shape[-2] < (sh_degree + 1) ** 2:
        raise ShapeMismatch(
            f"colors {tuple(colors.shape)} with sh_degree {sh_degree}; expected {(sh_degree + 1) ** 2} rows of 3 a Gaussian"
        )
