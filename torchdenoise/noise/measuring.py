"""Measuring the noise of pictures, each once."""

from collections.abc import Callable, Sequence
from typing import overload

import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise.noise.assumptions import neighbour_correlation, too_clipped
from torchdenoise.noise.blocks import correlated_noise
from torchdenoise.noise.level_function import noise_level_function
from torchdenoise.noise.profile import NoiseProfile
from torchdenoise.noise.stabilization import stabilize


def measure_noise(image: Tensor) -> NoiseProfile:
    """Return the noise profile of an image.

    Args:
        image: ``(1, C, H, W)`` of any size, 1.0 is white.

    Example:
        >>> white = torch.randn(1, 1, 200, 202, generator=torch.Generator().manual_seed(0))
        >>> profile = measure_noise(0.5 + 0.1 * white)
        >>> profile.correlated, round(profile.level.sigma, 2)
        (False, 0.1)
        >>> measure_noise(0.5 + 0.1 * (white[..., 1:] + white[..., :-1])).correlated
        True
    """
    level = noise_level_function(image)
    stabilized = stabilize(image, level)
    correlation = neighbour_correlation(stabilized)
    if correlation:
        found = correlated_noise(image)
        if found is None:
            return NoiseProfile(level, unusable=f"the noise of neighbouring pixels is correlated ({correlation:.1f})")
        return NoiseProfile(level, None, *found)
    unusable = too_clipped(image)
    if not level.gain:
        return NoiseProfile(level, unusable=unusable)
    after = noise_level_function(stabilized)
    return NoiseProfile(level, after.deviation(max(stabilized.mean((1, 2, 3)).item(), 0)), unusable=unusable)


class Profiles(Sequence[NoiseProfile]):
    """The noise profiles of images, each made when it is first asked for.

    Example:
        >>> profiles = Profiles(2, lambda number: NoiseProfile(NoiseLevelFunction(0.0, number / 10)))
        >>> [profile.level.sigma for profile in profiles]
        [0.0, 0.1]
    """

    def __init__(self, number: int, make: Callable[[int], NoiseProfile]) -> None:
        self._made: list[NoiseProfile | None] = [None] * number
        self._make = make

    @classmethod
    def measured(cls, images: Tensor) -> "Profiles":
        """Return the profiles of images ``(B, C, H, W)``."""

        def measure(number: int) -> NoiseProfile:
            with torch.inference_mode(mode=False), torch.no_grad():
                return measure_noise(images[number : number + 1])

        return cls(len(images), measure)

    def stabilized(self) -> "Profiles":
        """Return the profiles after the images' noise was stabilised."""
        return Profiles(len(self), lambda number: self[number].stabilized())

    @overload
    def __getitem__(self, number: int) -> NoiseProfile: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[NoiseProfile]: ...
    @override
    def __getitem__(self, number: int | slice) -> NoiseProfile | Sequence[NoiseProfile]:
        """Return a profile, or several."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        made = self._made[number]
        if made is None:
            made = self._made[number] = self._make(range(len(self))[number])
        return made

    @override
    def __len__(self) -> int:
        return len(self._made)
