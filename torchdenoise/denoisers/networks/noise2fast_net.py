"""Noise2Fast's network: a separate one for each channel, computed together."""

from itertools import chain, pairwise, repeat

import torch
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks._blocks import moments_of, range_of
from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class Noise2FastNet(Network, source="Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022, their code"):
    """Noise2Fast's network, separate for each channel; 259,201 parameters per channel.

    Eight 3x3 convolutions with ReLU and a 1x1 convolution; zero padding, PyTorch's default initialisation. The
    published code fits one network per channel, one after the other; grouped convolutions fit them together.

    Input channels are scaled by what ``scale_to`` measured; before it is called they are left unchanged.

    Args:
        channels: of the images; None takes them from the data.
        width: hidden channels per image channel.
        depth: number of layers, including the 1x1 layer.
        bounded: scale by minimum and maximum and end in a sigmoid, as published for grey images; otherwise scale by
            mean and standard deviation, without a sigmoid, as published for colour images and stacks.

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
        for before, after in pairwise(chain([1], repeat(width, depth - 1))):
            convolution = nn.Conv2d(groups * before, groups * after, 3, padding=1, groups=groups)
            layers += [convolution, nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(groups * width, groups, 1, groups=groups), nn.Sigmoid() if bounded else nn.Identity()]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("low", torch.zeros(1, groups, 1, 1))
        self.register_buffer("span", torch.ones(1, groups, 1, 1))

    @torch.no_grad()
    def scale_to(self, noisy: Tensor) -> None:
        """Set the scale of each channel to that of an image ``(B, C, H, W)``."""
        low, span = (range_of if self.bounded else moments_of)(noisy)
        self.low.copy_(low)
        self.span.copy_(span)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image in the input's units."""
        predicted: Tensor = self.layers((image - self.low) / self.span)
        return self.low + self.span * predicted
