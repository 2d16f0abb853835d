"""A network: noisy image in, denoised image of the same shape out."""

from torch import Tensor, nn
from typing_extensions import override

from torchdenoise import Network


class GatedCNN(Network, name="gated-cnn", source="gated convolutions: Dauphin et al., ICML 2017"):
    """Convolutions of which half of the channels gate the other half, added to the input.

    Args:
        channels: of the images; as many as the images have unless given.
        width: channels after each gate.
        depth: number of gated layers.
    """

    def __init__(self, channels: int | None = None, width: int = 24, depth: int = 3) -> None:
        super().__init__()
        self.channels = channels or 3
        layers: list[nn.Module] = []
        for number in range(depth):
            inputs = width if number else self.channels
            layers += [nn.Conv2d(inputs, 2 * width, 3, padding=1), nn.GLU(dim=1)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, self.channels, 1))

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised image ``(B, C, H, W)``."""
        return image + self.layers(image)
