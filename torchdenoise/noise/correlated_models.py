"""Noise models of noise that pixels or channels share, for training and tests: blurred, in all channels, in rows."""

import torch
from kornia.filters import filter2d_separable
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.noise.models import Level, NoiseModel, check_level, draw_levels

MAX_BLUR = 3.0
"""Pixels; wider blurs are better measured at a smaller size."""


class BlurredNoise(NoiseModel, name="blurred", source="white Gaussian noise, filtered by a Gaussian"):
    """Additive Gaussian noise that neighbours share: white noise blurred by a Gaussian, its level kept.

    The spec ``blurred:5-40:0.4-1.5`` draws a level and a blur for each image.

    Args:
        sigma: standard deviation on the 0-255 scale after the blur, or a range.
        blur: standard deviation of the Gaussian in pixels, at most 3, or a range.

    Raises:
        UserError: a level or a blur that is negative or too large, or a range whose first end is the higher one.

    Example:
        >>> noise = BlurredNoise(25, 1.0)(torch.zeros(1, 1, 256, 256), torch.Generator().manual_seed(0))
        >>> round(255 * noise.std().item()), (noise[..., 1:] * noise[..., :-1]).mean() > 0.5 * noise.var()
        (25, tensor(True))
    """

    def __init__(self, sigma: Level = 25.0, blur: Level = 0.7) -> None:
        self.sigma = check_level("blurred", sigma, allow_zero=True)
        self.blur = check_level("blurred", blur, allow_zero=False, highest=MAX_BLUR)

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` plus noise."""
        sigma = draw_levels(self.sigma, clean, generator) / 255
        blur = draw_levels(self.blur, clean, generator)
        number, channels, height, width = clean.shape
        reach = int(3 * MAX_BLUR)
        size = (number, channels, height + 2 * reach, width + 2 * reach)
        white = torch.randn(size, generator=generator, device=clean.device, dtype=clean.dtype)
        places = torch.arange(-reach, reach + 1, device=clean.device, dtype=clean.dtype)
        kernels = torch.exp(-places.square() / (2 * blur.flatten(1).square()))
        kernels = kernels / kernels.square().sum(-1, keepdim=True).sqrt()  # keeps the level
        blurred: Tensor = filter2d_separable(white, kernels, kernels, padding="valid")
        return clean + sigma * blurred


class SharedNoise(NoiseModel, name="shared", source="white Gaussian noise, the same in all channels"):
    """Additive white Gaussian noise that all channels share, as of a grey picture stored in colour.

    Args:
        sigma: standard deviation on the 0-255 scale, or a range.

    Raises:
        UserError: a level that is negative or not finite, or a range whose first end is the higher one.

    Example:
        >>> noisy = SharedNoise(25)(torch.zeros(1, 3, 8, 8))
        >>> torch.equal(noisy[:, 0], noisy[:, 2])
        True
    """

    def __init__(self, sigma: Level = 25.0) -> None:
        self.sigma = check_level("shared", sigma, allow_zero=True)

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` plus noise."""
        return clean + _white(self.sigma, clean[:, :1], generator)


class RowNoise(NoiseModel, name="rows", source="a Gaussian offset of each row, the same in all channels"):
    """An offset of each row, which all channels share: scanners and the read-out of sensors.

    Args:
        sigma: standard deviation of the offsets on the 0-255 scale, or a range.

    Raises:
        UserError: a level that is negative or not finite, or a range whose first end is the higher one.

    Example:
        >>> noisy = RowNoise(25)(torch.zeros(1, 3, 8, 8))
        >>> torch.equal(noisy[..., 0], noisy[..., 7])
        True
    """

    def __init__(self, sigma: Level = 10.0) -> None:
        self.sigma = check_level("rows", sigma, allow_zero=True)

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` plus the offsets."""
        return clean + _white(self.sigma, clean[:, :1, :, :1], generator)


def _white(sigma: Level, like: Tensor, generator: Generator | None) -> Tensor:
    """Return white Gaussian noise of a tensor's shape, of a level on the 0-255 scale for each image."""
    noise = torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    return draw_levels(sigma, like, generator) / 255 * noise
