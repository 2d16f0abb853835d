"""Which noise assumptions of the methods an image violates."""

from enum import StrEnum

import torch
from torch import Tensor

from torchdenoise.noise.correlation import correlation, unevenness
from torchdenoise.noise.level_function import clipped_share, noise_level_function
from torchdenoise.noise.patches import informative_channels


class Assumption(StrEnum):
    """What a method may assume about noise; the text says what is so where it does not hold."""

    INDEPENDENT = "neighbouring pixels share noise"
    PHOTONS = "the level does not grow with brightness as that of photon noise does"
    UNIFORM = "the level differs between dark and bright parts"
    MEASURED = "the noise cannot be measured"


MIN_CORRELATION = {"grey": 0.33, "colour": 0.15}
"""Correlation of neighbours that counts. Texture is correlated too, and in grey no other channel separates it from weak
noise, so the threshold is higher."""
MIN_UNEVENNESS = {"grey": 1.5, "colour": 1.35}
"""White noise stays below, in colour below 1.25, unless it also grows with brightness; noise smoothed by a camera lies
above."""
MIN_PIXELS = 96 * 96
"""Smaller images have too few flat patches to separate noise from texture."""
MAX_CLIPPED_SHARE = 1 / 3
"""A larger share of values at black or white leaves too little noise to work with."""
MAX_BETWEEN_COUNTS = 0.1
"""Photon counts leave fewer values than this between zero and one photon, relative to the values at either."""


def broken_assumptions(image: Tensor, stabilized: Tensor | None = None) -> list[str]:
    """Return why an image's noise is not pixel-wise independent and Gaussian or Poisson; empty if it is.

    Args:
        image: ``(1, C, H, W)`` as read, 1.0 is white.
        stabilized: the same image after variance stabilisation, which makes correlation easier to detect.

    Example:
        >>> white = 0.5 + 0.1 * torch.randn(1, 1, 96, 97, generator=torch.Generator().manual_seed(0))
        >>> broken_assumptions(white)
        []
        >>> broken_assumptions((white[..., 1:] + white[..., :-1]) / 2)
        ['the noise of neighbouring pixels is correlated (0.4)']
    """
    correlation = neighbour_correlation(image if stabilized is None else stabilized)
    reasons = [f"the noise of neighbouring pixels is correlated ({correlation:.1f})"] if correlation else []
    clipped = too_clipped(image)
    return [*reasons, clipped] if clipped else reasons


def neighbour_correlation(stabilized: Tensor, informative: Tensor | None = None) -> float:
    """Return the stronger correlation of horizontal or vertical neighbours, or 0 if the noise may be white.

    Args:
        stabilized: ``(1, C, H, W)``, its noise of one level.
        informative: where it shows its noise, bool ``(1, 1, H, W)``; everywhere by default.
    """
    strongest = max(correlation(stabilized, informative), key=abs)
    kind = _kind(stabilized)
    return strongest if abs(strongest) > MIN_CORRELATION[kind] and has_uneven_noise(stabilized, informative) else 0.0


def has_uneven_noise(stabilized: Tensor, informative: Tensor | None = None) -> bool:
    """Return whether the noise spectrum is uneven over frequencies or channels; False for too small images."""
    if stabilized[0, 0].numel() < MIN_PIXELS:
        return False
    return unevenness(stabilized, informative) > MIN_UNEVENNESS[_kind(stabilized)]


def _kind(image: Tensor) -> str:
    return "colour" if len(informative_channels(image)) > 1 else "grey"


def too_clipped(image: Tensor, informative: Tensor | None = None) -> str:
    """Return a sentence if so many values are cut off that too little noise is left; else an empty string."""
    clipped = clipped_share(image, informative)
    if clipped > MAX_CLIPPED_SHARE and not _counts_photons(image):
        return f"{clipped:.0%} of the values are cut off at black or white"
    return ""


def _counts_photons(image: Tensor) -> bool:
    """Return whether black means zero photons: hardly any value then lies between zero and one photon."""
    level_function = noise_level_function(image)
    edges = level_function.offset + torch.tensor([0.0, 0.5, 1.5], device=image.device) * level_function.gain
    zero, between, one = torch.bucketize(image.contiguous(), edges).flatten().bincount(minlength=4)[:3].tolist()
    return bool(between < MAX_BETWEEN_COUNTS * min(zero, one))
