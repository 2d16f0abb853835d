"""Images of few photons: whole counts, most of them zero or nearly so."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

MAX_VALUES = 256
"""Different values; more are no counts of few photons."""
MAX_MEAN = 4.0
"""Photons a pixel; with more, the noise level function is found as for any image."""
WINDOW = 5
MAX_MISFIT = 0.35
"""Relative difference of variance and mean, in photons, up to which the noise is that of photons."""
STEP_ERROR = 1e-3
"""Relative error of rounding in a multiple of the value of one photon."""


def photon_gain(image: Tensor) -> float | None:
    """Return the value of one photon in an image of few photons; None for any other image.

    All values must be multiples of it, zero among them, and the local variance must be that of Poisson noise: in
    photons, the local mean. Where fine structure adds to the variance, half the windows still have to agree.

    Args:
        image: ``(1, C, H, W)``, black is no photon.

    Source: the variance of Poisson noise; the rule is this project's.

    Example:
        >>> counts = torch.poisson(torch.full((1, 1, 64, 64), 0.5), generator=torch.Generator().manual_seed(0))
        >>> round(photon_gain(counts / 50), 3), photon_gain(torch.rand(1, 1, 64, 64))
        (0.02, None)
    """
    few = len(torch.unique(image[..., :32, :32])) <= MAX_VALUES  # saves sorting all others
    values = torch.unique(image) if few else image.new_empty(0)
    if not 2 <= len(values) <= MAX_VALUES or values[0] != 0 or min(image.shape[-2:]) < WINDOW:
        return None
    gain = values.diff().min()
    multiples = values / gain
    if gain * MAX_MEAN < image.mean() or (multiples - multiples.round()).abs().max() > STEP_ERROR * multiples.max():
        return None
    photons = (image / gain).double()
    means = avg_pool2d(photons, WINDOW, WINDOW)
    variances = (avg_pool2d(photons.square(), WINDOW, WINDOW) - means.square()) * WINDOW**2 / (WINDOW**2 - 1)
    lit = means > 0
    dim = lit & (means <= means[lit].median())
    misfit = (variances[dim].mean() / means[dim].mean() - 1).abs()
    return gain.item() if misfit < MAX_MISFIT else None
