"""Neighbor2Neighbor: Huang et al., CVPR 2021."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import Adam, Optimizer
from typing_extensions import override

from torchdenoise.denoisers.networks import NB2NBUNet
from torchdenoise.denoisers.parts.downsamplers import Downsampler, Draws, cells
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Huang et al., Neighbor2Neighbor, CVPR 2021"
PAIRS = ((0, 1), (0, 2), (1, 3), (2, 3), (1, 0), (2, 0), (3, 1), (3, 2))
"""Pixels of a cell 0 1 / 2 3: horizontal and vertical neighbours, not diagonal ones, in both orders."""


class NeighborDownsampler(Downsampler, source=SOURCE):
    """Neighbor2Neighbor's sampler: two neighbouring pixels of each 2x2 cell, one for each half.

    Each cell of each image has its own draw, shared by all channels.

    Example:
        >>> down = NeighborDownsampler()
        >>> image = torch.arange(4.0).view(1, 1, 2, 2)
        >>> [half.item() for half in down.pair(image, {"choice": torch.tensor([[[[2]]]])})]
        [1.0, 3.0]
    """

    @override
    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:
        """Return ``choice (B, 1, H/2, W/2)``, the index of a pair for each cell."""
        height, width = (-(-side // 2) for side in noisy.shape[-2:])
        size = (noisy.shape[0], 1, height, width)
        return {"choice": torch.randint(len(PAIRS), size, generator=generator, device=noisy.device)}

    @override
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the first and the second pixel of each cell's pair."""
        pixels = torch.stack(cells(image), dim=-4)
        order = _order(image.device)
        first, second = (
            pixels.gather(-4, order[draws["choice"], side].expand_as(pixels[..., 0, :, :, :]).unsqueeze(-4)).squeeze(-4)
            for side in (0, 1)
        )
        return first, second


@functools.cache
def _order(device: torch.device) -> Tensor:
    """Return ``PAIRS`` on a device, copied there once."""
    with torch.inference_mode(False):  # a prediction may ask first
        return torch.tensor(PAIRS, device=device)


class Neighbor2NeighborLoss(DenoisingLoss, source=SOURCE):
    """Neighbor2Neighbor's loss: one neighbour predicts the other, up to the difference of the denoised neighbours.

    With the neighbours ``g1, g2`` of the noisy image and those of the denoised one, without gradient::

        difference = f(g1(y)) - g2(y)        expected = g1(f(y)) - g2(f(y))
        loss = mean(difference^2) + gamma mean((difference - expected)^2)

    Args:
        gamma: weight of the second term: 2 for synthetic noise, 1 for real noise in the paper.
        ramp: increase the weight from 0 to gamma over the fit, as the authors' code does (by epochs, here by steps);
            otherwise it is constant, as in the paper.
        downsampler: ``NeighborDownsampler()`` by default.

    Example:
        >>> batch = {"noisy": torch.rand(1, 3, 8, 8)}
        >>> loss = Neighbor2NeighborLoss()
        >>> sorted(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.5))
        ['neighbour', 'regular']
    """

    def __init__(self, gamma: float = 2.0, ramp: bool = True, downsampler: Downsampler | None = None) -> None:
        self.gamma = gamma
        self.ramp = ramp
        self.downsampler = downsampler or NeighborDownsampler()

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the sampler's draws."""
        return self.downsampler.draw(batch["noisy"], generator)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the two weighted terms."""
        noisy, choice = batch["noisy"], dict(draws)
        with torch.no_grad():
            first_denoised, second_denoised = self.downsampler.pair(denoise(noisy), choice)
        first, second = self.downsampler.pair(noisy, choice)
        difference = denoise(first) - second
        gamma = self.gamma * (progress if self.ramp else 1.0)
        return {
            "neighbour": difference.square().mean(),
            "regular": gamma * (difference - (first_denoised - second_denoised)).square().mean(),
        }


def nb2nb_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Neighbor2Neighbor's Adam: learning rate 3e-4."""
    return Adam(parameters, lr=3e-4)


class Neighbor2Neighbor(SingleStage, source=SOURCE):
    """Neighbor2Neighbor: training on single noisy images, with neighbouring pixels as targets.

    Example:
        >>> sum(p.numel() for p in Neighbor2Neighbor().parameters())
        1259475
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(network=NB2NBUNet, loss=Neighbor2NeighborLoss, optimizer=nb2nb_adam)
