"""Domains: the values in which a network sees pictures, and the way back."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from torchdenoise.noise import (
    NoiseLevelFunction,
    generalized_anscombe,
    inverse_generalized_anscombe,
    noise_level_function,
    undo_clipped_mean,
)
from torchdenoise.registry import Registered

BAND = 128
Way = Callable[[Tensor], Tensor]
"""From image to image, ``(B, C, H, W)`` both."""


class Domain(Registered, ABC, kind="domains"):
    """Takes noisy pictures to where a method's assumption about the noise holds, and denoised ones back.

    What it finds out about the noise it finds in the noisy pictures alone.

    Example:
        >>> class Logarithm(Domain):
        ...     def transforms(self, noisy):
        ...         return torch.log1p, torch.expm1
        >>> into, back = Logarithm().transforms(torch.ones(1, 1, 1, 1))
        >>> back(into(torch.ones(1, 1, 1, 1))).item()
        1.0
    """

    @abstractmethod
    def transforms(self, noisy: Tensor) -> tuple[Way, Way]:
        """Return the way in and the way back for noisy images ``(B, C, H, W)``."""


class IdentityDomain(Domain, source="the plain way", formerly=("AsIs",)):
    """Values as they are."""

    def transforms(self, noisy: Tensor) -> tuple[Way, Way]:  # noqa: ARG002
        """Return two ways that lead nowhere."""
        return _same, _same


class Stabilized(Domain, source="Foi, Clipped noisy images, Signal Processing 2009; Mäkitalo & Foi, IEEE TIP 2013"):
    """Values whose noise is Gaussian with one level for the whole picture, which most methods assume.

    ``noise_level_function`` measures how the noise of each picture grows with its brightness. Where it does, the
    generalised Anscombe transformation, scaled so that black and white stay 0 and 1, makes it even, and its exact
    unbiased inverse leads back. Where it does not, values stay as they are; if they had been clipped, the way back
    undoes what clipping does to a mean.

    Example:
        >>> clean = torch.linspace(0, 1, 90).expand(1, 3, 90, 90)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> into, back = Stabilized().transforms(noisy)
        >>> dark, bright = into(noisy)[..., 20], into(noisy)[..., 80]
        >>> 0.7 < dark.std() / bright.std() < 1.4
        tensor(True)
    """

    def transforms(self, noisy: Tensor) -> tuple[Way, Way]:
        """Return both ways; each picture of the batch has its own."""
        lines = [noise_level_function(image) for image in torch.split(noisy, 1)]

        def into(images: Tensor) -> Tensor:
            return torch.cat(
                [_stabilized(image, line) for image, line in zip(torch.split(images, 1), lines, strict=True)]
            )

        def back(images: Tensor) -> Tensor:
            return torch.cat(
                [_restored(image, line) for image, line in zip(torch.split(images, 1), lines, strict=True)]
            )

        return into, back


def _same(images: Tensor) -> Tensor:
    return images


def _stabilized(image: Tensor, line: NoiseLevelFunction) -> Tensor:
    if not line.gain:
        return image
    return _band_by_band(functools.partial(_evened, line), image)


def _evened(line: NoiseLevelFunction, image: Tensor) -> Tensor:
    black, white = _ends(line)
    stabilized: Tensor = (generalized_anscombe(image, line.gain, line.offset, line.sigma) - black) / (white - black)
    return stabilized


def _restored(image: Tensor, line: NoiseLevelFunction) -> Tensor:
    if not line.gain and not line.clipped:
        return image
    return _band_by_band(functools.partial(_undone, line), image)


def _undone(line: NoiseLevelFunction, image: Tensor) -> Tensor:
    if not line.gain:
        return undo_clipped_mean(image, line.sigma)
    black, white = _ends(line)
    values: Tensor = black + (white - black) * image
    return inverse_generalized_anscombe(values, line.gain, line.offset, line.sigma)


def _band_by_band(change: Way, image: Tensor) -> Tensor:
    """Return what becomes of the image pixel by pixel; in bands, since it takes many times its memory meanwhile."""
    return torch.cat([change(band) for band in torch.split(image, BAND, -2)], -2)


def _ends(line: NoiseLevelFunction) -> Tensor:
    return generalized_anscombe(torch.tensor([0.0, 1.0]), line.gain, line.offset, line.sigma)
