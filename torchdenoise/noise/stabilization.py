"""Variance stabilisation: photon counts to values whose noise has standard deviation 1, and back without bias."""

from math import sqrt

from torch import Tensor


def anscombe(counts: Tensor) -> Tensor:
    """Return ``2 sqrt(z + 3/8)`` of Poisson counts: noise of standard deviation 1 from about four counts on.

    Args:
        counts: of any shape, as counts and not divided by anything: lambda times the picture.

    Source: Anscombe, The transformation of Poisson, binomial and negative-binomial data, Biometrika 1948.

    Example:
        >>> anscombe(torch.poisson(torch.full((100_000,), 20.0))).std().round(decimals=1)
        tensor(1.)
    """
    return generalized_anscombe(counts, 1.0)


def inverse_anscombe(stabilized: Tensor) -> Tensor:
    """Return the counts of denoised stabilised values, in closed form and without bias.

    A denoiser finds the mean of ``anscombe(z)``, and the plain inverse of a mean is too small at low counts. Values
    below that of zero counts give zero.

    Args:
        stabilized: what ``anscombe`` made, denoised; of any shape.

    Source: Mäkitalo and Foi, A closed-form approximation of the exact unbiased inverse of the Anscombe
    variance-stabilizing transformation, IEEE TIP 2011.

    Example:
        >>> mean = anscombe(torch.poisson(torch.full((100_000,), 3.0))).mean()
        >>> inverse_anscombe(mean).round(decimals=1)
        tensor(3.)
    """
    return inverse_generalized_anscombe(stabilized, 1.0)


def generalized_anscombe(values: Tensor, gain: float, offset: float = 0.0, sigma: float = 0.0) -> Tensor:
    """Return stabilised values of a camera's: ``gain`` times Poisson counts, plus normal noise about ``offset``.

    ``2/gain sqrt(gain z + 3/8 gain^2 + sigma^2 - gain offset)``, with zero for a negative root.

    Args:
        values: of any shape.
        gain: units for each photon: 1 for counts, ``1 / lambda`` for a picture with lambda photons at white.
        offset: the units that no light gives.
        sigma: standard deviation of the normal noise, in the same units.

    Source: Murtagh, Starck and Bijaoui, Image restoration with noise suppression using a multiresolution support,
    Astronomy and Astrophysics Supplement 1995.

    Example:
        >>> light = torch.poisson(torch.full((100_000,), 20.0))
        >>> seen = 3 * light + 10 + 2 * torch.randn(100_000)
        >>> generalized_anscombe(seen, 3, 10, 2).std().round(decimals=1)
        tensor(1.)
    """
    root = gain * (values - offset) + 3 / 8 * gain**2 + sigma**2
    return 2 / gain * root.clamp(min=0).sqrt()


def inverse_generalized_anscombe(stabilized: Tensor, gain: float, offset: float = 0.0, sigma: float = 0.0) -> Tensor:
    """Return the values, free of noise, of denoised stabilised ones, in closed form and without bias.

    Args:
        stabilized: what ``generalized_anscombe`` made, denoised; of any shape.
        gain: as there.
        offset: as there; no result is below it.
        sigma: as there.

    Source: Mäkitalo and Foi, Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian noise,
    IEEE TIP 2013.

    Example:
        >>> inverse_generalized_anscombe(generalized_anscombe(torch.tensor(310.0), 3, 10), 3, 10).round()
        tensor(311.)
    """
    value = stabilized.clamp(min=1)  # below lies no light at all, and the series grows without bound
    series = sqrt(3 / 2) / 4 / value - 11 / 8 / value**2 + 5 / 8 * sqrt(3 / 2) / value**3
    counts = value**2 / 4 + series - 1 / 8 - (sigma / gain) ** 2
    return gain * counts.clamp(min=0) + offset
