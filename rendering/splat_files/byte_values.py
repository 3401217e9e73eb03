"""Numbers as bytes, and back: what .splat and SPZ have in common."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8


def from_unit(values: Float32[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """0..1 as 0..255, rounded; what lies outside is cut off."""
    return np.floor(np.clip(values * np.float32(255) + np.float32(0.5), 0, 255)).astype(np.uint8)


def opacity_bytes(logits: Float32[np.ndarray, "g"]) -> UInt8[np.ndarray, "g"]:
    """Opacities as bytes."""
    return from_unit((1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))).astype(np.float32))


def logits_of_bytes(opacities: UInt8[np.ndarray, "g"]) -> Float32[np.ndarray, "g"]:
    """Logits of opacities; 0 and 255 stand for what rounds to them, so that every logit is finite."""
    values = np.clip(opacities.astype(np.float64), 0.25, 254.75) / 255
    return np.log(values / (1 - values)).astype(np.float32)


def unit_quats(quats: Float32[np.ndarray, "g 4"]) -> Float32[np.ndarray, "g 4"]:
    """Of length 1; w x y z. What has no length becomes no rotation."""
    exact = quats.astype(np.float64)
    largest = np.abs(exact).max(1, keepdims=True, initial=0)
    none = largest[:, 0] == 0
    exact = exact / np.where(none[:, None], 1, largest)
    exact[none] = (1, 0, 0, 0)
    return (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype(np.float32)
