"""The true statistics of noise, from a noisy image and its clean one, and fits that are given them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torchdenoise.fitting import Options, fit_image
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile
from torchdenoise.noise.covariance import nearest_covariance, standardized

QUANTILES = 8
"""Parts of the pixels, by brightness of the clean image, in which the level is measured."""
MAX_LAG = 12
MIN_DEVIATION = 1e-4
"""In units of the white level: what a part without noise counts as."""


def true_profile(noisy: Tensor, clean: Tensor, gamma: float = 1.0) -> NoiseProfile:
    """Return the profile of ``noisy - clean``: level of each channel against brightness, and covariance.

    Args:
        noisy: ``(1, C, H, W)``, 1.0 is white.
        clean: of the same shape.
        gamma: of the tone curve that the noise went through.
    """
    noise = (noisy - clean)[0]
    found = [_level(*pair) for pair in zip(noise, clean[0], strict=True)]
    curve = LevelCurve(*(torch.stack(each) for each in zip(*found, strict=True)))
    standard = noise / curve.at(clean)[0]
    covariance, _ = standardized(nearest_covariance(autocovariance(standard)))
    level = NoiseLevelFunction(0.0, noise.square().mean().sqrt().item())
    return NoiseProfile(level, None, curve, covariance, coarse_to_fine=True, gamma=gamma)


def _level(noise: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean brightness and root mean square of the noise in each quantile of one channel."""
    parts = clean.flatten().argsort().chunk(QUANTILES)
    brightness = torch.stack([clean.flatten()[part].mean() for part in parts])
    levels = torch.stack([noise.flatten()[part].square().mean().sqrt() for part in parts])
    return brightness, levels.clamp(min=MIN_DEVIATION)


def autocovariance(noise: Tensor, largest: int = MAX_LAG) -> Tensor:
    """Return the covariance ``(C, C, 2r + 1, 2r + 1)`` of noise ``(C, H, W)`` of mean 0, to the lag ``largest``.

    Each entry is the mean over the pairs of pixels that lie in the image.
    """
    noise = noise.double()
    height, width = noise.shape[-2:]
    size = (height + largest, width + largest)
    spectra = torch.fft.rfft2(noise, s=size)
    ones = torch.fft.rfft2(torch.ones(height, width, dtype=noise.dtype), s=size)
    sums = torch.fft.irfft2(spectra[:, None].conj() * spectra, s=size)
    pairs = torch.fft.irfft2(ones.conj() * ones, s=size)
    lags = (sums / pairs.round().clamp(min=1)).roll((largest, largest), (-2, -1))
    return lags[..., : 2 * largest + 1, : 2 * largest + 1].float()


def fitted(noisy: Tensor, recipe: Mapping[str, Any], options: Options, profile: NoiseProfile | None = None) -> Tensor:
    """Return the result of a recipe for an image whose noise profile may be given."""
    return fit_image(noisy, recipe, replace(options, noise=profile)).image
