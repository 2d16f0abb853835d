"""Texture that was taken for noise, in the covariance measured in a colour image.

Texture changes all channels alike and is strongest at low frequencies; in some images no block is free of it. The share
of luminance in noise does not fall with frequency: blur, demosaicking and colour matrices change it little, and cameras
and JPEG smooth the colours most at high frequencies. Grain of film below the white noise of a scanner is an exception:
it is underestimated.
"""

import torch
from torch import Tensor

from torchdenoise.noise.covariance import TORUS, from_spectrum, radius, spectrum

RING = 0.04
"""Width of a ring of frequencies, in cycles a pixel."""
LOW = 4
"""The innermost rings, in which the luminance is limited."""
REFERENCE = (0.16, 0.3)
"""Frequencies at which its ratio to the colours is read; above them, JPEG may leave no noise in the luminance."""

CHANCE = 0.9
"""Less texture than this leaves is no more than chance."""


def without_texture(covariance: Tensor) -> Tensor:
    """Return a covariance whose ratio of luminance to colours is nowhere larger at low frequencies than at middle ones.

    Args:
        covariance: of noise, ``(C, C, 2r + 1, 2r + 1)``. One channel has no colours, and is returned as it is.

    Source: a heuristic of this project.

    Example:
        >>> flat = torch.zeros(3, 3, 5, 5)
        >>> flat[:, :, 2, 2] = torch.eye(3)
        >>> textured = flat + torch.full((5, 5), 0.05)
        >>> bool((without_texture(flat) - flat).abs().max() < 1e-6)
        True
        >>> bool((without_texture(textured) - flat).norm() < 0.5 * (textured - flat).norm())
        True
    """
    channels = len(covariance)
    if channels == 1:
        return covariance
    matrices = spectrum(covariance)
    grey = torch.full((channels, channels), 1 / channels, dtype=matrices.dtype)  # projects on the luminance
    luminance = (grey @ matrices).diagonal(dim1=-2, dim2=-1).sum(-1).real
    colours = matrices.diagonal(dim1=-2, dim2=-1).sum(-1).real - luminance
    frequency = torch.fft.fftfreq(TORUS, dtype=torch.float64)
    frequency = torch.hypot(frequency[:, None], frequency)
    middle = (frequency >= REFERENCE[0]) & (frequency < REFERENCE[1])
    largest = _ratio(luminance[middle], colours[middle])
    kept = torch.ones_like(frequency)
    for number in range(LOW):
        ring = (frequency >= RING * number) & (frequency < RING * (number + 1))
        kept[ring] = (largest / _ratio(luminance[ring], colours[ring])).clamp(max=1)
    if kept.min() > CHANCE:
        return covariance
    scaled = torch.eye(channels) - grey + grey * kept.sqrt()[..., None, None]
    return from_spectrum(scaled @ matrices @ scaled, radius(covariance)).to(covariance)


def _ratio(luminance: Tensor, colours: Tensor) -> Tensor:
    return luminance.sum() / colours.sum().clamp(min=1e-9)
