"""Whether the channels of an image have noise that one level function describes."""

from torch import Tensor

from torchdenoise.noise.measuring import measure_noise
from torchdenoise.noise.profile import NoiseProfile

LEAST = (0.1 / 255) ** 2
"""Variance; weaker noise counts as this much: then it does not matter how it is removed."""
MIN_PIXELS = 64 * 64
"""With fewer, the noise of a single channel cannot be measured well enough."""


def level_mismatch(image: Tensor, profile: NoiseProfile) -> float:
    """Return the largest ratio of the level in a profile to that in a channel alone, or its inverse; at least 1.

    1 for correlated noise, whose profile has a level for each channel. Where one channel is much brighter than another,
    most patches belong to the dark one, and the level measured in all channels is wrong for the bright one.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        profile: of its noise, measured in all channels.

    Example:
        >>> import torch
        >>> from torchdenoise.noise import measure_noise
        >>> noise = torch.randn(1, 2, 100, 100, generator=torch.Generator().manual_seed(0))
        >>> noisy = 0.5 + torch.tensor([0.01, 0.1]).view(1, 2, 1, 1) * noise
        >>> level_mismatch(noisy, measure_noise(noisy)) > 2
        True
    """
    channels, pixels = image.shape[1], image.shape[-2] * image.shape[-1]
    if channels == 1 or profile.correlated or pixels < MIN_PIXELS:
        return 1.0
    worst = 1.0
    for number, variance in enumerate(profile.variances(image)[0]):
        channel = image[:, number : number + 1]
        if channel.amin() == channel.amax():
            continue
        own = max(LEAST, measure_noise(channel).variances(channel).mean().item())
        joint = max(LEAST, variance.mean().item())
        worst = max(worst, (own / joint) ** 0.5, (joint / own) ** 0.5)
    return worst
