"""The brick of networks that look at an image at several scales."""

import torch
from torch import Tensor, nn


class Joined(nn.Module):
    """The channels of two ways from one input, side by side: a short one, and one that goes by the smaller scales.

    Example:
        >>> Joined(nn.Identity(), nn.Identity())(torch.zeros(1, 3, 4, 4)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(self, short: nn.Module, deep: nn.Module) -> None:
        super().__init__()
        self.short = short
        self.deep = deep

    def forward(self, features: Tensor) -> Tensor:
        """Return the channels of the short way, then those of the deep one."""
        return torch.cat([self.short(features), self.deep(features)], dim=1)
