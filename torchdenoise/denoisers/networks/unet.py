"""U-Nets without a file of their own: Noise2Noise's, Neighbor2Neighbor's, ZS-N2M's and one with batch normalisation."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


class N2NUNet(Network, source="Lehtinen et al., Noise2Noise, ICML 2018"):
    """Noise2Noise's U-Net: five poolings, narrow, with the input image as the last skip; 991,203 parameters in colour.

    3x3 convolutions with LeakyReLU 0.1, nearest upsampling, no normalisation, He initialisation, zero biases. The
    skips are the image and the outputs of the first four poolings. Predicts the image.

    Args:
        channels: of the images; None takes them from the data.
        width: encoder channels (48 in the paper); the decoder has twice as many, and 4/3 and 2/3 in its last layers.
        he: He initialisation; otherwise PyTorch's default, as in MASH's code.

    Raises:
        UserError: a width below 2.

    Example:
        >>> N2NUNet(1, width=6)(torch.zeros(2, 1, 32, 64)).shape
        torch.Size([2, 1, 32, 64])
    """

    multiple: ClassVar[int] = 32

    def __init__(self, channels: int | None = None, width: int = 48, he: bool = True) -> None:
        super().__init__()
        if width < 2:
            raise UserError(f"N2NUNet: width {width} must be at least 2")
        self.channels = channels or 3
        slope, wide = 0.1, 2 * width
        last = nn.Conv2d(2 * width // 3, self.channels, 3, padding=1)
        self.ladder = _Ladder(
            _five_down(self.channels, width, slope),
            up=[nn.Upsample(scale_factor=2, mode="nearest") for _ in range(5)],
            merge=[
                *(_convs(before, wide, wide, slope=slope) for before in (wide, *[wide + width] * 3)),
                nn.Sequential(_convs(wide + self.channels, 4 * width // 3, 2 * width // 3, slope=slope), last),
            ],
        )
        if he:
            _kaiming(self, slope)
            nn.init.kaiming_normal_(last.weight, nonlinearity="linear")

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of 32."""
        denoised: Tensor = self.ladder(image)
        return denoised


class NB2NBUNet(Network, source="Huang et al., Neighbor2Neighbor, CVPR 2021"):
    """Neighbor2Neighbor's U-Net: Noise2Noise's with learned upsampling; 1,259,475 parameters in colour.

    Transposed 2x2 convolutions without activation upsample, and three 1x1 convolutions end the network. LeakyReLU 0.2,
    no normalisation, Kaiming-normal weights times 0.1, zero biases. Predicts the image.

    Args:
        channels: of the images; None takes them from the data.
        width: encoder channels (48 in the paper); the decoder has twice as many.

    Raises:
        UserError: a width below 1.

    Example:
        >>> NB2NBUNet(1, width=4)(torch.zeros(2, 1, 32, 64)).shape
        torch.Size([2, 1, 32, 64])
    """

    multiple: ClassVar[int] = 32

    def __init__(self, channels: int | None = None, width: int = 48) -> None:
        super().__init__()
        _check_width(self, width)
        self.channels = channels or 3
        slope, wide = 0.2, 2 * width
        self.ladder = _Ladder(
            _five_down(self.channels, width, slope),
            up=[nn.ConvTranspose2d(before, before, 2, stride=2) for before in (width, *[wide] * 4)],
            merge=[
                *(_convs(before, wide, wide, slope=slope) for before in (wide, *[wide + width] * 3)),
                nn.Sequential(
                    _convs(wide + self.channels, wide, wide, slope=slope),
                    _convs(wide, wide, wide, slope=slope, size=1),
                    nn.Conv2d(wide, self.channels, 1),
                ),
            ],
        )
        _kaiming(self, slope=0.0, scale=0.1)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of 32."""
        denoised: Tensor = self.ladder(image)
        return denoised


class BatchNormUNet(
    Network, source="Saha, Muhammad, Chakraborty & Tejwani, Implementing Noise2Noise and Zero-Shot Noise2Noise"
):
    """A large U-Net with batch normalisation and four poolings; 17,263,107 parameters in colour.

    Blocks of two 3x3 convolutions without bias, each followed by batch normalisation and ReLU; bilinear upsampling
    with aligned corners; a final 1x1 convolution. PyTorch's default initialisation. Predicts the image.

    Args:
        channels: of the images; None takes them from the data.
        width: channels at full size (64 in the report); 2, 4, 8 and 8 times as many at the coarser scales.

    Raises:
        UserError: a width below 1.

    Example:
        >>> BatchNormUNet(1, width=4)(torch.zeros(2, 1, 32, 48)).shape
        torch.Size([2, 1, 32, 48])
    """

    multiple: ClassVar[int] = 16
    minimum: ClassVar[int] = 32
    """At 16 the coarsest scale has one pixel, which has no variance for batch normalisation."""

    def __init__(self, channels: int | None = None, width: int = 64) -> None:
        super().__init__()
        _check_width(self, width)
        self.channels = channels or 3
        scales = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        # Decoder blocks: channels after concatenation, between the two convolutions, and at the output.
        blocks = [(2 * skip, skip, max(skip // 2, width)) for skip in scales[-2::-1]]
        self.layers = nn.Sequential(
            _normed(self.channels, width, width),
            _Ladder(
                [nn.Sequential(nn.MaxPool2d(2), _normed(fine, coarse, coarse)) for fine, coarse in pairwise(scales)],
                up=[nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True) for _ in blocks],
                merge=[_normed(*block) for block in blocks],
            ),
            nn.Conv2d(width, self.channels, 1),
        )

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of 16."""
        denoised: Tensor = self.layers(image)
        return denoised


class GRDNet(Network, source="Liu, Shi et al., Zero-Shot Noise2Mean, AAAI 2025"):
    """A U-Net with three poolings, for ZS-N2M's second stage; 2,719,587 parameters in colour.

    The paper specifies only "a relatively large U-Net" with 2.7 M parameters; the layout is ours. Two 3x3 convolutions
    per encoder scale; per decoder scale, bilinear upsampling, a 3x3 convolution, the skip and another 3x3 convolution
    (transposed convolutions leave checkerboards that the loss does not penalise); a final 1x1 convolution. LeakyReLU
    0.2, no normalisation, He initialisation, zero biases.

    Args:
        channels: of the images; None takes them from the data.
        width: channels at full size; 2, 4 and 4 times as many at the coarser scales.
        residual: predict the noise and subtract it from the input, instead of predicting the image.

    Raises:
        UserError: a width below 1.

    Example:
        >>> GRDNet(1, width=4)(torch.zeros(2, 1, 8, 16)).shape
        torch.Size([2, 1, 8, 16])
    """

    multiple: ClassVar[int] = 8

    def __init__(self, channels: int | None = None, width: int = 48, residual: bool = True) -> None:
        super().__init__()
        _check_width(self, width)
        self.channels = channels or 3
        self.residual = residual
        slope = 0.2
        scales = [width, 2 * width, 4 * width, 4 * width]
        steps = list(pairwise(scales))
        last = nn.Conv2d(width, self.channels, 1)
        self.layers = nn.Sequential(
            _convs(self.channels, width, width, slope=slope),
            _Ladder(
                [nn.Sequential(nn.MaxPool2d(2), _convs(fine, coarse, coarse, slope=slope)) for fine, coarse in steps],
                up=[
                    nn.Sequential(
                        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                        _convs(coarse, fine, slope=slope),
                    )
                    for fine, coarse in reversed(steps)
                ],
                merge=[_convs(2 * fine, fine, slope=slope) for fine, _ in reversed(steps)],
            ),
            last,
        )
        _kaiming(self, slope)
        nn.init.kaiming_normal_(last.weight, nonlinearity="linear")

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of 8."""
        predicted: Tensor = self.layers(image)
        return image - predicted if self.residual else predicted


class _Ladder(nn.Module):
    """The shape of a U-Net: encoder steps, then decoder steps, each with the input of its encoder step as the skip.

    Each ``down`` halves the size, each ``up`` doubles it, each ``merge`` takes the upsampled features and the skip,
    concatenated.
    """

    def __init__(self, down: Sequence[nn.Module], up: Sequence[nn.Module], merge: Sequence[nn.Module]) -> None:
        super().__init__()
        self.down, self.up, self.merge = nn.ModuleList(down), nn.ModuleList(up), nn.ModuleList(merge)

    @override
    def forward(self, features: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            skips.append(features)
            features = down(features)
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skips.pop()], dim=1))
        return features


def _five_down(channels: int, width: int, slope: float) -> list[nn.Module]:
    """Return Noise2Noise's encoder: five times a convolution and a pooling, with one more convolution at each end."""
    return [
        nn.Sequential(_convs(channels, width, width, slope=slope), nn.MaxPool2d(2)),
        *(nn.Sequential(_convs(width, width, slope=slope), nn.MaxPool2d(2)) for _ in range(3)),
        nn.Sequential(_convs(width, width, slope=slope), nn.MaxPool2d(2), _convs(width, width, slope=slope)),
    ]


def _convs(*widths: int, slope: float, size: int = 3) -> nn.Sequential:
    """Return convolutions from each width to the next, each followed by LeakyReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, size, padding=size // 2), nn.LeakyReLU(slope, inplace=True)]
    return nn.Sequential(*layers)


def _normed(*widths: int) -> nn.Sequential:
    """Return 3x3 convolutions from each width to the next, each followed by batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _kaiming(network: nn.Module, slope: float, scale: float = 1.0) -> None:
    """Initialise all convolutions: Kaiming-normal by fan-in for this slope, times ``scale``; zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, a=slope)
            with torch.no_grad():
                module.weight *= scale
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _check_width(network: Network, width: int) -> None:
    if width < 1:
        raise UserError(f"{type(network).__name__}: width {width} must be at least 1")
