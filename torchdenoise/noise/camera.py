"""Noise models of cameras: a sensor with one colour a pixel, developed to a picture, and JPEG files."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.noise.demosaicking import Demosaicking, bilinear, gradient_corrected
from torchdenoise.noise.models import Level, NoiseModel, check_level, draw_levels

GAMMA = 2.2
READ_NOISE = 0.02
"""The most read noise, relative to white, of ``CameraNoise``."""
MAX_BALANCE = 2.4
"""The largest factor of red and blue in the white balance of ``CameraNoise``."""
COLOURS = ((1.6, -0.4, -0.2), (-0.3, 1.5, -0.2), (-0.1, -0.5, 1.6))
"""From a sensor's colours to those of a screen."""


def developed(
    sensor: Tensor,
    balance: Tensor,
    colours: Tensor,
    gamma: float = GAMMA,
    demosaicking: Demosaicking = bilinear,
) -> Tensor:
    """Return the picture of a sensor of which each pixel keeps one colour: white balance to tone curve.

    Args:
        sensor: light ``(B, 3, H, W)`` in the sensor's colours.
        balance: factors of the colours, ``(1, 3, 1, 1)``.
        colours: matrix ``(3, 3)`` to the colours of the screen.
        gamma: of the tone curve.
        demosaicking: from one colour a pixel to three.

    Example:
        >>> grey = torch.full((1, 3, 4, 4), 0.5)
        >>> developed(grey, torch.ones(1, 3, 1, 1), torch.eye(3))[0, 0, 0, 0].round(decimals=3)
        tensor(0.7300)
    """
    return in_colours(demosaicking(sensor * balance), colours).clamp(0, 1) ** (1 / gamma)


def in_colours(image: Tensor, matrix: Tensor) -> Tensor:
    """Return an image ``(B, 3, H, W)`` in other colours.

    Example:
        >>> in_colours(torch.ones(1, 3, 1, 1), torch.diag(torch.tensor([1.0, 2.0, 3.0]))).flatten()
        tensor([1., 2., 3.])
    """
    return torch.einsum("oc,bchw->bohw", matrix, image)


def as_jpeg(image: Tensor, quality: int, subsampling: str = "4:2:0") -> Tensor:
    """Return an image ``(1, C, H, W)``, C 1 or 3, from a JPEG file: 8 bits, in 0..1.

    Example:
        >>> as_jpeg(torch.rand(1, 3, 16, 16), 90).shape
        torch.Size([1, 3, 16, 16])
    """
    file = io.BytesIO()
    pixels = image[0].permute(1, 2, 0).mul(255).round().clamp(0, 255).byte().cpu().numpy()
    grey = pixels.shape[-1] == 1
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    stored = torch.from_numpy(np.array(Image.open(file), dtype=np.float32) / 255)
    return (stored[None] if grey else stored.permute(2, 0, 1))[None].contiguous().to(image)


class CameraNoise(NoiseModel, name="camera", source="shot and read noise before demosaicking and a tone curve"):
    """What shot and read noise of a sensor become in its developed picture: larger where dark, shared by neighbours.

    A random white balance and a random part of a colour matrix for each image, demosaicking (for colour: bilinear for
    half of the images, gradient-corrected for the others) and gamma 2.2. The picture itself is not demosaicked: it gets
    the difference that the noise makes. Images of other than three channels go through the tone curve alone.

    Args:
        photons: at white, or a range of which the logarithm is uniform.

    Raises:
        UserError: a number that is not positive or not finite, or a range whose first end is the higher one.

    Example:
        >>> noisy = CameraNoise(100)(torch.full((1, 3, 128, 128), 0.5), torch.Generator().manual_seed(0))
        >>> (noisy[..., 1:] * noisy[..., :-1]).mean() > noisy.mean() ** 2
        tensor(True)
    """

    revision = 2

    def __init__(self, photons: Level = (30.0, 3000.0)) -> None:
        self.photons = check_level("camera", photons, allow_zero=False)

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return each image with noise of a camera of its own."""
        return torch.cat([self._one(image, generator) for image in torch.split(clean, 1)])

    def _one(self, clean: Tensor, generator: Generator | None) -> Tensor:
        numbers = torch.rand(6, generator=generator, device=clean.device, dtype=clean.dtype)
        low, high = self.photons if isinstance(self.photons, tuple) else (self.photons, self.photons)
        photons = low * (high / low) ** numbers[0]
        red, blue = (1 + (MAX_BALANCE - 1) * numbers[1:3]).unbind()
        balance = torch.stack([red, torch.ones_like(red), blue]).view(1, 3, 1, 1)
        colours = torch.lerp(torch.eye(3).to(clean), torch.tensor(COLOURS).to(clean), numbers[3])
        light = clean.clamp(0, 1) ** GAMMA
        in_colour = clean.shape[1] == 3
        if in_colour:
            light = (in_colours(light, torch.linalg.inv(colours)) / balance).clamp(min=0)
        deviation = (light / photons + (READ_NOISE * numbers[4]).square()).sqrt()
        noise = torch.randn(light.shape, generator=generator, device=clean.device, dtype=clean.dtype)
        noisy = light + deviation * noise
        if in_colour:
            demosaicking = bilinear if numbers[5] < 0.5 else gradient_corrected
            before, after = (developed(each, balance, colours, demosaicking=demosaicking) for each in (light, noisy))
        else:
            before, after = (each.clamp(0, 1) ** (1 / GAMMA) for each in (light, noisy))
        return clean + after - before


class JPEGNoise(NoiseModel, name="jpeg", source="compression by JPEG, with colours at full or at half size"):
    """What JPEG does to a picture, mostly in a sum: ``camera:100-1000+jpeg:60-95``.

    Half of the images, at random, keep their colours at full size (4:4:4), the others at half size (4:2:0). Only for
    grey and colour images.

    Args:
        quality: from 1 to 95, as in Pillow, or a range.

    Raises:
        UserError: a quality outside 1..95, or a range whose first end is the higher one; on use, other channels.

    Example:
        >>> clean = torch.rand(1, 3, 32, 32)
        >>> JPEGNoise(50)(clean).sub(clean).abs().mean() > JPEGNoise(95)(clean).sub(clean).abs().mean()
        tensor(True)
    """

    def __init__(self, quality: Level = (50.0, 95.0)) -> None:
        self.quality = check_level("jpeg", quality, allow_zero=False, highest=95)
        lowest: Sequence[float] = self.quality if isinstance(self.quality, tuple) else (self.quality,)
        if lowest[0] < 1:
            raise UserError(f"jpeg:{lowest[0]:g}: the quality must be at least 1")

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return compressed images, in 0..1."""
        if clean.shape[1] not in (1, 3):
            raise UserError(f"jpeg: JPEG holds grey and colour pictures, not {clean.shape[1]} channels")
        qualities = draw_levels(self.quality, clean, generator).flatten().round().int().tolist()
        halved = (torch.rand(len(clean), generator=generator, device=clean.device) < 0.5).tolist()
        images = zip(torch.split(clean, 1), qualities, halved, strict=True)
        return torch.cat([as_jpeg(image, quality, "4:2:0" if half else "4:4:4") for image, quality, half in images])
