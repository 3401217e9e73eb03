"""Samples along rays add up to colours: the volume rendering integral of a radiance field."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from ...core.backend import Op
from ...core.errors import InvalidInput, ShapeMismatch
from .samples import RaySamples
from .tangents import Moving

COMPOSITE = Op(
    "composite",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_composite:composite",
        "torch": "trisparse.rendering.radiance.kernels.torch_composite:composite",
    },
)
COMPOSITE_TANGENT = Op(
    "composite_tangent",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_composite:composite_tangent",
        "torch": "trisparse.rendering.radiance.kernels.torch_composite:composite_tangent",
    },
)
VISIBLE_SAMPLES = Op(
    "visible_samples",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_composite:visible",
        "torch": "trisparse.rendering.radiance.kernels.torch_composite:visible",
    },
)
_LEAST_OPACITY = 1e-10


@dataclass(frozen=True, eq=False)
class RenderedRays:
    """What rays see; or, as the second result of functions about moving rays, how fast that changes."""

    colors: Float[Tensor, "r c"]
    """Intensities, background included."""
    opacity: Float[Tensor, "r"]
    """0..1; 0 where a ray met nothing."""
    distance_sum: Float[Tensor, "r"]
    """Distances along the ray times weights, metres; see :attr:`distance`."""
    weights: Float[Tensor, "s"]
    """What each sample contributes."""

    @property
    def distance(self) -> Float[Tensor, "r"]:
        """Expected distance along the ray of what it sees, metres; 0 where it met nothing."""
        return self.distance_sum / self.opacity.clamp_min(_LEAST_OPACITY)


def composite(
    sigma: Float[Tensor, "_"],
    rgb: Float[Tensor, "..."],
    samples: RaySamples,
    background: Float[Tensor, "_"] | None = None,
    *,
    backend: str = "auto",
) -> RenderedRays:
    """Colours of rays: each sample adds its own, by how much of it the samples before leave visible (Max, TVCG 1995).

    Sample i of a ray weighs T_i (1 - exp(-sigma_i d_i)) with T_i = exp(-sum of sigma_j d_j, j < i). Gradients reach ``sigma``,
    ``rgb`` and ``background``; a second derivative by backward of backward works with every backend, at the speed of ``torch``.

    Args:
        sigma: Densities, 1/m, at least 0.
        rgb: Intensities, (s, c).
        samples: The intervals that they belong to.
        background: What is seen through the rest; None: black.
        backend: ``numba`` (CPU; the same bits for any number of threads), ``torch`` or ``auto``.

    Raises:
        ShapeMismatch: Sizes do not agree.
    """
    _check(sigma, rgb, samples, background)
    colors, opacity, distance_sum, weights = COMPOSITE.pick(sigma.device, backend)(sigma, rgb, samples)
    if background is not None:
        colors = colors + (1 - opacity)[:, None] * background
    return RenderedRays(colors, opacity, distance_sum, weights)


def composite_tangent(
    sigma: Moving,
    rgb: Moving,
    samples: RaySamples,
    background: Float[Tensor, "_"] | None = None,
    *,
    backend: str = "auto",
) -> tuple[RenderedRays, RenderedRays]:
    """Colours of moving rays and how fast they change, at fixed distances of the samples.

    Gradients of both results reach densities, intensities, their tangents and the background.
    """
    _check(sigma.value, rgb.value, samples, background)
    if sigma.tangent.shape != sigma.value.shape or rgb.tangent.shape != rgb.value.shape:
        raise ShapeMismatch(
            f"tangents {tuple(sigma.tangent.shape)} and {tuple(rgb.tangent.shape)} of densities {tuple(sigma.value.shape)} and "
            f"intensities {tuple(rgb.value.shape)}; expected the same shapes"
        )
    kernel = COMPOSITE_TANGENT.pick(sigma.value.device, backend)
    value, rate = kernel(sigma.value, sigma.tangent, rgb.value, rgb.tangent, samples)
    colors, changes = value.colors, rate.colors
    if background is not None:
        colors = colors + (1 - value.opacity)[:, None] * background
        changes = changes - rate.opacity[:, None] * background
    return RenderedRays(colors, *value[1:]), RenderedRays(changes, *rate[1:])


def visible_samples(
    sigma: Float[Tensor, "s"],
    samples: RaySamples,
    *,
    early_stop_eps: float = 1e-4,
    alpha_threshold: float = 0.0,
    backend: str = "auto",
) -> Bool[Tensor, "s"]:
    """Which samples can be seen: enough light gets to them, and they hold back enough of it. No gradients.

    Args:
        sigma: Densities, 1/m.
        samples: Their intervals.
        early_stop_eps: Least transmittance before a sample.
        alpha_threshold: Least 1 - exp(-sigma d) of a sample.
        backend: As for :func:`composite`.
    """
    if sigma.shape != (len(samples),):
        raise ShapeMismatch(f"densities {tuple(sigma.shape)} for {len(samples)} samples; give one each")
    return VISIBLE_SAMPLES.pick(sigma.device, backend)(sigma.detach(), samples, early_stop_eps, alpha_threshold)


def _check(sigma: Tensor, rgb: Tensor, samples: RaySamples, background: Tensor | None) -> None:
    if sigma.shape != (len(samples),) or rgb.ndim != 2 or len(rgb) != len(samples):
        raise ShapeMismatch(
            f"densities {tuple(sigma.shape)} and intensities {tuple(rgb.shape)} for {len(samples)} samples; expected (s,) and "
            "(s, c)"
        )
    if sigma.dtype != rgb.dtype:
        raise InvalidInput(f"densities are {sigma.dtype} and intensities {rgb.dtype}; convert one")
    if background is not None and background.shape != rgb.shape[1:]:
        raise ShapeMismatch(f"a background of shape {tuple(background.shape)} for {rgb.shape[1]} channels")
