"""What of a method's assumptions about the noise a picture does not keep."""

import torch
from torch import Tensor

from torchdenoise.noise.correlation import correlation, unevenness
from torchdenoise.noise.level_function import cut_share, noise_level_function
from torchdenoise.noise.patches import informative_channels

CORRELATED = {"grey": 0.33, "colour": 0.15}
"""Texture shows as much at low levels, and a grey picture has no other channels that would tell it from noise."""
UNEVEN = 1.5
"""White noise in colour stays below unless it also grows with light; noise that a camera has smoothed is above."""
JUDGED = 96 * 96
"""Pixels; a smaller picture has too few flat places to tell noise from texture."""
CUT = 1 / 3
"""With a larger share of values at black or white, little is left that tells of the noise."""
BETWEEN = 0.1
"""Clipped noise has more values than this just above black, as a share of the black ones."""


def broken_assumptions(image: Tensor, even: Tensor | None = None) -> list[str]:
    """Return why the noise of a picture is not independent from pixel to pixel and Gaussian or Poisson; empty if it is.

    Args:
        image: ``(1, C, H, W)`` as it came, 1.0 is white.
        even: the same after noise that grows with brightness was made even, where correlation is told best.

    Example:
        >>> white = 0.5 + 0.1 * torch.randn(1, 1, 96, 97, generator=torch.Generator().manual_seed(0))
        >>> broken_assumptions(white)
        []
        >>> broken_assumptions((white[..., 1:] + white[..., :-1]) / 2)
        ['the noise of neighbouring pixels is correlated (0.4)']
    """
    reasons = []
    even = image if even is None else even
    neighbours = max(correlation(even), key=abs) if even[0, 0].numel() >= JUDGED else 0.0
    colours = "colour" if len(informative_channels(even)) > 1 else "grey"
    if abs(neighbours) > CORRELATED[colours] and unevenness(even) > UNEVEN:
        reasons.append(f"the noise of neighbouring pixels is correlated ({neighbours:.1f})")
    cut = cut_share(image)
    if cut > CUT and not _counts_photons(image):
        reasons.append(f"{cut:.0%} of the values are cut off at black or white")
    return reasons


def _counts_photons(image: Tensor) -> bool:
    """Return whether black means that no photon came: then there is next to nothing between none and one."""
    line = noise_level_function(image)
    edges = line.offset + torch.tensor([0.0, 0.5, 1.5], device=image.device) * line.gain
    none, between, single = torch.bucketize(image.contiguous(), edges).flatten().bincount(minlength=4)[:3].tolist()
    return bool(between < BETWEEN * min(none, single))
