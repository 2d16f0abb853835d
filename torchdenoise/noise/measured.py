"""Noise as it was measured in a picture, drawn again for clean images."""

from pathlib import Path

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.noise.covariance import draw
from torchdenoise.noise.level_function import NoiseLevelFunction
from torchdenoise.noise.models import NoiseModel
from torchdenoise.noise.profile import NoiseProfile
from torchdenoise.noise.profile_files import load_profile


def draw_noise(
    profile: NoiseProfile, clean: Tensor, generator: Generator | None = None, kernel: Tensor | None = None
) -> Tensor:
    """Return clean images with noise of a profile.

    White noise is drawn as Poisson and Gaussian noise of the level function. Correlated noise is Gaussian, with the
    deviation that belongs to the brightness of each pixel. Outliers, stripes and variation over the picture are not
    drawn.

    Args:
        profile: of the noise.
        clean: ``(B, C, H, W)``, 1.0 is white.
        generator: source of all random numbers, on the device of ``clean``.
        kernel: ``profile.kernel(C)``, if it is known already.

    Returns:
        Images like ``clean``; in 0..1 if the profile's noise is clipped, else not clipped.

    Raises:
        UserError: the profile is for another number of channels.

    Example:
        >>> noisy = draw_noise(NoiseProfile(NoiseLevelFunction(0.0, 0.1)), torch.zeros(1, 1, 256, 256))
        >>> noisy.std().round(decimals=2)
        tensor(0.1000)
    """
    profile.require_channels(clean.shape[1])
    if profile.curve is None:
        noisy = _white(profile.level, clean, generator)
    else:
        kernel = profile.kernel(clean.shape[1]) if kernel is None else kernel
        noise = draw(kernel, tuple(clean.shape), generator, clean.device)
        noisy = clean + profile.curve.at(clean) * noise.to(clean)
    return noisy.clamp(0, 1) if profile.level.clipped else noisy


def _white(level: NoiseLevelFunction, clean: Tensor, generator: Generator | None) -> Tensor:
    noisy = clean
    if level.gain:
        light = (clean - level.offset).clamp(min=0)
        noisy = clean - light + level.gain * torch.poisson(light / level.gain, generator=generator)
    white = torch.randn(clean.shape, generator=generator, device=clean.device, dtype=clean.dtype)
    return noisy + level.sigma * white


class MeasuredNoise(NoiseModel, name="measured", source="drawn from a noise profile, which `inspect --json` writes"):
    """Noise of a picture's profile: its level function, and its correlation between pixels and channels.

    The spec is ``measured:profile.json``; the path can hold colons, but no ``+``, ``|`` or ``:clip``. ``compare`` knows
    noise by its spec alone: give a changed profile a new name.

    Args:
        path: of the profile, as ``inspect --json`` or ``save_profile`` writes it.

    Raises:
        UserError: no such file, not a profile, or a name that no spec can hold; on use, images of another number of
            channels than the profile's.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.noise import save_profile
        >>> path = Path(mkdtemp(), "profile.json")
        >>> save_profile(path, NoiseProfile(NoiseLevelFunction(0.0, 0.1)))
        >>> MeasuredNoise(path)(torch.zeros(1, 3, 128, 128)).std().round(decimals=2)
        tensor(0.1000)
    """

    text_argument = True

    def __init__(self, path: str | Path) -> None:
        if any(mark in str(path) for mark in ("+", "|", ":clip")):
            raise UserError(f"{path}: a noise spec cannot name a file with '+', '|' or ':clip' in its path: rename it")
        self.path = str(path)
        self._profile = load_profile(path)
        self._kernels: dict[int, Tensor] = {}

    @property
    @override
    def level(self) -> float | None:
        """The level of white Gaussian noise, else None."""
        level = self._profile.level
        return None if self._profile.correlated or level.gain else 255 * level.sigma

    @override
    def profile(self) -> NoiseProfile:
        """Return the profile in the file."""
        return self._profile

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` with noise of the profile."""
        channels = clean.shape[1]
        if self._profile.correlated and channels not in self._kernels:
            self._kernels[channels] = self._profile.kernel(channels)
        return draw_noise(self._profile, clean, generator, self._kernels.get(channels))
