"""The numbers of SPZ files: what each byte stands for.

From the format's public description, compared byte by byte with files that Niantic's implementation (version 4, 2026) wrote:
24-bit fixed point for positions; opacities as bytes; colours as bytes, a step being 1 / (0.15 * 255) of the coefficient;
logarithms of standard deviations in sixteenths from -10; quaternions by their smallest three components (versions 3 and 4) or
by x y z (version 2); harmonics in 1/128, of which 5 bits (degree 1) or 4 bits (above) are used when writing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from ...core.errors import InvalidInput
from ..gaussians import GaussianCloud
from .byte_values import logits_of_bytes, opacity_bytes, unit_quats

Parts = Mapping[str, np.ndarray]
"""For each stream, in the file's order, its bytes, one row a Gaussian."""

COEFFICIENTS = (0, 3, 8, 15, 24)
"""Harmonics above degree 0, by degree. Degree 4 may be in files; clouds have none."""

_COLOR_STEP = np.float32(0.15 * 255)
_SQRT_HALF = np.float32(math.sqrt(0.5))


def bytes_per_gaussian(version: int, degree: int) -> dict[str, int]:
    """For each stream, in the file's order."""
    return {
        "positions": 9,
        "alphas": 1,
        "colors": 3,
        "scales": 3,
        "rotations": 3 if version < 3 else 4,
        "sh": 3 * COEFFICIENTS[degree],
    }


def pack(cloud: GaussianCloud, version: int) -> tuple[Parts, int, tuple[str, ...]]:
    """Bytes of a cloud whose axes are the file's, the number of fractional bits, and notes on what does not fit.

    Raises:
        InvalidInput: Coordinates too large.
    """
    bits = fractional_bits(cloud.means.numpy())
    quats = unit_quats(cloud.quats.numpy())[:, [1, 2, 3, 0]]
    colors, scales = cloud.sh[:, 0].numpy(), cloud.log_scales.numpy()
    parts = {
        "positions": _fixed(cloud.means.numpy(), bits),
        "alphas": opacity_bytes(cloud.opacity_logits.numpy())[:, None],
        "colors": _bytes(colors * _COLOR_STEP + np.float32(127.5)),
        "scales": _bytes((scales + 10) * 16),
        "rotations": _first_three(quats) if version < 3 else _smallest_three(quats),
        "sh": _harmonics(cloud.sh[:, 1:].numpy()),
    }
    notes = [] if bits >= 12 else [f"positions are rounded to {2.0**-bits:g}, since they reach far"]
    for what, outside in (
        ("standard deviation outside e^-10..e^5.94", (scales < -10.04) | (scales > 5.97)),
        ("colour far outside 0..1", np.abs(colors) > 3.35),
        ("harmonic outside -1..1", np.abs(cloud.sh[:, 1:].flatten(1).numpy()) > 1.05),
    ):
        count = int(outside.any(1).sum())
        if count:
            notes.append(f"{count} Gaussians have a {what}, which is cut off")
    return parts, bits, tuple(notes)


def unpack(parts: Parts, version: int, bits: int) -> GaussianCloud:
    """A cloud along the file's axes; harmonics above degree 3 are left out."""
    count = len(parts["alphas"])
    rotations = parts["rotations"]
    xyzw = _of_first_three(rotations) if version < 3 else _of_smallest_three(rotations)
    base = (parts["colors"].astype(np.float32) - np.float32(127.5)) / _COLOR_STEP
    rest = (parts["sh"].astype(np.float32).reshape(count, parts["sh"].shape[1] // 3, 3) - 128) / 128
    return GaussianCloud(
        torch.from_numpy(_of_fixed(parts["positions"], bits)),
        torch.from_numpy(np.ascontiguousarray(xyzw[:, [3, 0, 1, 2]])),
        torch.from_numpy(parts["scales"].astype(np.float32) / 16 - 10),
        torch.from_numpy(logits_of_bytes(parts["alphas"][:, 0])),
        torch.from_numpy(np.concatenate([base[:, None], rest[:, :15]], 1)),
    )


def fractional_bits(means: np.ndarray) -> int:
    """Twelve as others write (0.24 mm), more for small scenes, fewer where coordinates do not fit otherwise.

    Raises:
        InvalidInput: Not even whole units fit.
    """
    largest = float(np.abs(means).max(initial=0))
    if largest >= (1 << 23) - 1:
        raise InvalidInput(f"a coordinate of {largest:g}; SPZ holds less than {1 << 23}: move or scale the cloud first")
    whole = max(math.frexp(largest + 1e-9)[1], -12)  # so many bits before the point
    bits = min(max(12, 18 - whole), 23 - whole, 20)
    return bits if round(largest * 2**bits) < 1 << 23 else bits - 1


def _fixed(values: np.ndarray, bits: int) -> np.ndarray:
    scaled = values.astype(np.float64) * 2**bits
    whole = np.trunc(scaled + np.copysign(0.5, scaled)).astype("<i4")
    return np.ascontiguousarray(whole).view(np.uint8).reshape(len(whole), 3, 4)[:, :, :3].reshape(len(whole), 9)


def _of_fixed(raw: np.ndarray, bits: int) -> np.ndarray:
    low, middle, high = np.moveaxis(raw.reshape(len(raw), 3, 3), 2, 0).astype(np.int32)
    whole = low | middle << 8 | (high ^ 128) - 128 << 16  # the highest bit is the sign
    return (whole * 2.0**-bits).astype(np.float32)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.floor(np.clip(values + np.float32(0.5), 0, 255)).astype(np.uint8)


def _harmonics(values: np.ndarray) -> np.ndarray:
    """(g, k, 3) to (g, 3 k). Only so many values are taken that the file compresses well; 0 stays 0."""
    step = np.full((1, values.shape[1], 1), 16, np.int16)
    step[:, :3] = 8
    whole = np.floor(np.clip(values, -2, 2) * np.float32(128) + np.float32(128.5)).astype(np.int16)
    whole += step // 2
    whole &= -step
    return np.clip(whole, 0, 255).astype(np.uint8).reshape(len(values), 3 * values.shape[1])


def _first_three(xyzw: np.ndarray) -> np.ndarray:
    signed = np.where(xyzw[:, 3:] < 0, -xyzw, xyzw)[:, :3]
    return _bytes(signed * np.float32(127.5) + np.float32(127.5))


def _of_first_three(raw: np.ndarray) -> np.ndarray:
    xyz = raw.astype(np.float32) / np.float32(127.5) - 1
    w = np.sqrt(np.clip(1 - (xyz**2).sum(1, keepdims=True), 0, None))
    return unit_quats(np.concatenate([xyz, w], 1))


def _smallest_three(xyzw: np.ndarray) -> np.ndarray:
    """Little-endian: from the top two bits which is largest, then sign and nine bits for each of the others in their order."""
    rows = np.arange(len(xyzw))
    largest = np.abs(xyzw).argmax(1)
    positive = np.where(xyzw[rows, largest][:, None] < 0, -xyzw, xyzw)
    others = positive[rows[:, None], _others()[largest]]
    sizes = np.floor(np.abs(others) / _SQRT_HALF * 511 + np.float32(0.5)).astype(np.uint32).clip(0, 511)
    words = sizes | (others < 0).astype(np.uint32) << 9
    packed = largest.astype(np.uint32) << 30 | words[:, 0] << 20 | words[:, 1] << 10 | words[:, 2]
    return packed.astype("<u4").reshape(-1, 1).view(np.uint8)


def _of_smallest_three(raw: np.ndarray) -> np.ndarray:
    packed = np.ascontiguousarray(raw).view("<u4").reshape(-1).astype(np.uint32)
    words = np.stack([packed >> 20, packed >> 10, packed], 1) & 1023
    others = (words & 511).astype(np.float32) / 511 * _SQRT_HALF * np.where(words >> 9, -1, 1).astype(np.float32)
    largest = (packed >> 30).astype(np.int64)
    xyzw = np.empty((len(raw), 4), np.float32)
    rows = np.arange(len(raw))
    xyzw[rows[:, None], _others()[largest]] = others
    xyzw[rows, largest] = np.sqrt(np.clip(1 - (others**2).sum(1), 0, None))
    return unit_quats(xyzw)


def _others() -> np.ndarray:
    """For each component the three others."""
    return np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
