"""Noise2Void's U-Net."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks._blocks import SkipConcat, moments_of
from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class N2VUNet(Network, source="Krull et al., Noise2Void, CVPR 2019, and the layers of juglab/n2v"):
    """Noise2Void's U-Net: two poolings, batch normalisation; 797,123 parameters in colour, 287,683 with 3x3 kernels.

    Blocks of two convolutions without bias, each followed by batch normalisation and ReLU; 1, 2 and 4 times ``width``
    channels in the encoder, ``width`` in the decoder. Nearest upsampling, a final 1x1 convolution, PyTorch's default
    initialisation, running statistics with Keras' momentum. Input channels are standardised by the mean and standard
    deviation that ``scale_to`` measured; before it is called they are left unchanged.

    Args:
        channels: of the images; None takes them from the data.
        width: channels of the first block.
        kernel: kernel size; 5 is the published code's default, 3 is used in its examples.
        residual: predict the noise and subtract it from the input, instead of predicting the image.

    Raises:
        UserError: a width below 1 or an even kernel.

    Example:
        >>> N2VUNet(1, width=4)(torch.zeros(2, 1, 8, 12)).shape
        torch.Size([2, 1, 8, 12])
    """

    multiple: ClassVar[int] = 4
    mean: Tensor
    deviation: Tensor
    minimum: ClassVar[int] = 8
    """At 4 the coarsest scale has one pixel, which has no variance for batch normalisation."""

    def __init__(self, channels: int | None = None, width: int = 32, kernel: int = 5, residual: bool = False) -> None:
        super().__init__()
        if width < 1 or kernel < 1 or kernel % 2 == 0:
            raise UserError(f"N2VUNet: width {width} must be at least 1 and kernel {kernel} odd")
        self.channels = channels or 3
        self.residual = residual
        quarter = nn.Sequential(
            nn.MaxPool2d(2), _block(kernel, 2 * width, 4 * width, 2 * width), nn.Upsample(scale_factor=2)
        )
        half = nn.Sequential(
            nn.MaxPool2d(2),
            _block(kernel, width, 2 * width, 2 * width),
            SkipConcat(nn.Identity(), quarter),
            _block(kernel, 4 * width, width, width),
            nn.Upsample(scale_factor=2),
        )
        self.layers = nn.Sequential(
            _block(kernel, self.channels, width, width),
            SkipConcat(nn.Identity(), half),
            _block(kernel, 2 * width, width, width),
            nn.Conv2d(width, self.channels, 1),
        )
        self.register_buffer("mean", torch.zeros(1, self.channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, self.channels, 1, 1))

    @torch.no_grad()
    def scale_to(self, noisy: Tensor) -> None:
        """Set the mean and the standard deviation of each channel to those of images ``(B, C, H, W)``."""
        mean, deviation = moments_of(noisy)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image in the input's units; sides are multiples of 4."""
        predicted: Tensor = self.deviation * self.layers((image - self.mean) / self.deviation)
        return image - predicted if self.residual else self.mean + predicted


def _block(kernel: int, *widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(after, eps=1e-3, momentum=0.01), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
