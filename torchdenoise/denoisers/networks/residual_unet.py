"""A U-Net of residual blocks without biases, for training on a data set."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class ResidualUNet(Network, source="after Zhang et al., DRUNet, TPAMI 2021; Mohan et al., bias-free CNNs, ICLR 2020"):
    """A U-Net of residual blocks on the pixel-unshuffled image, predicting the noise; 876,672 parameters in colour.

    Each 2x2 cell becomes four channels. At each scale, residual blocks (3x3 convolution, LeakyReLU, 3x3 convolution);
    between the scales 2x2 convolutions with stride 2, and pixel shuffles after 1x1 convolutions. The skips are added.
    Without biases, twice the image gives twice the result, so that one network serves all noise levels. Zero padding,
    no normalisation, He initialisation; the last convolution of a block starts at a tenth. Where DRUNet has ReLUs, a
    large step can push a unit without bias below zero for every image, and it never learns again: hence the slope.

    Args:
        channels: of the images; None takes them from the data.
        widths: channels at half, a quarter and an eighth of the size.
        blocks: residual blocks on the way down and on the way up, at each scale; at the smallest one once.
        slope: of the LeakyReLU.

    Raises:
        UserError: other than three widths, a width or ``blocks`` below 1, or a slope outside 0..1.

    Example:
        >>> ResidualUNet(3, widths=(8, 8, 8), blocks=1)(torch.zeros(1, 3, 8, 16)).shape
        torch.Size([1, 3, 8, 16])
    """

    multiple: ClassVar[int] = 8

    def __init__(
        self,
        channels: int | None = None,
        widths: Sequence[int] = (48, 64, 96),
        blocks: int = 2,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(*widths, blocks) < 1:
            raise UserError(f"ResidualUNet: three widths, not {list(widths)}, and blocks, {blocks}, of at least 1")
        if not 0 <= slope <= 1:
            raise UserError(f"ResidualUNet: a slope in 0 to 1, not {slope}")
        self.channels = channels or 3
        self.widths = list(widths)
        # Convolutions at half, a quarter and an eighth of the size, and the position in a cell of 8x8.
        self.reach = 2 * (4 * blocks + 2) + 4 * 4 * blocks + 8 * 2 * blocks + 7
        inside, steps = 4 * self.channels, list(pairwise(self.widths))
        self.first = nn.Sequential(nn.PixelUnshuffle(2), _conv(inside, self.widths[0]))
        self.down = nn.ModuleList(_blocks(width, blocks, slope) for width in self.widths)
        self.smaller = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2, bias=False) for fine, coarse in steps)
        self.larger = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse, 4 * fine, 1, bias=False), nn.PixelShuffle(2)) for fine, coarse in steps
        )
        self.up = nn.ModuleList(_blocks(width, blocks, slope) for width in self.widths[:-1])
        self.last = nn.Sequential(_conv(self.widths[0], inside), nn.PixelShuffle(2))

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of ``multiple``."""
        ordered = image
        if not torch.compiler.is_exporting():  # a file is for images of any size, whose order in memory is open
            # Channels last in memory: a tenth to a quarter less time for the convolutions of a CPU.
            ordered = image.contiguous(memory_format=torch.channels_last)
        features, skips = self.down[0](self.first(ordered)), []
        for smaller, down in zip(self.smaller, self.down[1:], strict=True):
            skips.append(features)
            features = down(smaller(features))
        for larger, up in zip(reversed(self.larger), reversed(self.up), strict=True):
            features = up(larger(features) + skips.pop())
        noise: Tensor = self.last(features)
        return image - noise


class _Residual(nn.Module):
    def __init__(self, width: int, slope: float) -> None:
        super().__init__()
        last = _conv(width, width)
        with torch.no_grad():
            last.weight *= 0.1
        self.layers = nn.Sequential(_conv(width, width), nn.LeakyReLU(slope, inplace=True), last)

    @override
    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = features + self.layers(features)
        return changed


def _blocks(width: int, number: int, slope: float) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width, slope) for _ in range(number)))


def _conv(before: int, after: int) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer
