"""Structural similarity as Gaussian splatting is trained and judged with it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch

SSIM = Op(
    "ssim",
    {
        "numba": "trisparse.rendering.kernels.numba_ssim:ssim",
        "torch": "trisparse.rendering.kernels.torch_ssim:ssim",
    },
)


def ssim(
    image: Float[Tensor, "*n h w c"], target: Float[Tensor, "..."], *, backend: str = "auto"
) -> Float[Tensor, "*n"]:
    """Structural similarity (Wang et al., IEEE TIP 2004) with the settings of Kerbl et al. (SIGGRAPH 2023).

    A Gaussian window of 11 x 11 pixels with a standard deviation of 1.5, images taken as 0 beyond their borders, the mean over
    all pixels and channels. Gradients reach both images, once.

    Args:
        image: 0..1. One image or a batch of them.
        target: 0..1, of the same shape.
        backend: ``"numba"`` or ``"torch"``.

    Returns:
        One number for each image, 1 for the same image; none for an empty batch.

    Raises:
        ShapeMismatch: The images differ in shape or have no height, width and channels.
        InvalidInput: The images differ in type, or have no pixels.
    """
    if image.shape != target.shape or image.ndim not in (3, 4):
        raise ShapeMismatch(
            f"images of shapes {tuple(image.shape)} and {tuple(target.shape)}; expected the same, [h w c] or [n h w c]"
        )
    if image.dtype != target.dtype or image.device != target.device or not image.is_floating_point():
        raise InvalidInput(
            f"images of {image.dtype} on {image.device} and {target.dtype} on {target.device}; expected the same floats"
        )
    if 0 in image.shape[-3:]:
        raise InvalidInput(f"images of shape {tuple(image.shape)} have no pixels to compare")
    compare = SSIM.pick(image.device, backend)
    if image.ndim == 3:
        return compare(image[None], target[None])[0]
    return compare(image, target)
