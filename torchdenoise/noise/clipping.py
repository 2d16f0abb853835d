"""Clipped Gaussian noise: its mean and variance, and how to undo the bias of its mean."""

from math import pi, sqrt

import torch
from torch import Tensor


def clipped_moments(clean: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return mean and variance of ``clip(clean + sigma n, 0, 1)`` for normal n.

    Args:
        clean: values of any shape; they may lie outside 0..1.
        sigma: standard deviation of the noise, in the same units.

    Source: moments of the censored normal distribution; for images: Foi, Clipped noisy images, Signal Processing 2009.

    Example:
        >>> mean, variance = clipped_moments(torch.tensor([0.0, 0.5]), 0.1)
        >>> mean.round(decimals=3), variance.sqrt().round(decimals=3)
        (tensor([0.0400, 0.5000]), tensor([0.0580, 0.1000]))
    """
    low, high = -clean / sigma, (1 - clean) / sigma
    inside = torch.special.ndtr(high) - torch.special.ndtr(low)
    first = _density(low) - _density(high)
    mean = clean * inside + sigma * first + 1 - torch.special.ndtr(high)
    square = (clean**2 + sigma**2) * inside + 2 * sigma * clean * first + 1 - torch.special.ndtr(high)
    square = square + sigma**2 * (low * _density(low) - high * _density(high))
    return mean, (square - mean**2).clamp(min=0)


def undo_clipped_mean(mean: Tensor, sigma: float) -> Tensor:
    """Return the clean values that have this mean after noise and clipping to 0..1; denoisers estimate that mean.

    Args:
        mean: a denoised image of any shape.
        sigma: standard deviation of the noise before clipping, in units of the white level.

    Returns:
        Values in 0..1.

    Source: Foi, Clipped noisy images, Signal Processing 2009.

    Example:
        >>> undo_clipped_mean(torch.tensor([0.0, 0.04, 0.5]), 0.1).round(decimals=2).tolist()
        [0.0, 0.0, 0.5]
    """
    if sigma <= 0:
        return mean.clamp(0, 1)
    clean = torch.linspace(0, 1, 4001, dtype=torch.float64)
    means, _ = clipped_moments(clean, sigma)
    values = mean.cpu().double().contiguous()  # not every device has float64
    upper = torch.searchsorted(means, values).clamp(1, len(clean) - 1)
    fraction = ((values - means[upper - 1]) / (means[upper] - means[upper - 1]).clamp(min=1e-12)).clamp(0, 1)
    return ((upper - 1 + fraction) / (len(clean) - 1)).to(mean)


def _density(value: Tensor) -> Tensor:
    return torch.exp(-(value**2) / 2) / sqrt(2 * pi)
