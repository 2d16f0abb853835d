"""Noise level of an image, estimated from the image alone: Gaussian sigma, or Poisson photons.

Every function takes one image ``(1, C, H, W)`` of any size, 1.0 is white, and always returns an answer.
"""

from collections.abc import Callable
from math import ceil, sqrt

import torch
from torch import Tensor
from torch.nn.functional import unfold

from torchdenoise.extras import optional_module
from torchdenoise.noise.patches import (
    MAX_PATCHES,
    MIN_PATCHES_PER_DIMENSION,
    FlatPatches,
    informative_channels,
    noise_variance,
    patch_grid,
    patch_variance,
)

SIDES_AND_STRIDES = ((8, 3), (8, 1), (4, 1), (3, 1))
"""Of the patches: as published, then denser and smaller ones for small images."""
MAX_PHOTONS = 1e6
"""At white, for an image without visible noise: its noise is a quarter of a grey level of 255."""
ROWS_PER_STRIP = 32
"""Rows of patches processed together; all at once would need 100 times the memory of the image."""


def gaussian_level(image: Tensor) -> float:
    """Return the standard deviation of white Gaussian noise on the 0-255 scale.

    The patches, their channels stacked, have a covariance matrix whose smallest eigenvalues belong to the noise and
    whose largest belong to the image. The largest are dropped one by one until as many of the rest lie above their mean
    as below it, as for pure noise; that mean is the noise variance. In a grey image full of texture no eigenvalue
    belongs to the noise alone, so the high frequencies of its flattest patches are used. Images too small for patches
    (below about 30 pixels a side) fall back to the median diagonal difference of 2x2 cells, which structure biases
    upwards.

    Clipped white sky has little noise left and biases the estimate downwards.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation, ICCV 2015; for grey
    images see ``FlatPatches``.

    Example:
        >>> noisy = 0.5 + 25 / 255 * torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> round(gaussian_level(noisy))
        25
    """
    pixels = informative_channels(image)
    variance = _patch_estimate(pixels, lambda patches: patches)
    if variance is not None:
        return 255 * sqrt(variance)
    differences = _cells(pixels.double())[0].abs()
    # The median magnitude of a normal variable is 0.6745 standard deviations.
    return 255 * differences.median().item() / 0.6745 if differences.numel() else 0.0


def wavelet_level(image: Tensor) -> float:
    """Return the standard deviation of white Gaussian noise on the 0-255 scale, by wavelets.

    The median magnitude of the finest diagonal wavelet coefficients, averaged over the channels that are neither
    constant nor copies. Structure biases it upwards.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Raises:
        UserError: scikit-image and PyWavelets are not installed.

    Source: Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994; scikit-image's
    ``estimate_sigma``.

    Example:
        >>> noisy = 0.5 + 25 / 255 * torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> round(wavelet_level(noisy))
        25
    """
    remedy = "wavelet_level needs the extra: pip install torchdenoise[classical]"
    optional_module("pywt", remedy)
    restoration = optional_module("skimage.restoration", remedy)
    levels = [float(restoration.estimate_sigma(channel.numpy())) for channel in informative_channels(image)]
    return 255 * sum(levels) / len(levels) if levels else 0.0


def poisson_photons(image: Tensor) -> float:
    """Return lambda of Poisson noise ``y = Poisson(lambda x) / lambda``: the photons at white.

    The variance of such noise is ``mean / lambda``, a line through the origin. Each patch is centred on its mean and
    divided by the square root of that mean, which makes the noise variance ``1 / lambda`` everywhere; it is estimated
    as in ``gaussian_level``. Given a patch's total count, the counts of its pixels are multinomial, so dividing by the
    patch mean is exact at any count. Channels and patches with less than a tenth of the image's light are left out.

    The image must not be clipped.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Returns:
        A number between 0 and ``MAX_PHOTONS``, which stands for an image without noise or without light.

    Source: the line is in Foi et al., Practical Poissonian-Gaussian noise modeling and fitting, IEEE TIP 2008; the
    variance as in Chen, Zhu and Heng, ICCV 2015.

    Example:
        >>> clean = torch.linspace(0.2, 0.8, 200).expand(1, 3, 200, 200)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> abs(poisson_photons(noisy) - 25) < 2
        True
    """
    pixels = informative_channels(image)
    light = pixels.clamp(min=0).mean((1, 2))
    pixels = pixels[10 * light >= light.sum() / max(len(light), 1)]
    dark = pixels.clamp(min=0).mean() / 10

    def stabilize(patches: Tensor) -> Tensor:
        means = patches.mean(1, keepdim=True)
        bright = (means > dark).flatten(0, 1).all(0)
        return (patches[..., bright] - means[..., bright]) / means[..., bright].sqrt()

    # Subtracting its mean takes a degree of freedom from each channel of a patch: an eigenvalue of zero.
    variance = _patch_estimate(pixels, stabilize, lost=len(pixels))
    if variance is None:
        differences, means = _cells(pixels.double())
        bright = means > dark
        variance = (differences[bright].square() / means[bright]).mean().nan_to_num().item()
    return 1 / max(variance, 1 / MAX_PHOTONS)


def _cells(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return diagonal differences, scaled to the noise's variance, and means of all 2x2 cells."""
    first, second, third, fourth = patch_grid(pixels, 2, 1).flatten(3).unbind(-1)
    return (first - second - third + fourth) / 2, (first + second + third + fourth) / 4


def _patch_estimate(pixels: Tensor, prepare: Callable[[Tensor], Tensor], lost: int = 0) -> float | None:
    """Return the noise variance estimated from patches, or None if there are too few.

    Args:
        pixels: ``(C, H, W)``.
        prepare: transforms patches ``(C, side * side, N)`` and may drop some.
        lost: degrees of freedom that ``prepare`` removes from each patch.
    """
    estimator = patch_variance(pixels)
    if not isinstance(estimator, FlatPatches):
        eigenvalues = _eigenvalues(pixels, prepare)
        return None if eigenvalues is None else noise_variance(eigenvalues[lost:])
    stride = ceil(sqrt(pixels.numel() / MAX_PATCHES))
    squares = patch_grid(pixels, estimator.sides[0], stride).flatten(1, 2).flatten(2).transpose(1, 2)
    patches = prepare(squares.double())
    enough = patches.shape[2] >= 2 * estimator.min_patches
    return estimator.variance(estimator.select(patches)) if enough else None


def _eigenvalues(pixels: Tensor, prepare: Callable[[Tensor], Tensor]) -> Tensor | None:
    """Return the ascending eigenvalues of the patch covariance, or None if there are too few patches.

    Args:
        pixels: ``(C, H, W)``.
        prepare: transforms patches ``(C, side * side, N)`` and may drop some.
    """
    if not len(pixels):
        return None
    for side, stride in SIDES_AND_STRIDES:
        if min(pixels.shape[1:]) < side:
            continue
        dimensions = len(pixels) * side * side
        count, total = 0, torch.zeros(dimensions).double()
        products = torch.zeros(dimensions, dimensions).double()
        for top in range(0, pixels.shape[1] - side + 1, ROWS_PER_STRIP * stride):
            strip = pixels[:, top : top + (ROWS_PER_STRIP - 1) * stride + side]
            patches = unfold(strip[None], side, stride=stride).view(len(pixels), side * side, -1)
            columns = prepare(patches.double()).flatten(0, 1)
            count += columns.shape[1]
            total += columns.sum(1)
            products += columns @ columns.T
        if count >= MIN_PATCHES_PER_DIMENSION * dimensions:
            mean = total / count
            eigenvalues: Tensor = torch.linalg.eigvalsh(products / count - mean.outer(mean))
            return eigenvalues
    return None
