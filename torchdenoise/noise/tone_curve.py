"""Noise that went through a camera's tone curve: how to tell, and the brightness without its bias.

A camera adds noise to linear light and stores ``light ** (1 / gamma)``, cut off at black. The curve is steeper below a
value than above it, so the stored noise is skewed, and its mean lies below the value without noise. With Gaussian noise
before the curve, skewness and bias depend on one number: deviation relative to mean of the stored values. The skewness
in flat regions tells whether there is such a curve, and the level of the noise tells the bias.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from torchdenoise.noise.blocks import CorrelatedNoise, interpolated

GAMMA = 2.2
"""Of the usual curve; that of sRGB is close to it."""
MIN_SHARE = 0.3
"""Of the expected skewness that must be measured; demosaicking and JPEG average some of it away."""
MIN_SKEWNESS = 0.1
"""Where the expected skewness is less, it says nothing, and the bias is below 2 % of the deviation."""
QUANTILES = 2001
"""Of the normal distribution, over which expectations are summed."""


class _Expected(NamedTuple):
    """Statistics of stored values, for Gaussian noise before the curve; all ``(K,)``."""

    ratio: Tensor
    """Deviation relative to the mean, ascending."""
    clean: Tensor
    """The value without noise relative to the mean."""
    skewness: Tensor


def without_bias(image: Tensor, deviation: Tensor, gamma: float) -> Tensor:
    """Return the values without noise that belong to the means of noisy ones; never darker.

    Args:
        image: means of noisy values, such as a denoised image, ``(B, C, H, W)``.
        deviation: of the noise at each pixel, of the same shape.
        gamma: of the tone curve that the noise went through, above 1.

    Source: derived here.

    Example:
        >>> mean = torch.full((1, 1, 1, 1), 0.3)
        >>> without_bias(mean, torch.full_like(mean, 0.1), 2.2).item().__round__(3)
        0.317
    """
    expected = _expected(gamma)
    ratio = deviation / image.clamp(min=1e-6)
    return image * interpolated(ratio, expected.ratio, expected.clean).clamp(min=1)


def measured_gamma(noise: CorrelatedNoise) -> float:
    """Return the gamma of the tone curve that noise went through: ``GAMMA``, or 1 if its skewness does not show one.

    Example:
        >>> from torchdenoise.noise.blocks import LevelCurve
        >>> curve = LevelCurve(torch.tensor([[0.2, 0.5]]), torch.tensor([[0.1, 0.1]]))
        >>> [measured_gamma(CorrelatedNoise(curve, torch.ones(1, 1, 1, 1), torch.tensor([skewness])))
        ...  for skewness in ([-0.6, -0.8], [0.1, 0.0])]
        [2.2, 1.0]
    """
    ratio = noise.curve.deviation / noise.curve.brightness.clamp(min=1e-6)
    before, after = (interpolated(ratio, each.ratio, each.skewness) for each in (_expected(GAMMA), _expected(1.0)))
    difference = before - after
    telling = difference.abs() > MIN_SKEWNESS
    shares = ((noise.skewness - after) / difference)[telling]
    # The median, since a class whose blocks are all textured can have any skewness.
    return GAMMA if telling.any() and shares.median() > MIN_SHARE else 1.0


@cache
def _expected(gamma: float) -> _Expected:
    """Return the statistics for noise from none to ten times the light."""
    normal = torch.special.ndtri((torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES)
    noise = torch.cat([torch.zeros(1), torch.logspace(-2, 1, 200)]).double()  # relative to the light
    stored = (1 + noise[:, None] * normal).clamp(min=0) ** (1 / gamma)
    mean = stored.mean(1, keepdim=True)
    deviation = stored.std(1, correction=0)
    skewness = (stored - mean).pow(3).mean(1) / deviation.clamp(min=1e-9).pow(3)
    mean = mean[:, 0]
    return _Expected(*(each.float() for each in (deviation / mean, 1 / mean, skewness)))
