"""Deep Image Prior's network, whose shape alone knows what pictures are like."""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from torchdenoise.denoisers.networks._blocks import SkipConcat
from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError

CODE_CHANNELS = 32
"""Channels of the fixed random input."""
SCALES = 5
SLOPE = 0.2


class SkipNet(Network, source="Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018, supplement"):
    """Deep Image Prior's hourglass, from a fixed random code to the picture; 2,217,831 parameters in colour.

    At each of five scales, a 1x1 convolution for the skip beside a strided 3x3 and a plain 3x3 one on the way down;
    bilinear upsampling; a 3x3 and a 1x1 convolution for both together. Batch normalisation and LeakyReLU 0.2 after each
    convolution, reflected borders, a last 1x1 convolution and a sigmoid.

    The picture is looked at for its size alone. The code, uniform in 0..0.1, is a function of that size and of a seed
    that is drawn with the weights.

    Args:
        channels: of the pictures; None takes them from the data.
        width: channels on the way down and up.
        skips: channels of each skip.

    Raises:
        UserError: a width or skips below 1.

    Example:
        >>> network = SkipNet(1, width=4)
        >>> network(torch.zeros(1, 1, 64, 96)).shape
        torch.Size([1, 1, 64, 96])
    """

    multiple: ClassVar[int] = 2**SCALES
    minimum: ClassVar[int] = 2 ** (SCALES + 1)
    """A smallest scale of one pixel has nothing to reflect at its borders."""
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
        self.register_buffer("code", torch.empty(0), persistent=False)  # kept, because drawing it takes a while

    def forward(self, image: Tensor, jitter: Tensor | None = None) -> Tensor:
        """Return the picture ``(B, C, H, W)``; sides are multiples of 32, and 64 at least.

        Args:
            image: of which only the size matters.
            jitter: what is added to the code, ``(B, 32, H, W)``.
        """
        shape = (len(image), CODE_CHANNELS, *image.shape[-2:])
        if self.code.shape != shape:
            self.code = 0.1 * torch.rand(shape, generator=Generator().manual_seed(int(self.seed)))
        code = self.code = self.code.to(image)
        picture: Tensor = self.layers(code if jitter is None else code + jitter)
        return picture


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    padding = size // 2
    convolution = nn.Conv2d(before, after, size, stride, padding, padding_mode="reflect" if padding else "zeros")
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE, inplace=True))
