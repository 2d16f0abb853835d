"""Small patches of a picture, and the noise's variance in them: in all of them in colour, in the flattest in grey."""

from math import pi
from typing import Protocol

import torch
from torch import Tensor

MIN_PATCHES_PER_DIMENSION = 32
"""So many patches for each value of a patch; with fewer the noise's eigenvalues spread and its level comes out low."""
MAX_PATCHES = 20_000
"""So many patches are looked at; in a larger picture only every second, third ... is taken."""


def informative_channels(image: Tensor) -> Tensor:
    """Return the channels ``(C, H, W)`` that tell of noise: not a constant one, nor one again (grey stored as RGB)."""
    channels = image[0].detach().cpu().float()
    new = [
        not any(torch.equal(channels[number], before) for before in channels[:number])
        for number in range(len(channels))
    ]
    return channels[torch.tensor(new) & (channels.amax((1, 2)) > channels.amin((1, 2)))]


def blocks(pixels: Tensor, side: int, stride: int) -> Tensor:
    """Return ``(C, rows, columns, side, side)``, a view of ``(C, H, W)``; empty where nothing fits."""
    if min(pixels.shape[1:]) < side:
        return pixels.new_empty(len(pixels), 0, 0, side, side)
    return pixels.unfold(1, side, stride).unfold(2, side, stride)


class PatchVariance(Protocol):
    """How the variance of white noise is found in patches ``(C, side * side, N)``."""

    sides: tuple[int, ...]
    """Sides of the patches, the first that gives enough of them."""
    even: float
    """Variances of dark, middling and bright patches that differ by less of their own are taken for one."""

    def telling(self, patches: Tensor) -> Tensor:
        """Return those of the patches that are looked at."""

    def variance(self, patches: Tensor) -> float:
        """Return the noise's variance in patches that ``telling`` returned, each channel of each without its mean."""


class Eigenvalues:
    """The smallest eigenvalues of all patches' covariance, for pictures in colour.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation, ICCV 2015.

    Example:
        >>> noise = torch.randn(3, 16, 9000, generator=torch.Generator().manual_seed(0)).double()
        >>> abs(Eigenvalues().variance(noise - noise.mean(1, keepdim=True)) - 1) < 0.05
        True
    """

    sides: tuple[int, ...] = (4, 3)
    even: float = 0.05

    def telling(self, patches: Tensor) -> Tensor:
        """Return all of them."""
        return patches

    def variance(self, patches: Tensor) -> float:
        """Return the mean of the noise's eigenvalues."""
        # Without its mean each channel of a patch has a degree of freedom less, an eigenvalue of zero.
        return noise_variance(torch.linalg.eigvalsh(torch.cov(patches.flatten(0, 1)))[len(patches) :])


class FlatPatches:
    """What the flattest patches have at high frequencies, for grey pictures.

    Where no other channel tells texture from noise, frequencies must. Those patches are taken that have least at low
    frequencies; as white noise at low frequencies says nothing of white noise at high ones, choosing does not make it
    smaller. Nor does taking out the patches' means, which are the lowest frequency.

    Source: Ponomarenko, Lukin, Zriakhov, Kaarna and Astola, An automatic approach to lossy compression of AVIRIS
    images, IGARSS 2007; Colom and Buades, Analysis and extension of the Ponomarenko et al. method, Image Processing On
    Line 3, 2013.

    Example:
        >>> noise = torch.randn(1, 64, 9000, generator=torch.Generator().manual_seed(0)).double()
        >>> abs(FlatPatches().variance(FlatPatches().telling(noise)) - 1) < 0.05
        True
    """

    sides: tuple[int, ...] = (8,)
    even: float = 0.1
    low = 8
    """Frequencies, horizontal and vertical added up, below this are where texture is looked for; noise is above."""
    share = 0.05
    """Of the patches, that is taken."""
    fewest = 64
    """So many patches are taken at least: they hold 1800 values at high frequencies."""

    def telling(self, patches: Tensor) -> Tensor:
        """Return the flattest."""
        transform, frequency = cosine_transform(self.sides[0])
        texture = (transform[(frequency > 0) & (frequency < self.low)] @ patches[0]).square().sum(0)
        return patches[..., texture.argsort()[: max(int(self.share * len(texture)), self.fewest)]]

    def variance(self, patches: Tensor) -> float:
        """Return the variance at high frequencies."""
        transform, frequency = cosine_transform(self.sides[0])
        return (transform[frequency > self.low] @ patches[0]).square().mean().item()


def patch_variance(pixels: Tensor) -> PatchVariance:
    """Return how to find the noise's variance in patches of ``(C, H, W)``."""
    return FlatPatches() if len(pixels) == 1 else Eigenvalues()


def cosine_transform(side: int) -> tuple[Tensor, Tensor]:
    """Return the orthonormal cosine transform of flattened patches, and the frequency of each of its rows."""
    number = torch.arange(side).double()
    cosines = torch.cos(pi * (number + 0.5) * number[:, None] / side) * (2 / side) ** 0.5
    cosines[0] /= 2**0.5
    return torch.kron(cosines, cosines), (number[:, None] + number).flatten()


def noise_variance(eigenvalues: Tensor) -> float:
    """Return the mean of the smallest eigenvalues, most of them that have as many above their mean as below.

    One alone always has: there is always an answer.
    """
    kept = torch.arange(1, len(eigenvalues), dtype=torch.float64)
    means = eigenvalues.cumsum(0)[:-1] / kept
    above_less_below = (eigenvalues - means[:, None]).sign().tril().sum(1)
    return max(means[above_less_below == 0][-1].item(), 0.0)
