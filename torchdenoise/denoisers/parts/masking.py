"""Hiding a random part of a picture's values from the network: how much, the loss there, the mean of such passes."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

SOURCE = "Chihaoui & Favaro, Masked and Shuffled Blind Spot Denoising, CVPR 2024"


def random_mask(image: Tensor, hidden: float, generator: Generator) -> Tensor:
    """Return 0 for each value of ``(B, C, H, W)`` that is hidden, with a chance of ``hidden``, and 1 for the others.

    Example:
        >>> random_mask(torch.zeros(1, 1, 1, 3), 1.0, torch.Generator())
        tensor([[[[0., 0., 0.]]]])
    """
    chance = torch.rand(image.shape, generator=generator, device=image.device)
    return (chance >= hidden).to(image.dtype)


def hidden_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of an error over the values where the mask is 0.

    Example:
        >>> hidden_mean(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([1.0, 0.0, 0.0])).item()
        7.0
    """
    hidden = 1 - mask
    return (error * hidden).sum() / hidden.sum().clamp(min=1)  # a tiny picture can have nothing hidden


class MaskedLoss(DenoisingLoss, source=SOURCE):
    """MASH's loss: a share of the values is set to zero, and the network has to say what they were.

    With a mask ``m``, 0 at the hidden values: ``loss = sum((1 - m) |f(m y) - t|^p) / sum(1 - m)``, where the target
    ``t`` is the noisy image, or the batch's ``target`` where there is one. The published code divides by the number of
    all values, a factor that Adam does not see.

    Args:
        hidden: chance of each value, of each channel by itself, to be hidden.
        squared: p = 2, as in the paper, or 1, as in the published code.

    Raises:
        UserError: a chance outside 0..1.

    Example:
        >>> batch = {"noisy": torch.ones(1, 3, 8, 8)}
        >>> loss = MaskedLoss(0.8)
        >>> loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0)
        {'hidden': tensor(1.)}
    """

    def __init__(self, hidden: float = 0.5, squared: bool = True) -> None:
        check_chance(self, hidden)
        self.hidden = hidden
        self.squared = squared

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``mask (B, C, H, W)``."""
        return {"mask": random_mask(batch["noisy"], self.hidden, generator)}

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:  # noqa: ARG002
        """Return the only term."""
        noisy, mask = batch["noisy"], draws["mask"]
        difference = denoise(noisy * mask) - batch.get("target", noisy)
        return {"hidden": hidden_mean(difference.square() if self.squared else difference.abs(), mask)}


class MaskedMean(Readout, source=SOURCE):
    """The mean of passes that each hide other values.

    Args:
        passes: how many.
        hidden: chance of each value to be hidden, unless the method has found out by itself what is right.

    Raises:
        UserError: no pass, or a chance outside 0..1.

    Example:
        >>> readout = MaskedMean(passes=2000, hidden=0.25)
        >>> readout(lambda image: image, torch.ones(1, 1, 1, 1), torch.Generator()).item()
        0.75...
    """

    def __init__(self, passes: int = 10, hidden: float = 0.5) -> None:
        super().__init__()
        check_chance(self, hidden)
        if passes < 1:
            raise UserError(f"{type(self).__name__}: passes {passes} must be at least 1")
        self.passes = passes
        self.hidden = hidden

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the mean of the passes."""
        total = torch.zeros_like(noisy)
        for _ in range(self.passes):
            total += self.one(denoise, noisy, generator)
        return total / self.passes

    def one(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return one pass."""
        return denoise(noisy * random_mask(noisy, self.hidden, generator))


class MaskingRatio(Registered, source=SOURCE):
    """How much to hide, by how differently much noise the two probes leave: correlated noise needs more hidden.

    Args:
        low: share of values to hide where the noise is independent from pixel to pixel.
        medium: where that is not clear.
        high: where the noise is correlated.
        independent: the noise is so below this difference, in grey levels of 255.
        correlated: the noise is so above this difference.
        passes: masked passes whose mean shows what noise a probe leaves.

    Raises:
        UserError: limits in the wrong order.

    Example:
        >>> [MaskingRatio()(difference) for difference in (0.0, 2.0, 5.0)]
        [0.2, 0.5, 0.8]
    """

    def __init__(
        self,
        low: float = 0.2,
        medium: float = 0.5,
        high: float = 0.8,
        independent: float = 1.5,
        correlated: float = 2.5,
        passes: int = 1,
    ) -> None:
        if independent > correlated:
            raise UserError(f"MaskingRatio: independent {independent} must not be above correlated {correlated}")
        self.low, self.medium, self.high = low, medium, high
        self.independent, self.correlated = independent, correlated
        self.passes = passes

    def __call__(self, difference: float) -> float:
        """Return the share of values to hide; the medium one for a difference that is not known yet, NaN."""
        if difference > self.correlated:
            return self.high
        return self.low if difference < self.independent else self.medium


def check_chance(owner: object, hidden: float) -> None:
    """Refuse a chance outside 0..1."""
    if not 0 < hidden < 1:
        raise UserError(f"{type(owner).__name__}: hidden {hidden} must lie between 0 and 1")
