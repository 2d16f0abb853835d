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
"""If at least this part of the luminance may be noise at every frequency, chance explains the rest."""


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
    kept = luminance_kept(covariance)
    if kept.min() > CHANCE:
        return covariance
    grey = _grey(covariance)
    scaled = torch.eye(len(grey)) - grey + grey * kept.sqrt()[..., None, None]
    return from_spectrum(scaled @ spectrum(covariance) @ scaled, radius(covariance)).to(covariance)


def luminance_kept(covariance: Tensor) -> Tensor:
    """Return the part of the luminance's power that may be noise, 0 to 1, at each frequency: ``(TORUS, TORUS)``.

    Args:
        covariance: of noise, ``(C, C, 2r + 1, 2r + 1)``.

    Example:
        >>> luminance_kept(torch.ones(1, 1, 1, 1)).min()
        tensor(1., dtype=torch.float64)
    """
    frequency = torch.fft.fftfreq(TORUS, dtype=torch.float64)
    frequency = torch.hypot(frequency[:, None], frequency)
    kept = torch.ones_like(frequency)
    if len(covariance) == 1:
        return kept
    matrices = spectrum(covariance)
    luminance = _trace(_grey(covariance) @ matrices)
    colours = _trace(matrices) - luminance
    middle = (frequency >= REFERENCE[0]) & (frequency < REFERENCE[1])
    largest = _ratio(luminance[middle], colours[middle])
    for number in range(LOW):
        ring = (frequency >= RING * number) & (frequency < RING * (number + 1))
        kept[ring] = (largest / _ratio(luminance[ring], colours[ring])).clamp(max=1)
    return kept


def _grey(covariance: Tensor) -> Tensor:
    """Return the projection of the channels on the luminance."""
    channels = len(covariance)
    return torch.full((channels, channels), 1 / channels, dtype=torch.complex128)


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1).real


def _ratio(luminance: Tensor, colours: Tensor) -> Tensor:
    return luminance.sum() / colours.sum().clamp(min=1e-9)
