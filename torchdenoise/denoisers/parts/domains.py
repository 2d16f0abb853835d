"""Domains: the values in which a network sees images, and the way back."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.noise import (
    NoiseLevelFunction,
    generalized_anscombe,
    inverse_generalized_anscombe,
    noise_level_function,
    undo_clipped_mean,
)
from torchdenoise.registry import Registered

ROWS = 128
"""Rows that are transformed at once."""
Transform = Callable[[Tensor], Tensor]
"""From image to image, ``(B, C, H, W)`` both."""


class Domain(Registered, ABC, kind="domains"):
    """Transforms noisy images so that a method's noise assumption holds, and denoised ones back.

    Whatever it needs to know about the noise, it estimates from the noisy images alone.

    Example:
        >>> class Logarithm(Domain):
        ...     def transforms(self, noisy):
        ...         return torch.log1p, torch.expm1
        >>> forward, inverse = Logarithm().transforms(torch.ones(1, 1, 1, 1))
        >>> inverse(forward(torch.ones(1, 1, 1, 1))).item()
        1.0
    """

    @abstractmethod
    def transforms(self, noisy: Tensor) -> tuple[Transform, Transform]:
        """Return the forward and the inverse transform for noisy images ``(B, C, H, W)``."""


class IdentityDomain(Domain, source="no transform", formerly=("AsIs",)):
    """Leaves values unchanged."""

    @override
    def transforms(self, noisy: Tensor) -> tuple[Transform, Transform]:
        """Return the identity in both directions."""
        return _identity, _identity


class Stabilized(Domain, source="Foi, Clipped noisy images, Signal Processing 2009; Mäkitalo & Foi, IEEE TIP 2013"):
    """Makes the noise Gaussian with one level for the whole image, which most methods assume.

    ``noise_level_function`` estimates how the noise of each image grows with brightness. Where it grows, the
    generalized Anscombe transform, scaled so that black and white stay 0 and 1, makes it uniform, and its exact
    unbiased inverse undoes that. Where it does not grow, values stay unchanged; if they were clipped, the inverse
    undoes the bias of clipping.

    Example:
        >>> clean = torch.linspace(0, 1, 90).expand(1, 3, 90, 90)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> forward, inverse = Stabilized().transforms(noisy)
        >>> dark, bright = forward(noisy)[..., 20], forward(noisy)[..., 80]
        >>> 0.7 < dark.std() / bright.std() < 1.4
        tensor(True)
    """

    @override
    def transforms(self, noisy: Tensor) -> tuple[Transform, Transform]:
        """Return both transforms; each image of the batch has its own."""
        levels = [noise_level_function(image) for image in torch.split(noisy, 1)]

        def forward(images: Tensor) -> Tensor:
            return map_images(_stabilized, images, levels)

        def inverse(images: Tensor) -> Tensor:
            return map_images(_restored, images, levels)

        return forward, inverse


def _identity(images: Tensor) -> Tensor:
    return images


def _stabilized(image: Tensor, level: NoiseLevelFunction) -> Tensor:
    return _by_rows(functools.partial(_anscombe, level), image) if level.gain else image


def _restored(image: Tensor, level: NoiseLevelFunction) -> Tensor:
    return _by_rows(functools.partial(_undone, level), image) if level.gain or level.clipped else image


def _anscombe(level: NoiseLevelFunction, image: Tensor) -> Tensor:
    black, white = _ends(level)
    stabilized: Tensor = (generalized_anscombe(image, level.gain, level.offset, level.sigma) - black) / (white - black)
    return stabilized


def _undone(level: NoiseLevelFunction, image: Tensor) -> Tensor:
    if not level.gain:
        return undo_clipped_mean(image, level.sigma)
    black, white = _ends(level)
    values: Tensor = black + (white - black) * image
    return inverse_generalized_anscombe(values, level.gain, level.offset, level.sigma)


def _by_rows(transform: Transform, image: Tensor) -> Tensor:
    """Return a pixelwise transform of an image, some rows at a time: it needs many times their memory."""
    return torch.cat([transform(rows) for rows in torch.split(image, ROWS, -2)], -2)


def _ends(level: NoiseLevelFunction) -> Tensor:
    """Return the transformed black and white."""
    return generalized_anscombe(torch.tensor([0.0, 1.0]), level.gain, level.offset, level.sigma)
