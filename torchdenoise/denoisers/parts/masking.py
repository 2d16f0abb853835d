"""Random masking of the input: the loss on hidden values, the mean of masked passes, the masking ratio."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

SOURCE = "Chihaoui & Favaro, Masked and Shuffled Blind Spot Denoising, CVPR 2024"


def random_mask(image: Tensor, hidden: float, generator: Generator) -> Tensor:
    """Return a mask ``(B, C, H, W)``: 0 with probability ``hidden``, independently for each value, and 1 elsewhere.

    Example:
        >>> random_mask(torch.zeros(1, 1, 1, 3), 1.0, torch.Generator())
        tensor([[[[0., 0., 0.]]]])
    """
    uniform = torch.rand(image.shape, generator=generator, device=image.device)
    return (uniform >= hidden).to(image.dtype)


def hidden_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``error`` over the values where ``mask`` is 0.

    Example:
        >>> hidden_mean(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([1.0, 0.0, 0.0])).item()
        7.0
    """
    hidden = 1 - mask
    return (error * hidden).sum() / hidden.sum().clamp(min=1)  # a tiny image may have no hidden value


class MaskedLoss(DenoisingLoss, source=SOURCE):
    """MASH's loss: random values are set to zero, and the network predicts them.

    With a mask ``m``, 0 at the hidden values: ``loss = sum((1 - m) |f(m y) - t|^p) / sum(1 - m)``, where the target
    ``t`` is the batch's ``target`` if it has one, otherwise the noisy image. The published code divides by the number
    of all values; Adam is invariant to this factor.

    Args:
        hidden: probability of hiding a value, independently for each pixel and channel; between 0 and 1.
        squared: p = 2, as in the paper; otherwise p = 1, as in the published code.

    Raises:
        UserError: ``hidden`` not between 0 and 1.

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

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``mask (B, C, H, W)``."""
        return {"mask": random_mask(batch["noisy"], self.hidden, generator)}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the term ``hidden``."""
        noisy, mask = batch["noisy"], draws["mask"]
        difference = denoise(noisy * mask) - batch.get("target", noisy)
        return {"hidden": hidden_mean(difference.square() if self.squared else difference.abs(), mask)}


class MaskedMean(Readout, source=SOURCE):
    """The mean of passes, each with a new random mask.

    Args:
        passes: number of passes.
        hidden: probability of hiding a value, between 0 and 1; MASH overrides it with the ratio that it chose.

    Raises:
        UserError: ``passes`` below 1, or ``hidden`` not between 0 and 1.

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

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the mean of the passes."""
        total = torch.zeros_like(noisy)
        for _ in range(self.passes):
            total += self.one(denoise, noisy, generator)
        return total / self.passes

    def one(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return a single masked pass."""
        return denoise(noisy * random_mask(noisy, self.hidden, generator))


class MaskingRatio(Registered, source=SOURCE):
    """MASH's masking ratio as a function of the difference between the probes' noise estimates.

    A large difference indicates spatially correlated noise, which needs a higher ratio.

    Args:
        low: ratio for pixel-wise independent noise.
        medium: ratio if the difference lies between the thresholds.
        high: ratio for correlated noise.
        independent: noise counts as independent below this difference, on the 0-255 scale.
        correlated: noise counts as correlated above this difference, on the 0-255 scale.
        passes: number of masked passes averaged for a probe's noise estimate.

    Raises:
        UserError: ``independent`` above ``correlated``.

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
        """Return the masking ratio; ``medium`` if the difference is NaN, that is not measured yet."""
        if difference > self.correlated:
            return self.high
        return self.low if difference < self.independent else self.medium


def check_chance(owner: object, hidden: float) -> None:
    """Raise ``UserError`` unless the probability ``hidden`` lies between 0 and 1."""
    if not 0 < hidden < 1:
        raise UserError(f"{type(owner).__name__}: hidden {hidden} must lie between 0 and 1")
