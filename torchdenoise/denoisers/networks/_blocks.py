"""Blocks that several networks share."""

import torch
from torch import Tensor, nn
from typing_extensions import override


class SkipConcat(nn.Module):
    """Concatenates a skip branch and a deeper branch of the same input.

    Example:
        >>> SkipConcat(nn.Identity(), nn.Identity())(torch.zeros(1, 3, 4, 4)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(self, short: nn.Module, deep: nn.Module) -> None:
        super().__init__()
        self.short = short
        self.deep = deep

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Return the channels of the skip branch, followed by those of the deeper one."""
        return torch.cat([self.short(features), self.deep(features)], dim=1)


def range_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the minimum and the range (maximum - minimum) of each channel, each ``(1, C, 1, 1)``.

    Example:
        >>> [value.item() for value in range_of(torch.tensor([[[[2.0, 5.0]]]]))]
        [2.0, 3.0]
    """
    axes = (0, -2, -1)
    low = image.amin(axes, keepdim=True)
    return low, _positive(image.amax(axes, keepdim=True) - low)


def moments_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each channel, each ``(1, C, 1, 1)``.

    Example:
        >>> [value.item() for value in moments_of(torch.tensor([[[[2.0, 4.0]]]]))]
        [3.0, 1.0]
    """
    axes = (0, -2, -1)
    return image.mean(axes, keepdim=True), _positive(image.std(axes, correction=0, keepdim=True))


def _positive(scale: Tensor) -> Tensor:
    return scale.clamp(min=1e-6)  # zero for a constant channel
