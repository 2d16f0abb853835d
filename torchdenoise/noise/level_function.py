"""The noise level function: how noise grows with brightness, estimated from one image, clipped or not."""

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
    complete_patches,
    informative_channels,
    patch_variance,
)

BRIGHTNESS_CLASSES = 3
"""Dark, medium and bright patches."""
MIN_CLIPPED_SHARE = 1e-3
"""With a larger share of values at black or white, the image may have been clipped."""
MAX_CLIPPED_MISFIT = 0.1
"""Relative error of the variances up to which noise counts as clipped Gaussian; other noise fits worse."""
MAX_FALLING_MISFIT = 0.2
"""The same where the variance falls with brightness, which no other noise does."""
BRIGHT_SHARE = 0.01
"""Of the patches, the least that bright objects take."""
MIN_COVERED = 0.2
"""Of the range of brightness by the classes; in natural pictures they cover more than 0.3, of objects on a dark field
less than 0.1."""
MAX_DARK = 0.5
"""The brightness of a dark field above the darkest patch, relative to that of objects."""
MAX_ORIGIN_MISFIT = 0.15
"""Relative error of the variances up to which the line goes through black; with a pedestal it fits worse."""
MIN_VARIANCE = 1e-9
"""In units of the white level squared; less counts as none."""
HISTOGRAM_BINS = 256
"""Of brightness, to average the variance of clipped noise."""


class NoiseLevelFunction(NamedTuple):
    """Noise variance ``gain * (mean - offset) + sigma^2`` before any clipping, in units of the white level."""

    gain: float
    """``1 / lambda`` of Poisson noise; 0 for Gaussian noise."""
    sigma: float
    """Standard deviation of the Gaussian part."""
    clipped: bool = False
    """Whether values were clipped at black and white after the noise was added."""
    offset: float = 0.0
    """The detector's pedestal: brightness without light; 0 where Gaussian noise hides it."""

    def deviation(self, mean: float) -> float:
        """Return the standard deviation of the noise at this brightness."""
        return sqrt(self.gain * max(mean - self.offset, 0) + self.sigma**2)


def noise_level_function(image: Tensor, informative: Tensor | None = None) -> NoiseLevelFunction:
    """Return the noise level function of an image.

    Patches are sorted into dark, medium and bright ones, and the noise variance of each class is estimated as in
    ``gaussian_level``. Clipping lowers the variance of Gaussian noise near black and white; if that alone explains the
    estimates, the noise is clipped Gaussian. Otherwise a line is fitted: through black for Poisson noise, above it with
    additional Gaussian noise, below it with a pedestal.

    Args:
        image: ``(1, C, H, W)`` of any size, 1.0 is white.
        informative: where it shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Source: line and clipping: Foi, Clipped noisy images, Signal Processing 2009; variances: see ``patches.py``.

    Example:
        >>> clean = torch.linspace(0.2, 0.8, 200).expand(1, 3, 200, 200)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> round(noise_level_function(noisy).gain, 2)
        0.04
        >>> noise_level_function(clean + 0.1 * torch.randn(3, 200, 200)).gain
        0.0
    """
    pixels = informative_channels(image)
    estimator = patch_variance(pixels)
    classes = _brightness_classes(pixels, estimator, informative)
    if not classes:
        return NoiseLevelFunction(0.0, gaussian_level(image) / 255)
    variances = _variances(classes, estimator, 0.0, 1.0)
    clipped = clipped_share(image, informative) > MIN_CLIPPED_SHARE and image.min() >= 0 and image.max() <= 1
    if clipped:
        sigma, misfit = _clipped_gaussian(classes, variances)
        if misfit < MAX_CLIPPED_MISFIT:
            return NoiseLevelFunction(0.0, sigma, True)
    constant = _best_scale(torch.ones_like(variances), variances)
    if _misfit(constant, variances) < estimator.tolerance:
        return NoiseLevelFunction(0.0, sqrt(constant), bool(clipped))
    means = torch.stack([patches.mean() for patches in classes])
    gain, intercept = _fit_line(means, variances, inf)
    falls = not gain and len(variances) >= BRIGHTNESS_CLASSES  # only clipping makes bright noise weaker
    if clipped and falls and misfit < MAX_FALLING_MISFIT:
        return NoiseLevelFunction(0.0, sigma, True)
    # Channels of different brightness have different noise. Stabilised by the first fit, it is estimated better.
    stabilized = _variances(classes, estimator, gain, intercept)
    gain, intercept = _fit_line(means, stabilized * (gain * means + intercept), MAX_ORIGIN_MISFIT)
    offset = max(0.0, -intercept / gain) if gain else 0.0
    return NoiseLevelFunction(gain, sqrt(max(intercept, 0)), bool(clipped), offset)


def white_patches(image: Tensor, level: NoiseLevelFunction, informative: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return brightness and noise deviation of the patches that a level function was fitted to, each ``(N,)``.

    Args:
        image: ``(1, C, H, W)``, as in ``noise_level_function``.
        level: which the channels of a patch are stabilised with, as in the fit.
        informative: where it shows its noise.

    Example:
        >>> white = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> brightness, deviation = white_patches(0.5 + 0.1 * white, NoiseLevelFunction(0.0, 0.1))
        >>> brightness.mean().round(decimals=1), deviation.square().mean().sqrt().round(decimals=2)
        (tensor(0.5000, dtype=torch.float64), tensor(0.1000, dtype=torch.float64))
    """
    pixels = informative_channels(image)
    estimator = patch_variance(pixels)
    classes = _brightness_classes(pixels, estimator, informative)
    if not classes:
        return torch.empty(0), torch.empty(0)
    gain, intercept = (level.gain, level.sigma**2 - level.gain * level.offset) if level.gain else (0.0, 1.0)
    means = torch.cat([patches.mean((0, 1)) for patches in classes])
    ratios = torch.cat([estimator.of_each(_stabilized(patches, gain, intercept)) for patches in classes])
    return means, (ratios * (gain * means + intercept).clamp(min=MIN_VARIANCE)).sqrt()


def clipped_share(image: Tensor, informative: Tensor | None = None) -> float:
    """Return the share of values at black or white; an end that some values exceed has clipped none."""
    if informative is not None:
        image = image[informative.expand_as(image)]
    low, high = image.aminmax()
    clipped = (image <= 0) & (low >= 0) | (image >= 1) & (high <= 1)
    return clipped.count_nonzero().item() / image.numel()


def noise_deviation(images: Tensor, level: float | None = None) -> Tensor:
    """Return the standard deviation of Gaussian noise ``(B, 1, 1, 1)``, in units of the white level.

    Args:
        images: ``(B, C, H, W)``, each measured separately; where its noise grows with brightness, at its mean.
        level: the known standard deviation on the 0-255 scale, used instead of a measurement.

    Example:
        >>> noise_deviation(torch.zeros(2, 3, 4, 4), level=25.5).flatten()
        tensor([0.1000, 0.1000])
    """
    if level is not None:
        return images.new_full((len(images), 1, 1, 1), level / 255)
    level_functions = [noise_level_function(image) for image in torch.split(images, 1)]
    means = images.mean((1, 2, 3)).clamp(min=0).tolist()
    deviations = [function.deviation(mean) for function, mean in zip(level_functions, means, strict=True)]
    return images.new_tensor(deviations).view(-1, 1, 1, 1)


def _brightness_classes(pixels: Tensor, estimator: PatchVariance, informative: Tensor | None) -> list[Tensor]:
    """Return the patches ``(C, side * side, N)`` of each class, from dark to bright; no class if they are too few."""
    stride = ceil(sqrt(pixels.shape[1] * pixels.shape[2] / MAX_PATCHES))
    for side in estimator.sides:
        if not len(pixels) or min(pixels.shape[1:]) < side:
            continue
        patches = unfold(pixels[None], side, stride=stride).view(len(pixels), side * side, -1).double()
        patches = patches[..., complete_patches(informative, side, stride)]
        enough = MIN_PATCHES_PER_DIMENSION * len(pixels) * side * side
        number = min(BRIGHTNESS_CLASSES, patches.shape[2] // enough)
        if number:
            means = patches.mean((0, 1))
            classes = [estimator.select(patches[..., chosen]) for chosen in means.argsort().chunk(number)]
            return [*classes, *_bright_objects(patches, means, classes, estimator)]
    return []


def _bright_objects(patches: Tensor, means: Tensor, classes: list[Tensor], estimator: PatchVariance) -> list[Tensor]:
    """Return a class of the few patches that are far brighter than all classes, if there are some."""
    number = max(3 * estimator.min_patches, round(BRIGHT_SHARE * len(means)))
    if number > len(means):
        return []
    bright = means.topk(number).values[-1]
    darkest, brightest = classes[0].mean(), classes[-1].mean()
    black = means.min().clamp(min=0)  # the pedestal of a detector lies below all values
    if brightest - black > MAX_DARK * (bright - black) or brightest - darkest >= MIN_COVERED * (bright - darkest):
        return []
    objects = patches[..., means > (brightest + bright) / 2]
    return [estimator.select(objects)] if objects.shape[-1] >= estimator.min_patches else []


def _variances(classes: list[Tensor], estimator: PatchVariance, gain: float, intercept: float) -> Tensor:
    """Return the noise variance of each class as a multiple of ``gain * mean + intercept``."""
    variances = [estimator.variance(_stabilized(patches, gain, intercept)) for patches in classes]
    return torch.tensor(variances, dtype=torch.float64).clamp(min=1e-12)


def _stabilized(patches: Tensor, gain: float, intercept: float) -> Tensor:
    """Return patches without their means, divided by the root of ``gain * mean + intercept``."""
    means = patches.mean(1, keepdim=True)
    return (patches - means) / (gain * means.clamp(min=0) + intercept).clamp(min=MIN_VARIANCE).sqrt()


def _clipped_gaussian(classes: list[Tensor], variances: Tensor) -> tuple[float, float]:
    """Return sigma of the best-fitting clipped Gaussian noise, and the relative error of its variances."""
    bins = HISTOGRAM_BINS
    largest = variances.max().sqrt().item()
    shares = torch.stack([torch.histc(patches.mean(1), bins, 0, 1) / patches[:, 0].numel() for patches in classes])
    centres = (torch.arange(bins).double() + 0.5) / bins
    candidates = []
    for sigma in (largest * torch.linspace(0.9, 2.0, 111)).tolist():
        clean = torch.linspace(-2 * sigma, 1 + 2 * sigma, 1001).double()
        means, variance = clipped_moments(clean, sigma)
        at_centres = variance[torch.searchsorted(means, centres).clamp(max=len(means) - 1)]
        candidates.append((_misfit(shares @ at_centres, variances), sigma))
    misfit, sigma = min(candidates)
    return sigma, misfit


def _fit_line(means: Tensor, variances: Tensor, max_origin_misfit: float) -> tuple[float, float]:
    """Return slope and intercept of the line with the least relative errors.

    The slope is not negative. The intercept is negative only if the best line through black has a relative error above
    ``max_origin_misfit``.
    """
    columns = torch.stack([means, torch.ones_like(means)], 1) / variances[:, None]
    ones = torch.ones_like(means)
    gain, intercept = torch.linalg.lstsq(columns, ones[:, None], driver="gelsd").solution[:, 0].tolist()
    if gain < 0:
        return 0.0, _best_scale(ones, variances)
    if intercept < 0:
        light = means.clamp(min=1e-6)
        scale = _best_scale(light, variances)
        if _misfit(scale * light, variances) <= max_origin_misfit:
            return scale, 0.0
    return gain, intercept


def _misfit(expected: Tensor | float, variances: Tensor) -> float:
    """Return the root mean square relative error of expected variances."""
    return (expected / variances - 1).square().mean().sqrt().item()


def _best_scale(shape: Tensor, variances: Tensor) -> float:
    """Return the factor of ``shape`` that fits the variances with the least relative errors."""
    ratio = shape / variances
    return (ratio.sum() / ratio.square().sum()).item()
