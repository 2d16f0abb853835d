"""How strong the noise of a picture is, found out from the picture alone: its level, or photons.

Every function takes one picture ``(1, C, H, W)`` of any size in units of the white level, and always has an answer.
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
    blocks,
    informative_channels,
    noise_variance,
    patch_variance,
)

PATCHES = ((8, 3), (8, 1), (4, 1), (3, 1))
"""Side and stride of the patches: as published, then closer and smaller ones for small pictures."""
MOST_PHOTONS = 1e6
"""At white, in a picture without visible noise: its noise is a quarter of a grey level of 255."""
ROWS = 32
"""Rows of patches looked at together: all at once would need 100 times the memory of the picture."""


def gaussian_level(image: Tensor) -> float:
    """Return the standard deviation of white Gaussian noise on the 0-255 scale.

    All patches, their channels stacked, have a covariance matrix; its smallest eigenvalues are the noise's, the largest
    the picture's. These are dropped one by one until as many of the rest lie above their mean as below it, which is
    what noise alone does; the mean is then the noise's variance. In a grey picture full of texture no eigenvalue is the
    noise's alone: there it is what the flattest patches have at high frequencies. A picture too small for patches
    (below about 30 pixels a side) is judged by the median difference of the diagonals of its 2x2 cells, which structure
    makes too large.

    White sky that was clipped has little noise left, and lowers what is found for the rest.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation, ICCV 2015; for grey
    pictures see ``FlatPatches``.

    Example:
        >>> noisy = 0.5 + 25 / 255 * torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> round(gaussian_level(noisy))
        25
    """
    pixels = informative_channels(image)
    variance = _found(pixels, lambda patches: patches)
    if variance is not None:
        return 255 * sqrt(variance)
    differences = _cells(pixels.double())[0].abs()
    # The median of a normal variable's size is 0.6745 standard deviations.
    return 255 * differences.median().item() / 0.6745 if differences.numel() else 0.0


def wavelet_level(image: Tensor) -> float:
    """Return the standard deviation of white Gaussian noise on the 0-255 scale, by wavelets.

    The median size of the finest diagonal wavelet coefficients, which structure makes too large; the mean over the
    channels that are not constant.

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

    The variance of such noise is ``mean / lambda``, a line through the origin. Each patch is taken less its mean and
    divided by the root of it: so the noise of all has the variance ``1 / lambda``, which is found as ``gaussian_level``
    finds it. Given how many photons a patch got, where they fell is multinomial, so dividing by the patch's own mean is
    exact at any count. Channels and patches with less than a tenth of the picture's light are left out.

    For pictures that are clipped at neither end.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Returns:
        A number between 0 and ``MOST_PHOTONS``, which stands for a picture without noise, or without light.

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

    def on_the_line(patches: Tensor) -> Tensor:
        means = patches.mean(1, keepdim=True)
        bright = (means > dark).flatten(0, 1).all(0)
        return (patches[..., bright] - means[..., bright]) / means[..., bright].sqrt()

    # Without its mean each channel of a patch has a degree of freedom less, an eigenvalue of zero.
    variance = _found(pixels, on_the_line, lost=len(pixels))
    if variance is None:
        differences, means = _cells(pixels.double())
        bright = means > dark
        variance = (differences[bright].square() / means[bright]).mean().nan_to_num().item()
    return 1 / max(variance, 1 / MOST_PHOTONS)


def _cells(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the difference of the diagonals, of the noise's own variance, and the mean of all 2x2 cells."""
    first, second, third, fourth = blocks(pixels, 2, 1).flatten(3).unbind(-1)
    return (first - second - third + fourth) / 2, (first + second + third + fourth) / 4


def _found(pixels: Tensor, prepare: Callable[[Tensor], Tensor], lost: int = 0) -> float | None:
    """Return the noise's variance that patches show; None where there are too few.

    Args:
        pixels: ``(C, H, W)``.
        prepare: makes of N patches ``(C, side * side, N)`` what is to be compared, as many or fewer.
        lost: degrees of freedom that it takes out of each patch.
    """
    flat = patch_variance(pixels)
    if not isinstance(flat, FlatPatches):
        eigenvalues = _eigenvalues(pixels, prepare)
        return None if eigenvalues is None else noise_variance(eigenvalues[lost:])
    stride = ceil(sqrt(pixels.numel() / MAX_PATCHES))
    squares = blocks(pixels, flat.sides[0], stride).flatten(1, 2).flatten(2).transpose(1, 2)
    patches = prepare(squares.double())
    return flat.variance(flat.telling(patches)) if patches.shape[2] >= 2 * flat.fewest else None


def _eigenvalues(pixels: Tensor, prepare: Callable[[Tensor], Tensor]) -> Tensor | None:
    """Return the eigenvalues, ascending, of the patches' covariance; None where there are too few patches.

    Args:
        pixels: ``(C, H, W)``.
        prepare: makes of N patches ``(C, side * side, N)`` what is to be compared, as many or fewer.
    """
    if not len(pixels):
        return None
    for side, stride in PATCHES:
        if min(pixels.shape[1:]) < side:
            continue
        size = len(pixels) * side * side
        count, total, products = 0, torch.zeros(size).double(), torch.zeros(size, size).double()
        for top in range(0, pixels.shape[1] - side + 1, ROWS * stride):
            strip = pixels[:, top : top + (ROWS - 1) * stride + side]
            patches = unfold(strip[None], side, stride=stride).view(len(pixels), side * side, -1)
            columns = prepare(patches.double()).flatten(0, 1)
            count += columns.shape[1]
            total += columns.sum(1)
            products += columns @ columns.T
        if count >= MIN_PATCHES_PER_DIMENSION * size:
            mean = total / count
            eigenvalues: Tensor = torch.linalg.eigvalsh(products / count - mean.outer(mean))
            return eigenvalues
    return None
