"""Parts of a method that use the noise profiles of the images."""

import copy
from typing import Self

from torch import Tensor
from typing_extensions import override

from torchdenoise.noise import Profiles


class NoisePart:
    """A part of a method that may be given the noise profiles of the images; most ignore them."""

    @property
    def uses_noise(self) -> bool:
        """Whether this part makes use of noise profiles; one that holds another part asks it too."""
        return False

    def with_noise(self, profiles: Profiles) -> Self:  # noqa: ARG002
        """Return this part, or a copy that knows the noise of the images that it is used for next."""
        return self


class NoiseAware(NoisePart):
    """A part that uses the noise profiles; without them it measures the noise itself. Name it before the other base.

    Example:
        >>> import torch
        >>> profiles = Profiles.measured(torch.rand(1, 1, 8, 8))
        >>> NoiseAware().with_noise(profiles).noise_of(torch.zeros(1, 1, 8, 8)) is profiles
        True
    """

    _profiles: Profiles | None = None

    @property
    @override
    def uses_noise(self) -> bool:
        """True, unless a subclass knows the noise from elsewhere."""
        return True

    @override
    def with_noise(self, profiles: Profiles) -> Self:
        """Return a copy that knows the noise."""
        aware = super().with_noise(profiles)
        aware = copy.copy(self) if aware is self else aware
        aware._profiles = profiles
        return aware

    def noise_of(self, images: Tensor) -> Profiles:
        """Return the noise profiles of images ``(B, C, H, W)``: those that were given, else measured ones."""
        return Profiles.measured(images) if self._profiles is None else self._profiles
