"""Checks of the contracts, for the tests of plugins and of this package: each failure is one ``AssertionError`` line.

Example:
    >>> check_loss(ZSN2NLoss())
"""

from torchdenoise.testing.denoisers import check_denoiser
from torchdenoise.testing.downsamplers import check_downsampler
from torchdenoise.testing.losses import check_loss
from torchdenoise.testing.noise import check_noise_model

__all__ = ["check_denoiser", "check_downsampler", "check_loss", "check_noise_model"]
