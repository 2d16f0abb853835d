"""MASH, Masked and Shuffled blind spot denoising: Chihaoui & Favaro, CVPR 2024; built from its description."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import N2NUNet, Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.denoisers.parts.masking import SOURCE, MaskedLoss, MaskedMean, MaskingRatio
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.parts.shuffles import LocalShuffle, TileShuffle
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.noise import seeded

PROBES = (0.8, 0.2)
"""Shares of values that the two probes hide."""


def mash_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return MASH's Adam: rate 4e-4."""
    return Adam(parameters, lr=4e-4)


def cosine_800(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that brings the rate to zero in 800 steps."""
    return CosineAnnealingLR(optimizer, 800)


class MASH(Denoiser, source=SOURCE):
    """MASH: two probes find out whether the noise is correlated, and a third network is fitted accordingly.

    Each of the three is fitted from scratch, for a third of the steps, by foretelling hidden values. What noise a probe
    leaves is measured as the root mean square of its result minus the noisy picture (the published code takes the
    standard deviation, which is less by the square of the mean). Where the noise is correlated, the third one's target
    is shuffled inside flat tiles, once, early.

    Assumes noise of zero mean (or median, with absolute differences) that is independent at some distance; made for
    real noise, and weak on independent noise.

    Args:
        network: the third one, Noise2Noise's of 991,203 parameters, begun as PyTorch does; the probes are like it.
        loss: with an argument ``hidden``; ``MaskedLoss()`` unless given.
        ratio: ``MaskingRatio()`` unless given.
        shuffle: ``TileShuffle()`` unless given.
        optimizer: of each; Adam with rate 4e-4 unless given.
        scheduler: begins anew with each; down to zero along a cosine, in 800 steps, unless given.
        readout: the mean of ten masked passes unless given.

    Example:
        >>> MASH()(torch.rand(1, 3, 9, 8)).shape
        torch.Size([1, 3, 9, 8])
    """

    croppable = stackable = False
    noises: Tensor

    def __init__(
        self,
        network: Network | None = None,
        loss: MaskedLoss | None = None,
        ratio: MaskingRatio | None = None,
        shuffle: LocalShuffle | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
    ) -> None:
        super().__init__(optimizer or mash_adam, scheduler or cosine_800, readout or MaskedMean())
        self.network = network or N2NUNet(he=False)
        self.high_probe = self.network.rebuilt()
        self.low_probe = self.network.rebuilt()
        self.loss = loss or MaskedLoss()
        self.ratio = ratio or MaskingRatio()
        self.shuffle = shuffle or TileShuffle()
        self.register_buffer("noises", torch.full((2,), torch.nan))

    @property
    def difference(self) -> float:
        """Between the noise that the two probes leave, in grey levels of 255; NaN until it is known."""
        high, low = self.noises.tolist()
        return float(abs(high - low))

    def active_readout(self) -> Readout:
        """Return the readout, whose masked passes hide as much as was found right."""
        if not self.noises.isnan().any():
            for each in self.readout.modules():
                if isinstance(each, MaskedMean):
                    each.hidden = self.ratio(self.difference)
        return self.readout

    def stages(self) -> list[Stage]:
        """Return the two probes' stages and the final one."""
        networks = (self.high_probe, self.low_probe, self.network)
        shares = (*PROBES, self.ratio(self.difference))
        return [
            Stage(network, self.loss.rebuilt(hidden=share)) for network, share in zip(networks, shares, strict=True)
        ]

    @torch.no_grad()
    def enter_stage(self, index: int, noisy: Tensor, inside: Tensor) -> None:  # noqa: ARG002
        """Measure what noise the probe before has left, and after both choose how much to hide."""
        if index == 0:  # of a picture that may not be the first
            self.noises.fill_(torch.nan)
            self.shuffle.order = None
            return
        network = self.stages()[index - 1].network
        readout = MaskedMean(self.ratio.passes, PROBES[index - 1])
        generator = seeded(self._seed, self.global_step, device=inside.device)
        denoised = readout(functools.partial(_plain_call, network), inside, generator)
        self.noises[index - 1] = 255 * (denoised - inside).square().mean().sqrt()

    @torch.no_grad()
    def on_train_batch_start(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Settle the shuffling when its time has come, if the noise is correlated."""
        begin, end = self._planned().bounds[2:]
        at = begin + max(1, round(self.shuffle.after * (end - begin)))
        if self.global_step == at and self.difference > self.ratio.correlated:
            generator = seeded(self._seed, at, device=batch["noisy"].device)
            self.shuffle.settle(self.active_readout()(self, batch["noisy"], generator), generator)

    def _seen(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        seen = super()._seen(batch, index)
        return {**seen, "target": self.shuffle(seen["noisy"])} if index == 2 else seen


def _plain_call(network: Network, image: Tensor, /, **extra: Tensor) -> Tensor:
    return padded_call(network, image, extra)
