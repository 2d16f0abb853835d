"""NL-Ridge's first step: similar patches averaged without a network, alone or beside a network's result."""

from math import sqrt

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.noise_aware import NoiseAware
from torchdenoise.denoisers.parts.nonlocal_ridge import NonLocalRidge
from torchdenoise.denoisers.parts.patch_noise import PatchNoise, WhitePatches
from torchdenoise.denoisers.parts.readouts import OnePass, Readout, WrappedReadout
from torchdenoise.errors import UserError
from torchdenoise.noise import NoiseProfile, Profiles

SOURCE = "Herbreteau & Kervrann, Towards a unified view of unsupervised non-local methods, ICIP 2022"


class FirstStep(NonLocalRidge, source=SOURCE):
    """The noisy image is its own pilot, and the risk of T is estimated without bias; the noise must be white.

    With the k noisy patches of a group as the rows of Y, n pixels each: ``T = I - n sigma^2 (Y Y^T)^-1``. The network
    is not asked. Arguments are those of ``NonLocalRidge``.

    Example:
        >>> step = FirstStep(OnePass(), side=4, similar=6, window=9, level=25)
        >>> noisy = 0.5 + 25 / 255 * torch.randn(1, 1, 16, 16)
        >>> step(lambda image: image, noisy, torch.Generator()).std() < noisy.std()
        tensor(True)
    """

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the estimates ``(B, C, H, W)``."""
        return super().forward(_unchanged, noisy, generator)

    @override
    def patch_noise(self, deviation: Tensor, profile: NoiseProfile, side: int) -> PatchNoise:
        """Return noise whose patches are their own pilot."""
        return _OwnPilot(deviation.flatten())


class _OwnPilot(WhitePatches):
    @override
    def mixing(self, xs: Tensor) -> Tensor:
        """Return ``T = I - n sigma^2 (Y Y^T)^-1`` ``(G, k, k)`` for noisy patches ``(G, k, n)``.

        Noise alone gives ``Y Y^T`` no eigenvalue below ``sigma^2 (sqrt(n) - sqrt(k))^2`` (Marchenko and Pastur), so
        smaller ones, as in clipped regions, are raised to that: their inverse would amplify what noise is left.
        """
        similar, values = xs.shape[-2:]
        eigenvalues, vectors = torch.linalg.eigh(xs @ xs.mT)
        smallest = self.deviation.square() * (sqrt(values) - sqrt(similar)) ** 2
        kept = 1 - values * self.deviation.square() / eigenvalues.clamp(min=smallest)
        mixing: Tensor = (vectors * kept[..., None, :]) @ vectors.mT
        return mixing


class WithFirstStep(NoiseAware, WrappedReadout, source=SOURCE):
    """The mean of a network's result and NL-Ridge's first step: a better pilot than either, as their errors differ.

    Where the noise is correlated or its level varies, it is the network's result alone.

    Args:
        inner: computes the network's result; ``EightTurns()`` by default.
        share: weight of the first step, from 0 to 1.
        side: side of a patch in pixels.
        similar: patches in a group.
        window: side of the search window in pixels; odd.
        stride: step between reference patches.

    Raises:
        UserError: ``share`` outside 0..1, and what ``NonLocalRidge`` raises.

    Example:
        >>> readout = WithFirstStep(OnePass(), side=4, similar=6, window=9)
        >>> readout(lambda image: image, torch.rand(1, 3, 16, 16), torch.Generator()).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        inner: Readout | None = None,
        share: float = 0.5,
        side: int = 8,
        similar: int = 18,
        window: int = 25,
        stride: int = 6,
    ) -> None:
        super().__init__(inner)
        if not 0 <= share <= 1:
            raise UserError(f"WithFirstStep: share {share} must be from 0 to 1")
        self.share = share
        self.first_step = FirstStep(OnePass(), side, similar, window, stride)

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the estimates ``(B, C, H, W)``."""
        results = torch.split(self.inner(denoise, noisy, generator), 1)
        images = zip(results, torch.split(noisy, 1), self.noise_of(noisy), strict=True)
        return torch.cat([self._mean(result, image, profile) for result, image, profile in images])

    def _mean(self, result: Tensor, image: Tensor, profile: NoiseProfile) -> Tensor:
        if profile.correlated or profile.deviation(image).numel() > 1:
            return result
        step = self.first_step.with_noise(Profiles(1, lambda _: profile))
        return result.lerp(step(_unchanged, image, Generator()), self.share)


def _unchanged(image: Tensor, /, **_: Tensor) -> Tensor:
    return image
