"""Texture images of meshes."""

from __future__ import annotations

import hashlib
import io
import warnings

import numpy as np

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TGA", "TIFF", "WEBP")
"""What textures come in. Pillow knows more, some of which it hands to other programs (PostScript)."""
_MOST_PIXELS = 1 << 27
"""Of all textures of a mesh."""
_FREE_PIXELS = 1 << 24
_PIXELS_PER_BYTE = 200
"""Images above `_FREE_PIXELS` may claim this much: enough for any photograph, too little for a decompression bomb."""


class TextureDecoder:
    """Decodes the images of one mesh, each once, as long as all of them have less than 2^27 pixels."""

    def __init__(self) -> None:
        self._left = _MOST_PIXELS
        self._decoded: dict[bytes, np.ndarray | None] = {}

    def decode(self, content: bytes) -> np.ndarray | None:
        """An image file's pixels (h, w, 3) uint8, or None where it cannot be decoded or is implausibly large."""
        key = hashlib.sha256(content).digest()
        if key not in self._decoded:
            pixels = _pixels(content, min(self._left, max(_FREE_PIXELS, _PIXELS_PER_BYTE * len(content))))
            self._left -= 0 if pixels is None else pixels.shape[0] * pixels.shape[1]
            self._decoded[key] = pixels
        return self._decoded[key]


def _pixels(content: bytes, most: int) -> np.ndarray | None:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd meta data
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return np.asarray(image.convert("RGB")) if image.width * image.height <= most else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
