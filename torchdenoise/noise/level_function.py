"""How the noise of a picture grows with brightness, found out from the picture alone, clipping included."""

from math import ceil, inf, sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import unfold

from torchdenoise.noise.clipping import clipped_moments
from torchdenoise.noise.estimators import gaussian_level
from torchdenoise.noise.patches import (
    MAX_PATCHES,
    MIN_PATCHES_PER_DIMENSION,
    PatchVariance,
    informative_channels,
    patch_variance,
)

CLASSES = 3
CLIPPED = 1e-3
"""A picture with a larger share of black and white pixels may have been clipped."""
MISMATCH = 0.1
"""By so much of the variance clipped Gaussian noise may miss what is seen; noise of another kind misses by more."""
PEDESTAL = 0.15
"""By so much of the variance a line through black may miss what is seen; with a pedestal it misses by more."""
LEAST = 1e-9
"""Variance, in units of the white level squared, that counts as none."""
BINS = 256
"""Of brightness."""


class NoiseLevelFunction(NamedTuple):
    """Noise of the variance ``gain * (mean - offset) + sigma^2``, in units of the white level, before any clipping."""

    gain: float
    """1/lambda of Poisson noise; 0 for Gaussian noise."""
    sigma: float
    """Standard deviation of the Gaussian part."""
    clipped: bool = False
    """Whether values beyond black and white were cut off after the noise had come."""
    offset: float = 0.0
    """Brightness without any light, a detector's pedestal; 0 where there is Gaussian noise too, which hides it."""

    def deviation(self, mean: float) -> float:
        """Return the standard deviation of the noise where the picture has this brightness."""
        return sqrt(self.gain * max(mean - self.offset, 0) + self.sigma**2)


def noise_level_function(image: Tensor) -> NoiseLevelFunction:
    """Return how the noise of a picture grows with its brightness.

    Its patches are sorted into dark, middling and bright ones, and each class gets its noise variance as
    ``gaussian_level`` finds it. Where values were cut off at black and white, Gaussian noise shows less variance near
    these ends; if that alone explains what is seen, it is clipped Gaussian noise. If not, a line is fitted: through
    black, or above it where there is Gaussian noise too, or below where a detector has a pedestal.

    Args:
        image: ``(1, C, H, W)`` of any size, 1.0 is white.

    Source: the line and what clipping does to it: Foi, Clipped noisy images, Signal Processing 2009; the variances:
    see ``patches.py``.

    Example:
        >>> clean = torch.linspace(0.2, 0.8, 200).expand(1, 3, 200, 200)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> round(noise_level_function(noisy).gain, 2)
        0.04
        >>> noise_level_function(clean + 0.1 * torch.randn(3, 200, 200)).gain
        0.0
    """
    pixels = informative_channels(image)
    how = patch_variance(pixels)
    classes = _classes(pixels, how)
    if not classes:
        return NoiseLevelFunction(0.0, gaussian_level(image) / 255)
    variances = _variances(classes, how, 0.0, 1.0)
    cut = cut_share(image) > CLIPPED and image.min() >= 0 and image.max() <= 1
    if cut:
        sigma, mismatch = _clipped_gaussian(classes, variances)
        if mismatch < MISMATCH:
            return NoiseLevelFunction(0.0, sigma, True)
    level = _scaled(torch.ones_like(variances), variances)
    if _misfit(level, variances) < how.even:
        return NoiseLevelFunction(0.0, sqrt(level), bool(cut))
    means = torch.stack([part.mean() for part in classes])
    gain, rest = _fitted(means, variances, inf)
    # Channels that differ in brightness differ in noise: with the noise made even, its level is found better.
    gain, rest = _fitted(means, _variances(classes, how, gain, rest) * (gain * means + rest), PEDESTAL)
    return NoiseLevelFunction(gain, sqrt(max(rest, 0)), bool(cut), max(0.0, -rest / gain) if gain else 0.0)


def cut_share(image: Tensor) -> float:
    """Return the share of values at black or white; where some lie beyond, that end has cut nothing off."""
    low, high = image.aminmax()
    cut = (image <= 0) & (low >= 0) | (image >= 1) & (high <= 1)
    return cut.count_nonzero().item() / image.numel()


def noise_deviation(images: Tensor, level: float | None = None) -> Tensor:
    """Return the standard deviation of Gaussian noise ``(B, 1, 1, 1)``, in units of the white level.

    Args:
        images: ``(B, C, H, W)``, each measured by itself; where its noise grows with brightness, at its mean.
        level: the answer if it is known, on the 0-255 scale.

    Example:
        >>> noise_deviation(torch.zeros(2, 3, 4, 4), level=25.5).flatten()
        tensor([0.1000, 0.1000])
    """
    if level is not None:
        return images.new_full((len(images), 1, 1, 1), level / 255)
    lines = [noise_level_function(image) for image in torch.split(images, 1)]
    means = images.mean((1, 2, 3)).clamp(min=0).tolist()
    found = [line.deviation(mean) for line, mean in zip(lines, means, strict=True)]
    return images.new_tensor(found).view(-1, 1, 1, 1)


def _classes(pixels: Tensor, how: PatchVariance) -> list[Tensor]:
    """Return the patches ``(C, side * side, N)`` of each class, from dark to bright; no class if they are too few."""
    stride = ceil(sqrt(pixels.shape[1] * pixels.shape[2] / MAX_PATCHES))
    for side in how.sides:
        if not len(pixels) or min(pixels.shape[1:]) < side:
            continue
        patches = unfold(pixels[None], side, stride=stride).view(len(pixels), side * side, -1).double()
        number = min(CLASSES, patches.shape[2] // (MIN_PATCHES_PER_DIMENSION * len(pixels) * side * side))
        if number:
            return [how.telling(patches[..., part]) for part in patches.mean((0, 1)).argsort().chunk(number)]
    return []


def _variances(classes: list[Tensor], how: PatchVariance, gain: float, rest: float) -> Tensor:
    """Return each class's noise variance as a multiple of ``gain * mean + rest``."""
    variances = []
    for part in classes:
        means = part.mean(1, keepdim=True)
        even = (part - means) / (gain * means.clamp(min=0) + rest).clamp(min=LEAST).sqrt()
        variances.append(how.variance(even))
    return torch.tensor(variances, dtype=torch.float64).clamp(min=1e-12)


def _clipped_gaussian(classes: list[Tensor], variances: Tensor) -> tuple[float, float]:
    """Return the deviation of the clipped Gaussian noise that comes nearest, and its mean relative error."""
    least = variances.max().sqrt().item()
    shares = torch.stack([torch.histc(part.mean(1), BINS, 0, 1) / part[:, 0].numel() for part in classes])
    centres = (torch.arange(BINS).double() + 0.5) / BINS
    found = []
    for sigma in (least * torch.linspace(0.9, 2.0, 111)).tolist():
        clean = torch.linspace(-2 * sigma, 1 + 2 * sigma, 1001).double()
        seen, variance = clipped_moments(clean, sigma)
        at_centres = variance[torch.searchsorted(seen, centres).clamp(max=len(seen) - 1)]
        found.append((_misfit(shares @ at_centres, variances), sigma))
    error, sigma = min(found)
    return sigma, error


def _fitted(means: Tensor, variances: Tensor, most: float) -> tuple[float, float]:
    """Return slope and intercept of the line with the least relative errors.

    The slope is not negative, and the intercept only if a line through black misses by more than ``most``.
    """
    columns = torch.stack([means, torch.ones_like(means)], 1) / variances[:, None]
    gain, rest = torch.linalg.lstsq(columns, torch.ones_like(means)[:, None], driver="gelsd").solution[:, 0].tolist()
    if gain < 0:
        return 0.0, _scaled(torch.ones_like(means), variances)
    if rest < 0:
        light = means.clamp(min=1e-6)
        scale = _scaled(light, variances)
        return (scale, 0.0) if _misfit(scale * light, variances) <= most else (gain, rest)
    return gain, rest


def _misfit(expected: Tensor | float, variances: Tensor) -> float:
    """Return by how much of themselves the variances are missed."""
    return (expected / variances - 1).square().mean().sqrt().item()


def _scaled(shape: Tensor, variances: Tensor) -> float:
    """Return the factor of ``shape`` with the least relative errors."""
    ratio = shape / variances
    return (ratio.sum() / ratio.square().sum()).item()
