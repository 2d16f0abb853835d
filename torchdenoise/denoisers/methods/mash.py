"""MASH, Masked and Shuffled blind spot denoising: Chihaoui & Favaro, CVPR 2024; built from its description."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import N2NUNet, Network
from torchdenoise.denoisers.networks.calling import PaddedNetwork
from torchdenoise.denoisers.parts.masking import SOURCE, MaskedLoss, MaskedMean, MaskingRatio
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.parts.shuffles import LocalShuffle, TileShuffle
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.noise import seeded

PROBES = (0.8, 0.2)
"""Shares of the values that the two probes hide."""


def mash_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return MASH's Adam: learning rate 4e-4."""
    return Adam(parameters, lr=4e-4)


def cosine_800(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that takes the learning rate to zero in 800 steps."""
    return CosineAnnealingLR(optimizer, 800)


class MASH(Denoiser, source=SOURCE):
    """MASH: two probe networks measure whether the noise is correlated, and a third one is fitted accordingly.

    Each of the three is fitted from scratch, for a third of the steps, by predicting hidden values. The noise that a
    probe removes is measured as the root mean square of its result minus the noisy image (the published code takes the
    standard deviation, which leaves out the mean). If the noise is correlated, the third one's target is shuffled
    inside flat tiles, once, early in its stage.

    Assumes noise of zero mean (or median, with absolute differences) that is independent at some distance; made for
    real noise, and weak on independent noise.

    Args:
        network: the third one; by default Noise2Noise's of 991,203 parameters with PyTorch's initialization. The probes
            have the same architecture.
        loss: with an argument ``hidden``; ``MaskedLoss()`` by default.
        ratio: ``MaskingRatio()`` by default.
        shuffle: ``TileShuffle()`` by default.
        optimizer: of each; Adam with learning rate 4e-4 by default.
        scheduler: of each, restarted with its stage; a cosine to zero in 800 steps by default.
        readout: the mean of ten masked passes by default.

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
        """Of the noise that the two probes remove, in grey levels of 255; NaN until it is known."""
        high, low = self.noises.tolist()
        return float(abs(high - low))

    def use_ratio(self) -> None:
        """Let the readout's masked passes hide the measured share of the values, if it is known."""
        if not self.noises.isnan().any():
            for each in self.readout.modules():
                if isinstance(each, MaskedMean):
                    each.hidden = self.ratio(self.difference)

    @override
    def setup(self, stage: str) -> None:
        """Prepare a run, in which the readout may be another one."""
        super().setup(stage)
        self.use_ratio()

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the weights and the ratio of a checkpoint."""
        result = super().load_state_dict(state_dict, strict, assign)
        self.use_ratio()
        return result

    @override
    def stages(self) -> list[Stage]:
        """Return the stages of the two probes and the final one."""
        networks = (self.high_probe, self.low_probe, self.network)
        shares = (*PROBES, self.ratio(self.difference))
        return [
            Stage(network, self.loss.rebuilt(hidden=share)) for network, share in zip(networks, shares, strict=True)
        ]

    @override
    @torch.no_grad()
    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Measure the noise that the previous probe removes, and after both choose the share of hidden values."""
        if index == 0:  # an earlier fit may have been of another image
            self.noises.fill_(torch.nan)
            self.shuffle.order = None
            return
        network = PaddedNetwork(self.stages()[index - 1].network)
        readout = MaskedMean(self.ratio.passes, PROBES[index - 1])
        generator = seeded(self.seed, self.global_step, device=transformed.device)
        denoised = readout(network, transformed, generator)
        self.noises[index - 1] = 255 * (denoised - transformed).square().mean().sqrt()
        self.use_ratio()

    @override
    @torch.no_grad()
    def on_train_batch_start(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        """Fix the shuffling at its step, if the noise is correlated."""
        begin, end = self.plan.bounds[2:]
        at = begin + max(1, round(self.shuffle.after * (end - begin)))
        if self.global_step == at and self.difference > self.ratio.correlated:
            generator = seeded(self.seed, at, device=batch["noisy"].device)
            self.shuffle.settle(self.active_readout()(self, batch["noisy"], generator), generator)

    @override
    def loss_batch(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return what the loss of a stage sees; in the last one with a shuffled target."""
        seen = super().loss_batch(batch, index)
        return {**seen, "target": self.shuffle(seen["noisy"])} if index == 2 else seen
