"""A small CNN that works at two scales."""

from itertools import chain, pairwise, repeat
from typing import ClassVar

from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class TwoScaleCNN(Network, source="a U-Net of one step, after Ronneberger et al., MICCAI 2015"):
    """3x3 convolutions at full size with a branch at half size between them, predicting the noise.

    A full-size layer; a branch of a 2x2 convolution with stride 2, ``depth`` layers and a pixel shuffle, added to its
    input; another full-size layer and a final 1x1 convolution. LeakyReLU 0.1, zero padding, biases, no normalisation,
    PyTorch's default initialisation. Meant for single images; 85,059 parameters in colour.

    Args:
        channels: of the images; None takes them from the data.
        width: channels at full size.
        inner: channels at half size.
        depth: 3x3 layers at half size.

    Raises:
        UserError: ``width``, ``inner`` or ``depth`` below 1.

    Example:
        >>> sum(p.numel() for p in TwoScaleCNN(3).parameters())
        85059
    """

    multiple: ClassVar[int] = 2

    def __init__(self, channels: int | None = None, width: int = 32, inner: int = 48, depth: int = 3) -> None:
        super().__init__()
        if min(width, inner, depth) < 1:
            raise UserError(f"TwoScaleCNN: width {width}, inner {inner} and depth {depth} must be at least 1")
        self.channels = channels or 3
        self.reach = 1 + 2 * depth + 1 + 1  # first layer, half-size layers, position in a cell, last layer
        self.first = _layers(self.channels, width, 1)
        self.coarse = nn.Sequential(
            nn.Conv2d(width, inner, 2, stride=2),
            _layers(inner, inner, depth),
            nn.Conv2d(inner, 4 * width, 1),
            nn.PixelShuffle(2),
        )
        self.last = nn.Sequential(_layers(width, width, 1), nn.Conv2d(width, self.channels, 1))

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are even."""
        first = self.first(image)
        noise: Tensor = self.last(first + self.coarse(first))
        return image - noise


def _layers(before: int, width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(chain([before], repeat(width, depth))):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)]
    return nn.Sequential(*layers)
