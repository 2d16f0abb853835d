"""Parts of ``fast`` that know the level of the noise but take it for uncorrelated: controls of a study."""

from dataclasses import replace
from typing import Self

import torch
from typing_extensions import override

from torchdenoise.denoisers import NonLocalRidge, RecorruptedLoss
from torchdenoise.noise import NoiseProfile, Profiles


def uncorrelated(profile: NoiseProfile) -> NoiseProfile:
    """Return a profile of the same level whose pixels and channels share no noise."""
    if profile.covariance is None:
        return profile
    return replace(profile, covariance=torch.eye(len(profile.covariance))[..., None, None])


def all_uncorrelated(profiles: Profiles) -> Profiles:
    """Return the profiles without correlation."""
    return Profiles(len(profiles), lambda number: uncorrelated(profiles[number]))


class UncorrelatedLoss(RecorruptedLoss, source="a control of this study"):
    """Recorruption with noise that is independent in every pixel, of the measured level."""

    @override
    def with_noise(self, profiles: Profiles) -> Self:
        """Return a copy that knows the level alone."""
        return super().with_noise(all_uncorrelated(profiles))


class UncorrelatedRidge(NonLocalRidge, source="a control of this study"):
    """NL-Ridge's second step with noise that is independent in every pixel, of the measured level."""

    @override
    def with_noise(self, profiles: Profiles) -> Self:
        """Return a copy that knows the level alone."""
        return super().with_noise(all_uncorrelated(profiles))
