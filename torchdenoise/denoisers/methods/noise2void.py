"""Noise2Void: Krull, Buchholz & Jug, CVPR 2019, with the choices of their code juglab/n2v."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import Adam, Optimizer
from typing_extensions import override

from torchdenoise.denoisers.networks import N2VUNet
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.errors import UserError
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Krull, Buchholz & Jug, Noise2Void, CVPR 2019"


class Noise2VoidLoss(DenoisingLoss, source=SOURCE):
    """Noise2Void's loss: a few pixels are replaced by neighbours, and the network predicts their values.

    With a mask ``m`` of the replaced pixels of each channel, and the image ``r`` of replacements::

        loss = sum(m |f(y (1 - m) + r m) - y|) / sum(m)

    Each box of ``side x side`` pixels has one masked pixel at a random position, independently in each channel. A
    replacement is drawn from the window around its pixel, which includes the pixel. The published code compares
    standardized channels, which gives them equal weight; here a channel that varies more has more weight.

    Args:
        percent: of the pixels to mask; ``side = round(sqrt(100 / percent))``.
        radius: of the window, which has ``2 radius + 1`` pixels a side and ends at the image's border.
        squared: use squared differences; otherwise absolute ones, the published code's default.

    Raises:
        UserError: a percentage outside 0..100 or a radius below 1.

    Example:
        >>> batch = {"noisy": torch.rand(1, 3, 16, 16)}
        >>> loss = Noise2VoidLoss()
        >>> draws = loss.draw(batch, torch.Generator())
        >>> draws["mask"].sum(dim=(-2, -1))
        tensor([[4., 4., 4.]])
        >>> list(loss(lambda image: image, batch, draws, 0.0))
        ['masked']
    """

    def __init__(self, percent: float = 1.5, radius: int = 5, squared: bool = False) -> None:
        if not 0 < percent <= 100 or radius < 1:
            raise UserError(f"Noise2VoidLoss: percent {percent} must lie in 0..100 and radius {radius} be at least 1")
        self.percent = percent
        self.radius = radius
        self.squared = squared
        self.side = round((100 / percent) ** 0.5)

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``mask`` of zeros and ones, and ``source``, the index of the replacement; both ``(B, C, H, W)``."""
        noisy = batch["noisy"]
        return {"mask": self._mask(noisy, generator), "source": self._source(noisy, generator)}

    def _mask(self, noisy: Tensor, generator: Generator) -> Tensor:
        side, (height, width) = self.side, noisy.shape[-2:]
        boxes = (*noisy.shape[:2], -(-height // side), -(-width // side))
        chosen = torch.randint(side * side, boxes, generator=generator, device=noisy.device)
        chosen = chosen.repeat_interleave(side, -2).repeat_interleave(side, -1)[..., :height, :width]
        rows, columns = (torch.arange(size, device=noisy.device) % side for size in (height, width))
        mask: Tensor = chosen == rows[:, None] * side + columns
        return mask.to(noisy.dtype)

    def _source(self, noisy: Tensor, generator: Generator) -> Tensor:
        across, along = (self._near(axis, noisy, generator) for axis in (-2, -1))
        return across * noisy.shape[-1] + along

    def _near(self, axis: int, noisy: Tensor, generator: Generator) -> Tensor:
        """Return for each pixel a random row (axis -2) or column (axis -1) near it and inside the image."""
        size = noisy.shape[axis]
        places = torch.arange(size, device=noisy.device).view(-1, *[1] * (-1 - axis))
        first = (places - self.radius).clamp(min=0)
        count = (places + self.radius).clamp(max=size - 1) - first + 1
        chance = torch.rand(noisy.shape, generator=generator, device=noisy.device)
        return first + (chance * count).long()

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy, mask = batch["noisy"], draws["mask"]
        replaced = noisy.flatten(-2).gather(-1, draws["source"].flatten(-2)).view_as(noisy)
        difference = denoise(noisy * (1 - mask) + replaced * mask) - noisy
        error = difference.square() if self.squared else difference.abs()
        # An image smaller than a box can have no masked pixel.
        return {"masked": (error * mask).sum() / mask.sum().clamp(min=1)}


def n2v_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Noise2Void's Adam: learning rate 4e-4."""
    return Adam(parameters, lr=4e-4)


class Noise2Void(SingleStage, source=SOURCE):
    """Noise2Void: training on single noisy images, predicting each masked pixel from those around it.

    Assumes noise of zero mean that is independent from pixel to pixel and, because channels are masked separately, from
    channel to channel. With absolute differences, the noise must have zero median instead.

    Example:
        >>> sum(p.numel() for p in Noise2Void().parameters())
        797123
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(network=N2VUNet, loss=Noise2VoidLoss, optimizer=n2v_adam)

    @override
    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Scale the network to the first images that it sees."""
        if isinstance(self.network, N2VUNet):
            self.network.scale_to(transformed)
