"""A plain CNN that works at half size on four times the channels."""

from itertools import chain, pairwise, repeat
from typing import ClassVar

from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class UnshuffleCNN(Network, source="after Zhang, Zuo & Zhang, FFDNet, IEEE TIP 2018"):
    """3x3 convolutions on the pixel-unshuffled image, predicting the noise; 272,396 parameters in colour.

    Each 2x2 cell becomes four channels and is shuffled back at the end: a quarter of the cost of the same layers at
    full size, and twice the receptive field. ReLU between the layers, zero padding, biases, no normalisation, PyTorch's
    default initialisation. Meant for training on a data set; fitted to a single image it memorises the noise.

    Args:
        channels: of the images; None takes them from the data.
        width: hidden channels.
        depth: number of convolutions.

    Raises:
        UserError: a width below 1 or a depth below 2.

    Example:
        >>> sum(p.numel() for p in UnshuffleCNN(3).parameters()), sum(p.numel() for p in UnshuffleCNN(1).parameters())
        (272396, 263172)
    """

    multiple: ClassVar[int] = 2

    def __init__(self, channels: int | None = None, width: int = 64, depth: int = 9) -> None:
        super().__init__()
        if width < 1 or depth < 2:
            raise UserError(f"UnshuffleCNN: width {width} and depth {depth} must be at least 1 and 2")
        self.channels = channels or 3
        self.reach = 2 * depth + 1
        outer = 4 * self.channels
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        for before, after in pairwise(chain([outer], repeat(width, depth - 1))):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, outer, 3, padding=1), nn.PixelShuffle(2))

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are even."""
        noise: Tensor = self.layers(image)
        return image - noise
