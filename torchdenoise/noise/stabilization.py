"""Variance stabilisation of photon counts to noise of standard deviation 1, with unbiased inverses."""

import functools
from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from torchdenoise.noise.clipping import undo_clipped_mean
from torchdenoise.noise.level_function import NoiseLevelFunction

ROWS = 128
"""Rows that are transformed at once."""


def anscombe(counts: Tensor) -> Tensor:
    """Return ``2 sqrt(z + 3/8)`` of Poisson counts: noise of standard deviation 1 from about four counts upwards.

    Args:
        counts: photon counts of any shape, that is lambda times the image.

    Source: Anscombe, The transformation of Poisson, binomial and negative-binomial data, Biometrika 1948.

    Example:
        >>> anscombe(torch.poisson(torch.full((100_000,), 20.0))).std().round(decimals=1)
        tensor(1.)
    """
    return generalized_anscombe(counts, 1.0)


def inverse_anscombe(stabilized: Tensor) -> Tensor:
    """Return the counts of denoised stabilised values by the closed-form unbiased inverse.

    A denoiser estimates the mean of ``anscombe(z)``, and the algebraic inverse of a mean is too small at low counts.
    Values below the transform of zero counts give zero.

    Args:
        stabilized: denoised output of ``anscombe``, of any shape.

    Source: Mäkitalo and Foi, A closed-form approximation of the exact unbiased inverse of the Anscombe
    variance-stabilizing transformation, IEEE TIP 2011.

    Example:
        >>> mean = anscombe(torch.poisson(torch.full((100_000,), 3.0))).mean()
        >>> inverse_anscombe(mean).round(decimals=1)
        tensor(3.)
    """
    return inverse_generalized_anscombe(stabilized, 1.0)


def generalized_anscombe(values: Tensor, gain: float, offset: float = 0.0, sigma: float = 0.0) -> Tensor:
    """Return stabilised values of Poisson-Gaussian noise: ``gain`` times Poisson counts, plus normal noise.

    ``2/gain sqrt(gain z + 3/8 gain^2 + sigma^2 - gain offset)``; a negative argument of the root counts as zero.

    Args:
        values: of any shape.
        gain: units per photon: 1 for counts, ``1 / lambda`` for an image with lambda photons at white.
        offset: the pedestal: mean of the normal noise, in the same units.
        sigma: standard deviation of the normal noise, in the same units.

    Source: Murtagh, Starck and Bijaoui, Image restoration with noise suppression using a multiresolution support,
    Astronomy and Astrophysics Supplement 1995.

    Example:
        >>> light = torch.poisson(torch.full((100_000,), 20.0))
        >>> noisy = 3 * light + 10 + 2 * torch.randn(100_000)
        >>> generalized_anscombe(noisy, 3, 10, 2).std().round(decimals=1)
        tensor(1.)
    """
    root = gain * (values - offset) + 3 / 8 * gain**2 + sigma**2
    return 2 / gain * root.clamp(min=0).sqrt()


def inverse_generalized_anscombe(stabilized: Tensor, gain: float, offset: float = 0.0, sigma: float = 0.0) -> Tensor:
    """Return the values of denoised stabilised ones by the closed-form unbiased inverse.

    Args:
        stabilized: denoised output of ``generalized_anscombe``, of any shape.
        gain: as in ``generalized_anscombe``.
        offset: as in ``generalized_anscombe``; no result is below it.
        sigma: as in ``generalized_anscombe``.

    Source: Mäkitalo and Foi, Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian noise,
    IEEE TIP 2013.

    Example:
        >>> inverse_generalized_anscombe(generalized_anscombe(torch.tensor(310.0), 3, 10), 3, 10).round()
        tensor(311.)
    """
    value = stabilized.clamp(min=1)  # smaller values mean no light, and the series diverges
    series = sqrt(3 / 2) / 4 / value - 11 / 8 / value**2 + 5 / 8 * sqrt(3 / 2) / value**3
    counts = value**2 / 4 + series - 1 / 8 - (sigma / gain) ** 2
    return gain * counts.clamp(min=0) + offset


def stabilize(image: Tensor, level: NoiseLevelFunction) -> Tensor:
    """Return an image whose noise has one level everywhere: a generalized Anscombe transform where noise has a gain.

    It is scaled so that black and white stay 0 and 1.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        level: of its noise.

    Example:
        >>> image = torch.rand(1, 1, 4, 4)
        >>> stabilize(image, NoiseLevelFunction(0.0, 0.1)) is image
        True
    """
    return _by_rows(functools.partial(_anscombe, level), image) if level.gain else image


def destabilize(image: Tensor, level: NoiseLevelFunction) -> Tensor:
    """Return the values of a denoised stabilised image, without the bias of the transform or of clipping.

    Example:
        >>> level = NoiseLevelFunction(0.01, 0.02)
        >>> image = torch.full((1, 1, 4, 4), 0.5)
        >>> (destabilize(stabilize(image, level), level) - image).abs().max() < 0.01
        tensor(True)
    """
    return _by_rows(functools.partial(_restored, level), image) if level.gain or level.clipped else image


def stabilized_sigma(level: NoiseLevelFunction) -> float:
    """Return the standard deviation of the noise after ``stabilize``, for noise with a gain."""
    black, white = _ends(level)
    return float(1 / (white - black).item())


def _anscombe(level: NoiseLevelFunction, image: Tensor) -> Tensor:
    black, white = _ends(level)
    stabilized: Tensor = (generalized_anscombe(image, level.gain, level.offset, level.sigma) - black) / (white - black)
    return stabilized


def _restored(level: NoiseLevelFunction, image: Tensor) -> Tensor:
    if not level.gain:
        return undo_clipped_mean(image, level.sigma)
    black, white = _ends(level)
    values: Tensor = black + (white - black) * image
    return inverse_generalized_anscombe(values, level.gain, level.offset, level.sigma)


def _by_rows(transform: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Return a pixelwise transform of an image, some rows at a time: it needs many times their memory."""
    return torch.cat([transform(rows) for rows in torch.split(image, ROWS, -2)], -2)


def _ends(level: NoiseLevelFunction) -> Tensor:
    """Return the transformed black and white."""
    return generalized_anscombe(torch.tensor([0.0, 1.0]), level.gain, level.offset, level.sigma)
