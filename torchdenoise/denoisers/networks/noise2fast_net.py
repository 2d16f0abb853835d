"""Noise2Fast's network: one for each channel, side by side."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from torchdenoise.denoisers.networks._blocks import moments_of, range_of
from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class Noise2FastNet(Network, source="Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022, their code"):
    """Noise2Fast's network, each channel by itself; 259,201 parameters a channel.

    Eight 3x3 convolutions with ReLU and a 1x1 one; zero padding, PyTorch's default initialisation. The published code
    fits one network after the other to the channels of a picture; here grouped convolutions hold them all.

    It works on pictures that are scaled by what ``scale_to`` found in the one to be fitted; until then as they are.

    Args:
        channels: of the pictures; None takes them from the data.
        width: channels of the inner layers, for each channel of the picture.
        depth: number of layers, the 1x1 one included.
        bounded: scale by minimum and maximum and end in a sigmoid, as published for grey pictures; or by mean and
            deviation without a sigmoid, as for colour and stacks.

    Raises:
        UserError: a width below 1 or a depth below 2.

    Example:
        >>> sum(p.numel() for p in Noise2FastNet(1).parameters()), sum(p.numel() for p in Noise2FastNet(3).parameters())
        (259201, 777603)
    """

    low: Tensor
    span: Tensor

    def __init__(self, channels: int | None = None, width: int = 64, depth: int = 9, bounded: bool = True) -> None:
        super().__init__()
        if width < 1 or depth < 2:
            raise UserError(f"Noise2FastNet: width {width} and depth {depth} must be at least 1 and 2")
        self.channels = groups = channels or 3
        self.bounded = bounded
        layers: list[nn.Module] = []
        for before, after in pairwise([1] + [width] * (depth - 1)):
            convolution = nn.Conv2d(groups * before, groups * after, 3, padding=1, groups=groups)
            layers += [convolution, nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(groups * width, groups, 1, groups=groups), nn.Sigmoid() if bounded else nn.Identity()]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("low", torch.zeros(1, groups, 1, 1))
        self.register_buffer("span", torch.ones(1, groups, 1, 1))

    @torch.no_grad()
    def scale_to(self, noisy: Tensor) -> None:
        """Take the scale of each channel from a picture ``(B, C, H, W)``."""
        low, span = (range_of if self.bounded else moments_of)(noisy)
        self.low.copy_(low)
        self.span.copy_(span)

    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image, in the scale of the input."""
        predicted: Tensor = self.layers((image - self.low) / self.span)
        return self.low + self.span * predicted
