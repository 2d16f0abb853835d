"""What of a method's assumptions about the noise a picture does not keep."""

from torch import Tensor

from torchdenoise.noise.estimate import correlation, flat_level
from torchdenoise.noise.line import cut_share, noise_deviation

CORRELATED = 0.33
"""Texture alone seldom shows as much."""
PERHAPS = 0.15
"""Noise that is correlated so little is believed to be so only if it is also ..."""
SMOOTH = 3.0
"""... so many times stronger, as variance, than its white part."""
JUDGED = 96 * 96
"""Pixels; a smaller picture has too few flat places to tell noise from texture."""
CUT = 1 / 3
"""With a larger share of values at black or white, little is left that tells of the noise."""


def broken_assumptions(image: Tensor) -> list[str]:
    """Return why the noise of a picture is not independent from pixel to pixel and Gaussian or Poisson; empty if it is.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.

    Example:
        >>> white = 0.5 + 0.1 * torch.randn(1, 1, 96, 97, generator=torch.Generator().manual_seed(0))
        >>> broken_assumptions(white)
        []
        >>> broken_assumptions((white[..., 1:] + white[..., :-1]) / 2)
        ['the noise of neighbouring pixels is correlated (0.4)']
    """
    reasons = []
    neighbours = max(correlation(image), key=abs) if image[0, 0].numel() >= JUDGED else 0.0
    if abs(neighbours) > CORRELATED or (abs(neighbours) > PERHAPS and _smoothness(image) > SMOOTH):
        reasons.append(f"the noise of neighbouring pixels is correlated ({neighbours:.1f})")
    cut = cut_share(image)
    if cut > CUT:
        reasons.append(f"{cut:.0%} of the values are cut off at black or white")
    return reasons


def _smoothness(image: Tensor) -> float:
    """Return the variance of all noise over that of its white part."""
    white = 255 * noise_deviation(image).item()
    return (flat_level(image) / max(white, 0.1)) ** 2
