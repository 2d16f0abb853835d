"""The variance of white noise in small patches: in all patches of a colour image, in the flattest of a grey one."""

from math import pi
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

MIN_PATCHES_PER_DIMENSION = 32
"""Patches needed for each value of a patch; with fewer, the noise eigenvalues spread and the level comes out low."""
MAX_PATCHES = 20_000
"""Patches used at most; a larger image is sampled with a stride."""


def informative_channels(image: Tensor) -> Tensor:
    """Return the channels ``(C, H, W)`` that carry noise of their own: neither constant nor copies (grey as RGB)."""
    channels = image[0].detach().cpu().float()
    new = [
        not any(torch.equal(channels[number], before) for before in channels[:number])
        for number in range(len(channels))
    ]
    return channels[torch.tensor(new) & (channels.amax((1, 2)) > channels.amin((1, 2)))]


def patch_grid(pixels: Tensor, side: int, stride: int) -> Tensor:
    """Return patches ``(C, rows, columns, side, side)``, a view of ``(C, H, W)``; none if the image is smaller."""
    if min(pixels.shape[1:]) < side:
        return pixels.new_empty(len(pixels), 0, 0, side, side)
    return pixels.unfold(1, side, stride).unfold(2, side, stride)


def complete_patches(informative: Tensor | None, side: int, stride: int) -> Tensor | slice:
    """Return which patches of ``patch_grid``, flattened, lie wholly where the image shows its noise; an index.

    Args:
        informative: bool ``(1, 1, H, W)``; None is everywhere.
        side: of the patches in pixels.
        stride: of the grid.
    """
    if informative is None:
        return slice(None)
    seen = informative[0].cpu()
    if min(seen.shape[1:]) < side:
        return torch.zeros(0, dtype=torch.bool)
    # Columns, then rows: the grid of patches itself would hold every pixel side * side times.
    return seen.unfold(1, side, stride).all(-1).unfold(2, side, stride).all(-1).flatten()


class PatchVariance(Protocol):
    """Estimates the variance of white noise from patches ``(C, side * side, N)``."""

    sides: tuple[int, ...]
    """Patch sides to try; the first that gives enough patches is used."""
    min_patches: int
    """Patches needed for a variance."""
    tolerance: float
    """Relative difference up to which the variances of dark, medium and bright patches count as equal."""

    def select(self, patches: Tensor) -> Tensor:
        """Return the patches to use."""

    def variance(self, patches: Tensor) -> float:
        """Return the noise variance of selected patches, from which each channel's mean has been subtracted."""

    def of_each(self, patches: Tensor) -> Tensor:
        """Return what each of these patches contributes to the noise variance, ``(N,)``, which is the mean of it."""


class Eigenvalues(PatchVariance):
    """The smallest eigenvalues of the covariance of all patches, for colour images.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation, ICCV 2015.

    Example:
        >>> noise = torch.randn(3, 16, 9000, generator=torch.Generator().manual_seed(0)).double()
        >>> abs(Eigenvalues().variance(noise - noise.mean(1, keepdim=True)) - 1) < 0.05
        True
    """

    sides: tuple[int, ...] = (4, 3)
    min_patches: int = 1600
    tolerance: float = 0.05

    @override
    def select(self, patches: Tensor) -> Tensor:
        """Return all of them."""
        return patches

    @override
    def variance(self, patches: Tensor) -> float:
        """Return the mean of the noise eigenvalues."""
        # Subtracting its mean takes a degree of freedom from each channel of a patch: an eigenvalue of zero.
        return noise_variance(torch.linalg.eigvalsh(torch.cov(patches.flatten(0, 1)))[len(patches) :])

    @override
    def of_each(self, patches: Tensor) -> Tensor:
        """Return the variance of each patch in the directions of the noise eigenvalues."""
        flat = patches.flatten(0, 1)
        values, directions = torch.linalg.eigh(torch.cov(flat))
        noise = directions[:, len(patches) :][:, : noise_number(values[len(patches) :])]
        variances: Tensor = (noise.T @ (flat - flat.mean(1, keepdim=True))).square().mean(0)
        return variances


class FlatPatches(PatchVariance):
    """The high frequencies of the flattest patches, for grey images.

    A grey image has no other channels that separate texture from noise, so frequencies must. The patches with the least
    energy at low frequencies are selected. White noise at low and at high frequencies is independent, so neither the
    selection nor subtracting the patch means biases the estimate.

    Source: Ponomarenko, Lukin, Zriakhov, Kaarna and Astola, An automatic approach to lossy compression of AVIRIS
    images, IGARSS 2007; Colom and Buades, Analysis and extension of the Ponomarenko et al. method, Image Processing On
    Line 3, 2013.

    Example:
        >>> noise = torch.randn(1, 64, 9000, generator=torch.Generator().manual_seed(0)).double()
        >>> abs(FlatPatches().variance(FlatPatches().select(noise)) - 1) < 0.05
        True
    """

    sides: tuple[int, ...] = (8,)
    tolerance: float = 0.1
    cutoff = 8
    """Horizontal plus vertical frequency; texture is measured below it, noise above."""
    share = 0.05
    """Share of the patches to select."""
    min_patches: int = 64
    """Patches to select at least; they hold 1800 values at high frequencies."""

    @override
    def select(self, patches: Tensor) -> Tensor:
        """Return the flattest."""
        transform, frequency = cosine_transform(self.sides[0])
        texture = (transform[(frequency > 0) & (frequency < self.cutoff)] @ patches[0]).square().sum(0)
        return patches[..., texture.argsort()[: max(int(self.share * len(texture)), self.min_patches)]]

    @override
    def variance(self, patches: Tensor) -> float:
        """Return the variance at high frequencies."""
        transform, frequency = cosine_transform(self.sides[0])
        return (transform[frequency > self.cutoff] @ patches[0]).square().mean().item()

    @override
    def of_each(self, patches: Tensor) -> Tensor:
        """Return the variance of each patch at high frequencies."""
        transform, frequency = cosine_transform(self.sides[0])
        return (transform[frequency > self.cutoff] @ patches[0]).square().mean(0)


def patch_variance(pixels: Tensor) -> PatchVariance:
    """Return the variance estimator for an image ``(C, H, W)``."""
    return FlatPatches() if len(pixels) == 1 else Eigenvalues()


def cosine_transform(side: int) -> tuple[Tensor, Tensor]:
    """Return the orthonormal cosine transform of flattened patches, and the frequency of each of its rows."""
    number = torch.arange(side).double()
    cosines = torch.cos(pi * (number + 0.5) * number[:, None] / side) * (2 / side) ** 0.5
    cosines[0] /= 2**0.5
    return torch.kron(cosines, cosines), (number[:, None] + number).flatten()


def noise_variance(eigenvalues: Tensor) -> float:
    """Return the mean of the smallest eigenvalues, as many as ``noise_number`` says."""
    return max(_running_means(eigenvalues)[noise_number(eigenvalues) - 1].item(), 0.0)


def noise_number(eigenvalues: Tensor) -> int:
    """Return the length of the longest run of smallest eigenvalues with as many above their mean as below.

    A single eigenvalue always qualifies, so there is always an answer.
    """
    above_minus_below = (eigenvalues - _running_means(eigenvalues)[:, None]).sign().tril().sum(1)
    return int((above_minus_below == 0).nonzero()[-1]) + 1


def _running_means(eigenvalues: Tensor) -> Tensor:
    """Return the means of the smallest one, two, three ... eigenvalues, but of all of them."""
    counts = torch.arange(1, len(eigenvalues), dtype=torch.float64)
    return eigenvalues.cumsum(0)[:-1] / counts
