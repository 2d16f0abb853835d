"""ZS-N2N's small plain CNN."""

from itertools import chain, pairwise, repeat

from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class SmallCNN(Network, source="Mansour & Heckel, Zero-Shot Noise2Noise, CVPR 2023"):
    """ZS-N2N's network: 3x3 convolutions with LeakyReLU and a final 1x1 convolution; 22,275 parameters in colour.

    Zero padding, biases, no normalisation, PyTorch's default initialisation.

    Args:
        channels: of the images; None takes them from the data.
        width: hidden channels (48 in the paper, tuned for 256x256).
        depth: number of layers, including the 1x1 layer (3 in the paper).
        slope: of the LeakyReLU.
        residual: predict the noise and subtract it from the input (as in the paper), instead of predicting the image.

    Raises:
        UserError: a width below 1, a depth below 2 or a slope outside 0..1.

    Example:
        >>> sum(p.numel() for p in SmallCNN(3).parameters()), sum(p.numel() for p in SmallCNN(1).parameters())
        (22275, 21313)
    """

    def __init__(
        self,
        channels: int | None = None,
        width: int = 48,
        depth: int = 3,
        slope: float = 0.2,
        residual: bool = True,
    ) -> None:
        super().__init__()
        if width < 1 or depth < 2 or not 0 <= slope <= 1:
            raise UserError(
                f"SmallCNN: width {width} and depth {depth} must be at least 1 and 2, slope {slope} in 0 to 1"
            )
        self.channels = channels or 3
        self.residual = residual
        self.reach = depth - 1
        layers: list[nn.Module] = []
        for before, after in pairwise(chain([self.channels], repeat(width, depth - 1))):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(slope, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, self.channels, 1))

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image."""
        predicted: Tensor = self.layers(image)
        return image - predicted if self.residual else predicted


class SigmoidCNN(SmallCNN, source="Ma et al., Pixel2Pixel, IEEE TPAMI 2025"):
    """Pixel2Pixel's network: ``SmallCNN`` with more layers, which predicts the image through a sigmoid.

    149,699 parameters in colour: five 3x3 convolutions and a 1x1 one. Its output lies between 0 and 1.

    Args:
        channels: of the images; None takes them from the data.
        width: hidden channels.
        depth: number of layers, including the 1x1 layer.
        slope: of the LeakyReLU.

    Raises:
        UserError: a width below 1, a depth below 2 or a slope outside 0..1.

    Example:
        >>> sum(p.numel() for p in SigmoidCNN(3).parameters())
        149699
    """

    def __init__(self, channels: int | None = None, width: int = 64, depth: int = 6, slope: float = 0.2) -> None:
        super().__init__(channels, width, depth, slope, residual=False)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image."""
        return super().forward(image).sigmoid()
