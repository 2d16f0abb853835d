"""Whether the noise of a picture is white, found out from the picture alone.

Every function takes one picture ``(1, C, H, W)`` of any size in units of the white level, and always has an answer.
"""

from math import ceil, sqrt

import torch
from torch import Tensor

from torchdenoise.noise.patches import MAX_PATCHES, MIN_PATCHES_PER_DIMENSION, blocks, informative_channels

SIDE = 8
"""Of the patches."""
FLAT = 0.1
"""The share of the patches that counts as flat."""


def correlation(image: Tensor) -> tuple[float, float]:
    """Return the correlation of the noise of horizontal, and of vertical, neighbours: 0 for white noise.

    It is looked for in the flattest tenth of all 8x8 patches, each less the plane that fits it best; what taking away
    the plane does to white noise is put right. So small patches show a strong correlation as a fifth less than it is;
    larger ones are seldom flat, and texture in all of the patches looks like correlation: up to 0.13 in Kodak pictures
    with white noise of level 10.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Returns:
        Two numbers from -1 to 1; 0 where there is no patch or no noise.

    Example:
        >>> white = torch.randn(1, 1, 256, 257, generator=torch.Generator().manual_seed(0))
        >>> smeared = (white[..., 1:] + white[..., :-1]) / 2
        >>> [round(number, 1) + 0.0 for number in correlation(smeared)]
        [0.4, 0.0]
    """
    project, rest, variances = _flattest(image)
    if not len(rest):
        return 0.0, 0.0
    seen = rest.T @ rest / variances.sum()
    excess = seen - project  # of every two pixels of a patch, over what white noise shows
    y, x = _places()
    right = (y[:, None] == y) & (x[:, None] + 1 == x)
    below = (x[:, None] == x) & (y[:, None] + 1 == y)
    return excess[right].mean().clamp(-1, 1).item(), excess[below].mean().clamp(-1, 1).item()


def unevenness(image: Tensor) -> float:
    """Return how uneven the noise's spectrum is: a little above 1 for white noise, be there texture or not.

    Of the eigenvalues of the 8x8 patches' covariance the smallest are the noise's: of white noise one value, but for
    chance. The one that three tenths of all stay below, over the one that three hundredths do. Textures seldom reach up
    to there in colour; in grey they do at low levels.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Returns:
        A number not below 1; 1 for a picture with too few patches.

    Example:
        >>> white = torch.randn(1, 1, 128, 129, generator=torch.Generator().manual_seed(0))
        >>> unevenness(white) < 1.3 < 5 < unevenness(white[..., 1:] + white[..., :-1])
        True
    """
    pixels = informative_channels(image).double()
    size = len(pixels) * SIDE * SIDE
    stride = ceil(sqrt(pixels[:1].numel() / MAX_PATCHES)) or 1
    patches = blocks(pixels, SIDE, stride).permute(0, 3, 4, 1, 2)
    if not size or patches[:1].numel() < SIDE * SIDE * MIN_PATCHES_PER_DIMENSION * size:
        return 1.0
    spectrum = torch.linalg.eigvalsh(torch.cov(patches.reshape(size, -1)))
    low, high = spectrum.quantile(torch.tensor([0.03, 0.3]).double()).tolist()
    return float(high / max(low, 1e-12))


def _places() -> tuple[Tensor, Tensor]:
    """Return row and column of each pixel of a patch."""
    y, x = torch.cartesian_prod(*2 * [torch.arange(SIDE).double()]).T
    return y, x


def _flattest(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what takes a plane out of a patch, and of the flattest patches what is left ``(N, 64)`` and its variances.

    No patch where there is no noise, or no room for one.
    """
    channels = informative_channels(image)
    stride = max(SIDE, ceil(sqrt(channels[:1].numel() / MAX_PATCHES)))
    patches = blocks(channels, SIDE, stride).reshape(-1, SIDE * SIDE).double()
    y, x = _places()
    planes = torch.linalg.qr(torch.stack([torch.ones_like(x), x, y], 1)).Q
    project = torch.eye(SIDE * SIDE).double() - planes @ planes.T
    rest = patches @ project
    variances = rest.square().sum(1) / project.trace()
    noisy = variances > 1e-12
    flat = noisy & (variances <= variances[noisy].quantile(FLAT)) if noisy.any() else noisy
    return project, rest[flat], variances[flat]
