"""A small network that looks at a picture at two scales."""

from torch import Tensor, nn

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class TwoScaleCNN(Network, source="a U-Net of one step, after Ronneberger et al., MICCAI 2015"):
    """3x3 convolutions at full size and, between two of them, at half size, predicting the noise.

    One layer at full size, halved by a 2x2 convolution of stride 2, ``depth`` layers, doubled by a pixel shuffle, added
    to the first; one more at full size, and a last 1x1 one. LeakyReLU of slope 0.1, zero padding, biases, no
    normalisation, PyTorch's default initialisation. Made for single pictures.

    Args:
        channels: of the pictures; None takes them from the data.
        width: channels at full size.
        inner: channels at half size.
        depth: 3x3 layers at half size.

    Raises:
        UserError: a width or depth below 1.

    Example:
        >>> sum(p.numel() for p in TwoScaleCNN(3).parameters())
        85059
    """

    multiple = 2

    def __init__(self, channels: int | None = None, width: int = 32, inner: int = 48, depth: int = 3) -> None:
        super().__init__()
        if min(width, inner, depth) < 1:
            raise UserError(f"TwoScaleCNN: width {width}, inner {inner} and depth {depth} must be at least 1")
        self.channels = channels or 3
        self.reach = 1 + 2 * depth + 1 + 1  # the layers before, at half size, the place within a cell, the layer after
        self.first = _layers(self.channels, width, 1)
        self.coarse = nn.Sequential(
            nn.Conv2d(width, inner, 2, stride=2),
            _layers(inner, inner, depth),
            nn.Conv2d(inner, 4 * width, 1),
            nn.PixelShuffle(2),
        )
        self.last = nn.Sequential(_layers(width, width, 1), nn.Conv2d(width, self.channels, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are even."""
        first = self.first(image)
        noise: Tensor = self.last(first + self.coarse(first))
        return image - noise


def _layers(before: int, width: int, depth: int) -> nn.Sequential:
    widths = [before, *[width] * depth]
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.Conv2d(widths[number], width, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)]
    return nn.Sequential(*layers)
