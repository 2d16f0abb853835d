"""A loss: what one step of the fit minimizes."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise import DenoisingLoss


class HiddenPixelsLoss(DenoisingLoss, name="hidden-pixels", source="Noise2Self, Batson & Royer, ICML 2019"):
    """Hides random pixels and compares the network's prediction there with their noisy values.

    Args:
        share: probability that a pixel is hidden, in 0..1.
    """

    def __init__(self, share: float = 0.1) -> None:
        self.share = share

    @override
    def draw(self, batch: Mapping[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Return ``hidden (B, 1, H, W)``, 1 where a pixel is hidden: all randomness of a step is drawn here."""
        noisy = batch["noisy"]
        chance = torch.rand(noisy[:, :1].shape, generator=generator, device=noisy.device)
        return {"hidden": (chance < self.share).float()}

    @override
    def forward(self, denoise, batch, draws, progress):
        """Return the mean squared error at the hidden pixels, each replaced by the mean of its four neighbors."""
        noisy, hidden = batch["noisy"], draws["hidden"]
        neighbors = sum(noisy.roll(shift, axis) for shift in (-1, 1) for axis in (-2, -1)) / 4
        predicted = denoise(noisy * (1 - hidden) + neighbors * hidden)
        # A mask weights; it never selects. So the same loss trains many networks at once under torch.func.vmap.
        error = (predicted - noisy).square() * hidden
        return {"hidden": error.sum() / (hidden.sum() * noisy.shape[1]).clamp(min=1)}
