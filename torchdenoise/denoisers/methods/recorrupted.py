"""Recorrupted-to-Recorrupted: Pang, Zheng, Quan and Ji, CVPR 2021."""

import functools
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers.methods.zsn2m import ZSN2MLoss
from torchdenoise.denoisers.networks import Network, SmallCNN
from torchdenoise.denoisers.parts.capped_removal import CappedRemoval
from torchdenoise.denoisers.parts.crops import OnCrops
from torchdenoise.denoisers.parts.domains import Domain, Stabilized
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.muon import Muon
from torchdenoise.denoisers.parts.nonlocal_ridge import NonLocalRidge
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.parts.schedules import WarmDown
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.errors import UserError
from torchdenoise.noise import broken_assumptions, noise_deviation

SOURCE = "Pang et al., Recorrupted-to-Recorrupted, CVPR 2021"


class RecorruptedLoss(DenoisingLoss, source=SOURCE):
    """More noise is added to the input, and a matching part of it taken from the target, at full resolution.

    With fresh normal ``z`` of the noise's own level, input ``y + amount z`` and target ``y - z / amount`` have
    uncorrelated noise, so that learning the one from the other is learning the clean image from the input. The noise
    must be Gaussian, independent from pixel to pixel, and its level known.

    Args:
        amount: how much noise is added; more makes the target better and the input worse.
        level: of the noise, as standard deviation on the 0-255 scale; measured in each picture unless given.
        share: of the level that is taken; a little less than 1 does best in the end (``docs/results/speed.md``).

    Raises:
        UserError: an amount, a share or a level that is not above 0.

    Example:
        >>> loss, noisy = RecorruptedLoss(level=25), torch.rand(1, 3, 8, 8)
        >>> batch = {"noisy": noisy, **loss.measure(noisy)}
        >>> sorted(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['recorrupted']
    """

    def __init__(self, amount: float = 0.7, level: float | None = None, share: float = 1.0) -> None:
        for name, value in (("amount", amount), ("level", level), ("share", share)):
            if value is not None and value <= 0:
                raise UserError(f"RecorruptedLoss: {name} {value} must be above 0")
        self.amount = amount
        self.level = level
        self.share = share

    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return ``deviation (B, 1, 1, 1)``, of the noise of each image in units of the white level."""
        return {"deviation": self.share * noise_deviation(noisy, self.level)}

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``z`` of the images' shape."""
        noisy = batch["noisy"]
        return {"z": torch.randn(noisy.shape, generator=generator, device=noisy.device)}

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:  # noqa: ARG002
        """Return the only term."""
        noisy, noise = batch["noisy"], batch["deviation"] * draws["z"]
        return {"recorrupted": mse(denoise(noisy + self.amount * noise), noisy - noise / self.amount)}


class Recorrupted(SingleStage, source=SOURCE):
    """Recorruption on one picture whose noise level nobody tells: Poisson noise is made Gaussian before.

    Where the picture shows that its noise is not what recorruption needs, it warns, and another loss and readout, which
    need no level, take over.

    Args:
        network: ``SmallCNN(width=32, depth=5)`` unless given.
        loss: ``RecorruptedLoss()`` on turned crops unless given.
        fallback: the other loss, ZS-N2M's first one on crops unless given.
        fallback_readout: ``CappedRemoval()`` unless given.
        optimizer: Muon unless given.
        scheduler: ``WarmDown()`` unless given.
        readout: ``NonLocalRidge()`` unless given.
        domain: ``Stabilized()`` unless given.

    Example:
        >>> sum(p.numel() for p in Recorrupted().parameters())
        28739
    """

    defaults = MethodDefaults(
        functools.partial(SmallCNN, width=32, depth=5),
        lambda: OnCrops(RecorruptedLoss(), size=48, count=4, turned=True),
        Muon,
        WarmDown,
        NonLocalRidge,
        Stabilized,
    )
    trusted: Tensor

    def __init__(
        self,
        network: Network | None = None,
        loss: DenoisingLoss | None = None,
        fallback: DenoisingLoss | None = None,
        fallback_readout: Readout | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
        domain: Domain | None = None,
    ) -> None:
        super().__init__(network, loss, optimizer, scheduler, readout, domain)
        self.fallback = fallback or OnCrops(ZSN2MLoss(), size=48, count=4)
        self.fallback_readout = fallback_readout or CappedRemoval()
        self.register_buffer("trusted", torch.tensor(True))

    def stages(self) -> list[Stage]:
        """Return the only stage, with the loss that suits the noise."""
        return [Stage(self.network, self.loss if self.trusted else self.fallback)]

    def active_readout(self) -> Readout:
        """Return the readout that suits the noise."""
        return self.readout if self.trusted else self.fallback_readout

    def enter_stage(self, index: int, noisy: Tensor, inside: Tensor) -> None:  # noqa: ARG002
        """Look whether the noise is what recorruption needs."""
        pairs = zip(torch.split(noisy, 1), torch.split(inside, 1), strict=True)
        broken = [reason for pair in pairs for reason in broken_assumptions(*pair)]
        if self.trusted == bool(broken):
            self.trusted.fill_(not broken)
            self.forget()
        if broken:
            self.warn_assumption(
                f"{broken[0]}, which recorruption does not bear: a loss that needs no level takes over"
            )
