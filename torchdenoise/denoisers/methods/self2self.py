"""Self2Self: Quan, Chen, Pang & Ji, CVPR 2020, with the settings of their code."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import Adam, Optimizer
from typing_extensions import override

from torchdenoise.denoisers.networks import PartialUNet
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.masking import MaskedMean, check_chance, hidden_mean, random_mask
from torchdenoise.denoisers.parts.schedules import constant_rate
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Quan, Chen, Pang & Ji, Self2Self with Dropout, CVPR 2020"


class Self2SelfLoss(DenoisingLoss, source=SOURCE):
    """Self2Self's loss: the network sees a random part of the values and predicts the hidden ones.

    With a mask ``m``, 0 at the hidden values: ``loss = sum((1 - m) (f(m y, m) - y)^2) / sum(1 - m)``. Image and mask
    are flipped at random before they enter the network.

    Args:
        hidden: probability of hiding a value, independently in each channel.

    Raises:
        UserError: a probability outside 0..1.

    Example:
        >>> batch = {"noisy": torch.ones(1, 3, 8, 8)}
        >>> loss = Self2SelfLoss()
        >>> loss(lambda image, mask, seed: image, batch, loss.draw(batch, torch.Generator()), 0.0)
        {'hidden': tensor(1.)}
    """

    def __init__(self, hidden: float = 0.3) -> None:
        check_chance(self, hidden)
        self.hidden = hidden

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``mask (B, C, H, W)``, ``flips (2,)`` and the ``seed`` of the network's dropout."""
        return draw_pass(batch["noisy"], self.hidden, generator)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy = batch["noisy"]
        return {"hidden": hidden_mean((masked_pass(denoise, noisy, draws) - noisy).square(), draws["mask"])}


class Self2SelfMean(MaskedMean, source=SOURCE):
    """The mean of passes as in training, each with its own mask, flips and dropout.

    Args:
        passes: their number; 100 in the paper, 1 for the tables' S2S*.
        hidden: probability of hiding a value.

    Raises:
        UserError: no pass, or a probability outside 0..1.

    Example:
        >>> readout = Self2SelfMean(passes=2)
        >>> readout(lambda image, mask, seed: 0 * image + 3, torch.ones(1, 1, 1, 1), torch.Generator()).item()
        3.0
    """

    def __init__(self, passes: int = 100, hidden: float = 0.3) -> None:
        super().__init__(passes, hidden)

    @override
    def one(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return one pass."""
        return masked_pass(denoise, noisy, draw_pass(noisy, self.hidden, generator))


def draw_pass(noisy: Tensor, hidden: float, generator: Generator) -> dict[str, Tensor]:
    """Return the random draws of one pass: ``mask (B, C, H, W)``, ``flips (2,)`` and ``seed ()``."""
    device = noisy.device
    return {
        "mask": random_mask(noisy, hidden, generator),
        "flips": torch.rand(2, generator=generator, device=device) < 0.5,
        "seed": torch.randint(2**62, (), generator=generator, device=device),
    }


def masked_pass(denoise: Denoise, noisy: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Return the network's output for the masked image, flipped before and back after."""
    mask, flips = draws["mask"], draws["flips"]
    output = denoise(flipped(noisy * mask, flips), mask=flipped(mask, flips), seed=draws["seed"])
    return flipped(output, flips)


def flipped(image: Tensor, flips: Tensor) -> Tensor:
    """Return the image upside down if the first of the flips is true, and mirrored if the second one is.

    Example:
        >>> flipped(torch.tensor([[1, 2], [3, 4]]), torch.tensor([True, False]))
        tensor([[3, 4],
                [1, 2]])
    """
    image = torch.where(flips[0], image.flip(-2), image)
    return torch.where(flips[1], image.flip(-1), image)


def s2s_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Self2Self's Adam: learning rate 1e-4."""
    return Adam(parameters, lr=1e-4)


class Self2Self(SingleStage, source=SOURCE):
    """Self2Self: hidden values of one image are predicted from the others, and many such predictions are averaged.

    Assumes noise of zero mean that is independent from pixel to pixel and from channel to channel. As published it
    takes 150,000 steps. For real noise the published code also resamples its input; this one does not.

    Example:
        >>> sum(p.numel() for p in Self2Self().parameters())
        991203
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(
        network=PartialUNet,
        loss=Self2SelfLoss,
        optimizer=s2s_adam,
        scheduler=constant_rate,
        readout=Self2SelfMean,
    )
    stackable = False
