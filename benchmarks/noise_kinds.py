"""Synthetic noise of the kinds that cameras make, each with the clean image to compare with."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from torchdenoise.noise.camera import COLOURS, GAMMA, as_jpeg, developed, in_colours

LEVEL = 25
BLURS = (0.5, 0.7, 1.2)
QUALITIES = (95, 80)
BALANCE = (2.0, 1.0, 1.6)
"""White balance: the factors of red, green and blue."""
GAIN, READ = 0.004, 0.01
"""Variance of the sensor's noise: ``GAIN x + READ^2``."""
ROW_LEVEL, WHITE_LEVEL = 12, 15
"""Of the row pattern, on the 0-255 scale."""

Kind = Callable[[Tensor, Generator], tuple[Tensor, Tensor]]
"""From a clean image ``(1, 3, H, W)`` and a generator to a noisy image and the clean one to compare with."""


def blurred_noise(clean: Tensor, generator: Generator, blur: float) -> tuple[Tensor, Tensor]:
    """Return Gaussian noise of ``LEVEL``, blurred by a Gaussian of ``blur`` pixels; it is not clipped."""
    reach = 9
    places = torch.arange(-reach, reach + 1).float()
    line = torch.exp(-(places**2) / (2 * blur**2))
    kernel = torch.outer(line, line)
    kernel /= kernel.square().sum().sqrt()  # keeps the level
    channels, height, width = clean.shape[1:]
    white = torch.randn(channels, 1, height + 2 * reach, width + 2 * reach, generator=generator)
    return clean + LEVEL / 255 * F.conv2d(white, kernel[None, None]).transpose(0, 1), clean


def camera_noise(clean: Tensor, generator: Generator, quality: int | None = None) -> tuple[Tensor, Tensor]:
    """Return shot and read noise of a sensor with one colour a pixel, demosaicked, with gamma, in 8 bits.

    The image to compare with went through the same steps without noise and without JPEG.

    Args:
        clean: as a screen shows it.
        generator: of the noise.
        quality: of a JPEG file with colours at half size (4:2:0); None compresses nothing.
    """
    balance, colours = torch.tensor(BALANCE).view(1, 3, 1, 1), torch.tensor(COLOURS)
    sensor = (in_colours(clean**GAMMA, torch.linalg.inv(colours)) / balance).clamp(min=0)
    noise = (GAIN * sensor + READ**2).sqrt() * torch.randn(sensor.shape, generator=generator)
    noisy = developed(sensor + noise, balance, colours).mul(255).round() / 255
    return noisy if quality is None else as_jpeg(noisy, quality), developed(sensor, balance, colours)


def row_pattern(clean: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return white noise, and an offset of each row that its channels share."""
    white = WHITE_LEVEL / 255 * torch.randn(clean.shape, generator=generator)
    rows = ROW_LEVEL / 255 * torch.randn(1, 1, clean.shape[-2], 1, generator=generator)
    return clean + white + rows, clean


KINDS: dict[str, Kind] = {
    **{f"Gaussian {LEVEL}, blurred by {blur:g} pixels": partial(blurred_noise, blur=blur) for blur in BLURS},
    "demosaicked": camera_noise,
    **{f"demosaicked, JPEG {quality}": partial(camera_noise, quality=quality) for quality in QUALITIES},
    "row pattern": row_pattern,
}
