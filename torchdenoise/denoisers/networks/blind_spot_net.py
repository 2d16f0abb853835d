"""A dilated blind-spot network: no output pixel depends on the input pixel at its place."""

from torch import Tensor, cat, nn
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError

DILATIONS = (2, 3)
"""Of the branches, in pixels."""


class BlindSpotNet(
    Network,
    source="Wu et al., Unpaired Learning of Deep Image Denoising, ECCV 2020; light as in Lee et al., AP-BSN, CVPR 2022",
):
    """A dilated blind-spot network (D-BSN) of two branches, with the width and depth of NLR; 504,803 parameters.

    Each branch begins with a convolution without centre, of 3x3 or 5x5 pixels, and goes on with dilated residual ones,
    by 2 or 3 pixels: their reach never meets the centre. All other layers are 1x1. ReLU between the layers, zero
    padding, biases, PyTorch's default initialisation. It predicts the image.

    Args:
        channels: of the images; None takes them from the data.
        width: hidden channels; even.
        depth: dilated blocks in each branch.

    Raises:
        UserError: an odd width, or a width or depth below 2 or 1.

    Example:
        >>> sum(p.numel() for p in BlindSpotNet(3).parameters())
        504803
    """

    def __init__(self, channels: int | None = None, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        if width < 2 or width % 2 or depth < 1:
            raise UserError(f"BlindSpotNet: width {width} must be even and at least 2, depth {depth} at least 1")
        self.channels = channels or 3
        self.reach = max(dilation - 1 + dilation * depth for dilation in DILATIONS)
        self.head = nn.Sequential(nn.Conv2d(self.channels, width, 1), nn.ReLU(inplace=True))
        self.branches = nn.ModuleList(_branch(dilation, width, depth) for dilation in DILATIONS)
        half = width // 2
        self.tail = nn.Sequential(
            *_pointwise(len(DILATIONS) * width, width),
            *_pointwise(width, half),
            *_pointwise(half, half),
            nn.Conv2d(half, self.channels, 1),
        )

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image."""
        features = self.head(image)
        clean: Tensor = self.tail(cat([branch(features) for branch in self.branches], 1))
        return clean


def _branch(dilation: int, width: int, depth: int) -> nn.Module:
    return nn.Sequential(
        _Hollow(width, width, 2 * dilation - 1, padding=dilation - 1),
        nn.ReLU(inplace=True),
        *_pointwise(width, width),
        *_pointwise(width, width),
        *(_Dilated(dilation, width) for _ in range(depth)),
        *_pointwise(width, width),
    )


def _pointwise(before: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, 1), nn.ReLU(inplace=True)


class _Hollow(nn.Conv2d):
    """A convolution whose kernel is zero at its centre."""

    kernel_mask: Tensor

    def __init__(self, before: int, after: int, side: int, padding: int) -> None:
        super().__init__(before, after, side, padding=padding)
        mask = self.weight.new_ones(1, 1, side, side)
        mask[..., side // 2, side // 2] = 0
        self.register_buffer("kernel_mask", mask, persistent=False)

    @override
    def forward(self, features: Tensor) -> Tensor:
        return F.conv2d(features, self.weight * self.kernel_mask, self.bias, padding=self.padding)


class _Dilated(nn.Module):
    """A residual block of a dilated convolution and a 1x1 one."""

    def __init__(self, dilation: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
        )

    @override
    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.body(features)
        return result
