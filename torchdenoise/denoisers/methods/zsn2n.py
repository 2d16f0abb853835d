"""ZS-N2N, Zero-Shot Noise2Noise: Mansour & Heckel, CVPR 2023 (arXiv 2303.11253)."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.networks import SmallCNN
from torchdenoise.denoisers.parts.downsamplers import DiagonalDownsampler, Downsampler
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Mansour & Heckel, Zero-Shot Noise2Noise, CVPR 2023"


class ZSN2NLoss(DenoisingLoss, source=SOURCE):
    """ZS-N2N's loss: each half predicts the other, and denoising commutes with downsampling.

    With halves ``y1, y2`` of the noisy image ``y``, denoiser ``f`` and the same halves ``D1, D2`` of ``f(y)``::

        residual    = (mse(f(y1), y2) + mse(f(y2), y1)) / 2
        consistency = (mse(f(y1), D1(f(y))) + mse(f(y2), D2(f(y)))) / 2

    Nothing is detached. Both halves go through the network as one batch.

    Args:
        residual_weight: of the first term.
        consistency_weight: of the second; 0 skips the pass over the full image.
        symmetric: use both halves as inputs, as above; otherwise only ``y1``, without the second part of each term.
        downsampler: makes the halves; diagonal means by default.

    Example:
        >>> noisy = torch.rand(1, 3, 8, 8)
        >>> sorted(ZSN2NLoss()(lambda image: image, {"noisy": noisy}, {}, 0.0))
        ['consistency', 'residual']
    """

    def __init__(
        self,
        residual_weight: float = 1.0,
        consistency_weight: float = 1.0,
        symmetric: bool = True,
        downsampler: Downsampler | None = None,
    ) -> None:
        self.residual_weight = residual_weight
        self.consistency_weight = consistency_weight
        self.symmetric = symmetric
        self.downsampler = downsampler or DiagonalDownsampler()

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the downsampler's draws."""
        return self.downsampler.draw(batch["noisy"], generator)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the two weighted terms."""
        noisy = batch["noisy"]
        first, second = self.downsampler.pair(noisy, dict(draws))
        inputs, targets = ([first, second], [second, first]) if self.symmetric else ([first], [second])
        halves = denoise(torch.cat(inputs))
        # The mean over both halves is the average of the two means.
        terms = {"residual": self.residual_weight * mse(halves, torch.cat(targets))}
        if self.consistency_weight:
            of_full = self.downsampler.pair(denoise(noisy), dict(draws))[: len(inputs)]
            terms["consistency"] = self.consistency_weight * mse(halves, torch.cat(of_full))
        return terms


class ZSN2N(SingleStage, source=SOURCE):
    """ZS-N2N: a small network fitted to one noisy image, mapping one of its half-size versions to the other.

    Assumes noise that is independent from pixel to pixel and has zero mean.

    Example:
        >>> sum(p.numel() for p in ZSN2N().parameters())
        22275
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(network=SmallCNN, loss=ZSN2NLoss)
