"""Texture images of meshes."""

from __future__ import annotations

import io

import numpy as np

_MOST_PIXELS = 1 << 26


def decode_texture(content: bytes) -> np.ndarray | None:
    """An image file's pixels (h, w, 3) uint8, or None where it cannot be decoded or has more than 2^26 pixels."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
