"""Whether the noise of an image is white, estimated from the image alone.

Every function takes one image ``(1, C, H, W)`` of any size, 1.0 is white, and always returns an answer.
"""

from math import ceil, sqrt

import torch
from torch import Tensor

from torchdenoise.noise.patches import (
    MAX_PATCHES,
    MIN_PATCHES_PER_DIMENSION,
    complete_patches,
    informative_channels,
    patch_grid,
)

SIDE = 8
"""Of the patches, in pixels."""
FLAT_SHARE = 0.1
"""Share of the patches, those of least variance, that counts as flat."""
MIN_VARIANCE = 1e-12
"""Patches of less variance hold no noise."""


def correlation(image: Tensor, informative: Tensor | None = None) -> tuple[float, float]:
    """Return the noise correlation of horizontal and of vertical neighbours: 0 for white noise.

    It is measured in the flattest tenth of all 8x8 patches after removing the best-fitting plane of each, and corrected
    for what that does to white noise. Strong correlation is underestimated by a fifth, because the patches are small;
    larger ones are seldom flat. Texture in all patches looks like correlation: up to 0.13 in Kodak images with white
    noise of level 10.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        informative: where it shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Returns:
        Two numbers from -1 to 1; 0 without noise, or in an image smaller than a patch.

    Example:
        >>> white = torch.randn(1, 1, 256, 257, generator=torch.Generator().manual_seed(0))
        >>> smeared = (white[..., 1:] + white[..., :-1]) / 2
        >>> [round(number, 1) + 0.0 for number in correlation(smeared)]
        [0.4, 0.0]
    """
    projection, residuals, variances = _flattest_residuals(image, informative)
    if not len(residuals):
        return 0.0, 0.0
    covariance = residuals.T @ residuals / variances.sum()
    excess = covariance - projection  # for every two pixels of a patch; 0 for white noise
    y, x = _coordinates()
    right = (y[:, None] == y) & (x[:, None] + 1 == x)
    below = (x[:, None] == x) & (y[:, None] + 1 == y)
    return excess[right].mean().clamp(-1, 1).item(), excess[below].mean().clamp(-1, 1).item()


def unevenness(image: Tensor, informative: Tensor | None = None) -> float:
    """Return how uneven the noise spectrum is: a little above 1 for white noise, with or without texture.

    The smallest eigenvalues of the 8x8 patches' covariance belong to the noise; for white noise they are equal up to
    chance. The result is the ratio of their 0.3 and 0.03 quantiles. Texture seldom reaches these eigenvalues in colour;
    in grey images it does at low noise levels.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        informative: where it shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Returns:
        A number of at least 1; 1 for an image with too few patches.

    Example:
        >>> white = torch.randn(1, 1, 128, 129, generator=torch.Generator().manual_seed(0))
        >>> unevenness(white) < 1.3 < 5 < unevenness(white[..., 1:] + white[..., :-1])
        True
    """
    pixels = informative_channels(image).double()
    dimensions = len(pixels) * SIDE * SIDE
    needed = SIDE * SIDE * MIN_PATCHES_PER_DIMENSION * dimensions
    strides = range(ceil(sqrt(pixels[:1].numel() / MAX_PATCHES)), 0, -1)
    grids = (_grid(pixels, informative, stride) for stride in strides)
    patches = next((grid for grid in grids if grid[:1].numel() >= needed), None)
    if patches is None:
        return 1.0
    spectrum = torch.linalg.eigvalsh(torch.cov(patches.reshape(dimensions, -1)))
    low, high = spectrum.quantile(torch.tensor([0.03, 0.3]).double()).tolist()
    return float(high / max(low, 1e-12))


def _grid(pixels: Tensor, informative: Tensor | None, stride: int) -> Tensor:
    """Return the patches ``(C, SIDE, SIDE, N)`` whose pixels are all informative."""
    patches = patch_grid(pixels, SIDE, stride).permute(0, 3, 4, 1, 2).flatten(3)
    return patches[..., complete_patches(informative, SIDE, stride)]


def _coordinates() -> tuple[Tensor, Tensor]:
    """Return row and column of each pixel of a flattened patch."""
    y, x = torch.cartesian_prod(*2 * [torch.arange(SIDE).double()]).T
    return y, x


def _flattest_residuals(image: Tensor, informative: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the projection that removes a plane, and the flattest patches' residuals ``(N, 64)`` and variances.

    N is 0 without noise, or in an image smaller than a patch.
    """
    channels = informative_channels(image)
    stride = max(SIDE, ceil(sqrt(channels[:1].numel() / MAX_PATCHES)))
    patches = patch_grid(channels, SIDE, stride).flatten(3).flatten(1, 2)
    patches = patches[:, complete_patches(informative, SIDE, stride)].reshape(-1, SIDE * SIDE).double()
    y, x = _coordinates()
    planes = torch.linalg.qr(torch.stack([torch.ones_like(x), x, y], 1)).Q
    projection = torch.eye(SIDE * SIDE).double() - planes @ planes.T
    residuals = patches @ projection
    variances = residuals.square().sum(1) / projection.trace()
    noisy = variances > MIN_VARIANCE
    flat = noisy & (variances <= variances[noisy].quantile(FLAT_SHARE)) if noisy.any() else noisy
    return projection, residuals[flat], variances[flat]
