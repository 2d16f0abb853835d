"""A second opinion on the level of the noise: the quietest windows of 3x3 pixels.

They are so small that some fit between the lines of a page, where no larger patch is flat. Noise alone makes them
differ by a known amount, so their low quantile shows the level. Texture only adds to it.
"""

from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from torchdenoise.noise.covariance import draw, root_kernel

SIDE = 3
"""Of a window, in pixels."""
QUIET = 0.05
"""Share of the windows that are quieter than the one that counts."""
MIN_WINDOWS = 200
REFERENCE_SIDE = 128
"""Of the drawn noise to compare with, in pixels."""


def level_ratio(
    image: Tensor, deviation: Tensor, covariance: Tensor | None = None, informative: Tensor | None = None
) -> float:
    """Return the level of the noise in the quietest windows, relative to the believed one; 1 if too few show it.

    Near 1 it agrees. Well below, the image has quieter places than the noise allows, and structure was taken for noise.
    Well above, the noise is stronger than believed, or there is texture everywhere.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white. Windows with values at black or white, or without differences, are left
            out.
        deviation: the believed standard deviation, in a shape that broadcasts to the image's.
        covariance: of the noise, see ``covariance.py``; None for white noise.
        informative: where the image shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Source: a heuristic of this project.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> round(level_ratio(noisy, torch.tensor(0.1)), 1), round(level_ratio(noisy, torch.tensor(0.2)), 1)
        (1.0, 0.5)
    """
    if min(image.shape[-2:]) < SIDE:
        return 1.0
    image = image.detach().float()
    hidden = (image <= 0) | (image >= 1)
    if informative is not None:
        hidden |= ~informative
    variances = _variances(image)
    usable = (max_pool2d(hidden.float(), SIDE, 1) == 0) & (variances > 1e-10)
    believed = avg_pool2d(deviation.to(image).expand_as(image).square(), SIDE, 1).clamp(min=1e-12)
    ratios = (variances / believed).mean(1)[usable.all(1)]
    if len(ratios) < MIN_WINDOWS:
        return 1.0
    expected = _white(image.shape[1]) if covariance is None else _expected(covariance)
    quiet = ratios.kthvalue(max(1, round(QUIET * len(ratios)))).values  # quantile() refuses large images
    return float((quiet / expected).sqrt())


def _variances(image: Tensor) -> Tensor:
    means = avg_pool2d(image, SIDE, 1)
    unbiased = SIDE**2 / (SIDE**2 - 1)
    return (avg_pool2d(image.square(), SIDE, 1) - means.square()).clamp(min=0) * unbiased


def _expected(covariance: Tensor) -> float:
    """Return the quantile for noise alone."""
    size = (1, len(covariance), REFERENCE_SIDE, REFERENCE_SIDE)
    noise = draw(root_kernel(covariance.cpu()), size, Generator().manual_seed(0))
    return float(_variances(noise).mean(1).quantile(QUIET))


@cache
def _white(channels: int) -> float:
    return _expected(torch.eye(channels)[..., None, None])
