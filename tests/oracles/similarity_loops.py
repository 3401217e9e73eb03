"""Image metrics pixel by pixel, as they are defined; slow."""

from __future__ import annotations

import numpy as np


def gaussian_window(size: int = 11, sigma: float = 1.5) -> np.ndarray:
    """Weights (size, size) that sum to 1."""
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def windowed_ssim(x: np.ndarray, y: np.ndarray, window: np.ndarray, unbiased: bool = False) -> np.ndarray:
    """Similarity of two grey images (h, w) in each place where the whole window lies inside them."""
    return _windowed(x, y, window, unbiased)[0]


def windowed_contrast(x: np.ndarray, y: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The part of it without the means."""
    return _windowed(x, y, window, False)[1]


def ssim_3dgs(x: np.ndarray, y: np.ndarray) -> float:
    """Colour images (h, w, c) with zeros around them, a Gaussian window centred on each pixel, mean over all."""
    padded = [np.pad(image, ((5, 5), (5, 5), (0, 0))) for image in (x, y)]
    maps = [windowed_ssim(padded[0][..., c], padded[1][..., c], gaussian_window()) for c in range(x.shape[2])]
    return float(np.mean(maps))


def ssim_skimage(x: np.ndarray, y: np.ndarray) -> float:
    """Colour images (h, w, c), a window of 7 x 7 equal weights inside the image, sample covariances, mean over all."""
    window = np.full((7, 7), 1 / 49)
    return float(np.mean([windowed_ssim(x[..., c], y[..., c], window, unbiased=True) for c in range(x.shape[2])]))


def halved(x: np.ndarray) -> np.ndarray:
    """Mean of each 2 x 2 pixels; an odd length gets a zero in front, which counts."""
    x = np.pad(x, [(length % 2, 0) for length in x.shape])
    return (x[0::2, 0::2] + x[0::2, 1::2] + x[1::2, 0::2] + x[1::2, 1::2]) / 4


def ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Colour images (h, w, c), five scales, product for each channel, mean over the channels."""
    weights, window = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333), gaussian_window()
    products = []
    for c in range(x.shape[2]):
        a, b, product = x[..., c], y[..., c], 1.0
        for scale, weight in enumerate(weights):
            part = windowed_ssim if scale == 4 else windowed_contrast
            product *= max(float(part(a, b, window).mean()), 0) ** weight
            a, b = halved(a), halved(b)
        products.append(product)
    return float(np.mean(products))


def _windowed(x: np.ndarray, y: np.ndarray, window: np.ndarray, unbiased: bool) -> tuple[np.ndarray, np.ndarray]:
    size = len(window)
    out = np.empty((2, x.shape[0] - size + 1, x.shape[1] - size + 1))
    correction = size**2 / (size**2 - 1) if unbiased else 1.0
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            a, b = (image[row : row + size, column : column + size] for image in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            variance_a, variance_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            texture = (2 * correction * covariance + 0.03**2) / (correction * (variance_a + variance_b) + 0.03**2)
            light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
            out[:, row, column] = light * texture, texture
    return out[0], out[1]
