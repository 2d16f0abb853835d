"""Domains: the values in which a network sees images, and the way back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.denoisers.parts.noise_aware import NoiseAware, NoisePart
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, Profiles, destabilize, stabilize
from torchdenoise.registry import Registered

Transform = Callable[[Tensor], Tensor]
"""From image to image, ``(B, C, H, W)`` both."""


class Domain(Registered, NoisePart, ABC, kind="domains"):
    """Transforms noisy images so that a method's noise assumption holds, and denoised ones back.

    One that needs to know about the noise is ``NoiseAware`` too, and finds it in ``noise_of(noisy)``.

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

    def transformed_noise(self, profiles: Profiles) -> Profiles:
        """Return the profiles of the transformed images' noise; unchanged by default."""
        return profiles


class IdentityDomain(Domain, source="no transform", formerly=("AsIs",)):
    """Leaves values unchanged."""

    @override
    def transforms(self, noisy: Tensor) -> tuple[Transform, Transform]:
        """Return the identity in both directions."""
        return _identity, _identity


class Stabilized(
    NoiseAware, Domain, source="Foi, Clipped noisy images, Signal Processing 2009; Mäkitalo & Foi, IEEE TIP 2013"
):
    """Makes the noise Gaussian with one level for the whole image, which most methods assume.

    Where white noise grows with brightness, the generalized Anscombe transform, scaled so that black and white stay 0
    and 1, makes it uniform, and its exact unbiased inverse undoes that. Where it does not grow, values stay unchanged;
    if they were clipped, the inverse undoes the bias of clipping. Values with correlated noise stay unchanged.
    Outliers, and the offsets of rows and columns, are removed before, and do not return.

    Args:
        few_photons: whether noise of few photons is transformed, too. The transform does not make it Gaussian. A fit is
            then better without, but a trained network is not.

    Example:
        >>> clean = torch.linspace(0, 1, 90).expand(1, 3, 90, 90)
        >>> noisy = torch.poisson(25 * clean, generator=torch.Generator().manual_seed(0)) / 25
        >>> forward, inverse = Stabilized().transforms(noisy)
        >>> dark, bright = forward(noisy)[..., 20], forward(noisy)[..., 80]
        >>> 0.7 < dark.std() / bright.std() < 1.4
        tensor(True)
    """

    def __init__(self, few_photons: bool = False) -> None:
        super().__init__()
        self.few_photons = few_photons

    @override
    def transforms(self, noisy: Tensor) -> tuple[Transform, Transform]:
        """Return both transforms; each image of the batch has its own."""
        profiles = [self._seen(profile) for profile in self.noise_of(noisy)]
        levels = [_stabilized_level(profile) for profile in profiles]

        def forward(images: Tensor) -> Tensor:
            return map_images(stabilize, map_images(_repaired, images, profiles), levels)

        def inverse(images: Tensor) -> Tensor:
            return map_images(destabilize, images, levels)

        return forward, inverse

    @override
    def transformed_noise(self, profiles: Profiles) -> Profiles:
        """Return the profiles of noise with one level."""
        return Profiles(len(profiles), lambda number: self._seen(profiles[number]).stabilized())

    def _seen(self, profile: NoiseProfile) -> NoiseProfile:
        """Return the profile to transform by: few photons count as white noise, unless they are whole counts."""
        if self.few_photons and profile.few_photons and not profile.coarse_to_fine:
            return replace(profile, curve=None, covariance=None)
        return profile


def _identity(images: Tensor) -> Tensor:
    return images


def _repaired(image: Tensor, profile: NoiseProfile) -> Tensor:
    return profile.repaired(image)


def _stabilized_level(profile: NoiseProfile) -> NoiseLevelFunction:
    """Return the level function to stabilise by; one without gain for correlated noise."""
    return NoiseLevelFunction(0.0, profile.level.sigma) if profile.correlated else profile.level
