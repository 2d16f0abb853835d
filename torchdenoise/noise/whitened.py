"""A second opinion on the level of correlated noise: what all patches have, and not only the flat ones.

Cameras and JPEG smooth flat regions more than others, so that flat blocks show less noise than the rest of a picture
has. With the measured level and covariance, the noise of all patches becomes white; its variance is 1 if the measured
level holds everywhere. Texture reaches few directions of the patches, and the others show the variance.
"""

from math import ceil, sqrt

import torch
from torch import Tensor

from torchdenoise.noise.covariance import radius
from torchdenoise.noise.patches import (
    MAX_PATCHES,
    MIN_PATCHES_PER_DIMENSION,
    complete_patches,
    noise_variance,
    patch_grid,
)

SIDE = 5
"""Of a patch, in pixels."""
MIN_POWER = 0.05
"""Of the noise in a direction, relative to the mean; where there is less, its measurement is not good enough."""


def level_in_all_patches(
    image: Tensor, deviation: Tensor, covariance: Tensor, informative: Tensor | None = None
) -> float:
    """Return the level of the noise in all patches, relative to the believed one; 1 if there are too few.

    Near 1 it agrees. Below, it says nothing, since the covariance is not exact. Well above, the noise is stronger than
    believed, or there is texture in every direction.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        deviation: the believed standard deviation, in a shape that broadcasts to the image's.
        covariance: of the noise, see ``covariance.py``.
        informative: where the image shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation, ICCV 2015, after
    whitening; that is derived here.

    Example:
        >>> white = torch.randn(1, 1, 129, 128, generator=torch.Generator().manual_seed(0))
        >>> covariance = torch.ones(1, 1, 1, 1)
        >>> [round(level_in_all_patches(0.2 * white, torch.tensor(level), covariance), 1) for level in (0.2, 0.1)]
        [1.0, 2.0]
    """
    pixels = (image / deviation.to(image).clamp(min=1e-6))[0].detach().cpu().double()
    channels, size = len(pixels), SIDE * SIDE
    stride = max(2, ceil(sqrt(pixels[0].numel() / MAX_PATCHES)))
    patches = patch_grid(pixels, SIDE, stride).permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1)
    patches = patches[complete_patches(informative, SIDE, stride)]
    if len(patches) < MIN_PATCHES_PER_DIMENSION * channels * size:
        return 1.0
    without_mean = torch.eye(size).double() - 1 / size
    projection = torch.kron(torch.eye(channels).double(), without_mean)
    powers, directions = torch.linalg.eigh(projection @ _patch_covariance(covariance.cpu().double()) @ projection)
    strong = powers > MIN_POWER * powers.mean()
    whitened = patches @ (directions[:, strong] / powers[strong].sqrt())
    return sqrt(noise_variance(torch.linalg.eigvalsh(torch.cov(whitened.T))))


def _patch_covariance(covariance: Tensor) -> Tensor:
    """Return the covariance of the values of a patch, channel by channel."""
    lag = radius(covariance)
    row, column = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).T
    down, right = row - row[:, None], column - column[:, None]
    near = (down.abs() <= lag) & (right.abs() <= lag)
    values = covariance[..., down.clamp(-lag, lag) + lag, right.clamp(-lag, lag) + lag] * near
    matrix: Tensor = values.transpose(1, 2).flatten(2).flatten(0, 1)
    return matrix
