"""Deep Image Prior's network, whose architecture is the prior."""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks._blocks import SkipConcat
from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError

CODE_CHANNELS = 32
"""Channels of the fixed random code."""
SCALES = 5
SLOPE = 0.2
"""Of the LeakyReLU."""


class SkipNet(Network, source="Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018, supplement"):
    """Deep Image Prior's hourglass, from a fixed random code to the image; 2,217,831 parameters in colour.

    At each of five scales: a 1x1 convolution as the skip, a strided and a plain 3x3 convolution on the way down,
    bilinear upsampling, and a 3x3 and a 1x1 convolution of the concatenated result. Batch normalisation and LeakyReLU
    0.2 follow each convolution; reflection padding; a final 1x1 convolution and a sigmoid.

    Only the size of the input image is used. The code, uniform in 0..0.1, is a function of that size and of a seed
    drawn with the weights.

    Args:
        channels: of the images; None takes them from the data.
        width: channels of the encoder and the decoder.
        skips: channels of each skip connection.

    Raises:
        UserError: ``width`` or ``skips`` below 1.

    Example:
        >>> network = SkipNet(1, width=4)
        >>> network(torch.zeros(1, 1, 64, 96)).shape
        torch.Size([1, 1, 64, 96])
    """

    multiple: ClassVar[int] = 2**SCALES
    minimum: ClassVar[int] = 2 ** (SCALES + 1)
    """At 32 the coarsest scale has one pixel, which reflection padding cannot pad."""
    code: Tensor
    seed: Tensor

    def __init__(self, channels: int | None = None, width: int = 128, skips: int = 4) -> None:
        super().__init__()
        if width < 1 or skips < 1:
            raise UserError(f"SkipNet: width {width} and skips {skips} must be at least 1")
        self.channels = channels or 3
        hourglass: list[nn.Module] = []
        for scale in reversed(range(SCALES)):
            before = width if scale else CODE_CHANNELS
            short = _convolution(before, skips, 1)
            deep = [_convolution(before, width, 3, stride=2), _convolution(width, width, 3), *hourglass]
            up = nn.Upsample(scale_factor=2, mode="bilinear")
            hourglass = [
                SkipConcat(short, nn.Sequential(*deep, up)),
                nn.BatchNorm2d(skips + width),
                _convolution(skips + width, width, 3),
                _convolution(width, width, 1),
            ]
        self.layers = nn.Sequential(*hourglass, nn.Conv2d(width, self.channels, 1), nn.Sigmoid())
        self.register_buffer("seed", torch.randint(2**62, ()))
        self.register_buffer("code", torch.empty(0), persistent=False)  # cached: drawing is slow

    @override
    def forward(self, image: Tensor, jitter: Tensor | None = None) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of 32, at least 64.

        Args:
            image: only its size, device and dtype are used.
            jitter: added to the code, ``(B, 32, H, W)``.
        """
        shape = (len(image), CODE_CHANNELS, *image.shape[-2:])
        if self.code.shape != shape:
            self.code = 0.1 * torch.rand(shape, generator=Generator().manual_seed(int(self.seed)))
        code = self.code = self.code.to(image)
        denoised: Tensor = self.layers(code if jitter is None else code + jitter)
        return denoised


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    padding = size // 2
    convolution = nn.Conv2d(before, after, size, stride, padding, padding_mode="reflect" if padding else "zeros")
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE, inplace=True))
