"""Recorrupted-to-Recorrupted: Pang, Zheng, Quan and Ji, CVPR 2021."""

import functools
from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from typing_extensions import override

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
    """Adds noise to the input and subtracts a matching part from the target, at full resolution.

    With fresh Gaussian noise ``z`` of the noise's level, input ``y + amount z`` and target ``y - z / amount`` have
    uncorrelated noise, so that predicting the target from the input is learning to predict the clean image. The noise
    must be Gaussian, independent from pixel to pixel, and of known level.

    Args:
        amount: of added noise; more makes the target better and the input worse.
        level: standard deviation of the noise on the 0-255 scale; estimated from each image by default.
        share: of the level to assume; slightly less than 1 works best (``docs/results/speed.md``).

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

    @override
    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return ``deviation (B, 1, 1, 1)``, the noise level of each image in units of the white level."""
        return {"deviation": self.share * noise_deviation(noisy, self.level)}

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``z``, standard Gaussian noise of the images' shape."""
        noisy = batch["noisy"]
        return {"z": torch.randn(noisy.shape, generator=generator, device=noisy.device)}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy, noise = batch["noisy"], batch["deviation"] * draws["z"]
        return {"recorrupted": mse(denoise(noisy + self.amount * noise), noisy - noise / self.amount)}


class Recorrupted(SingleStage, source=SOURCE):
    """Recorruption of a single image with unknown noise level; Poisson noise is made Gaussian first.

    If the noise violates the assumptions of recorruption, it warns and falls back to a loss and a readout that need no
    noise level. The defaults are those of recipe ``fast``.

    Args:
        network: ``SmallCNN(width=32, depth=5)`` by default.
        loss: ``RecorruptedLoss(share=0.93)`` on turned crops by default.
        fallback: the loss to fall back to; ZS-N2M's first one on crops by default.
        fallback_readout: ``CappedRemoval()`` by default.
        optimizer: Muon by default.
        scheduler: ``WarmDown()`` by default.
        readout: ``NonLocalRidge(rounds=2)`` by default.
        domain: ``Stabilized()`` by default.

    Example:
        >>> sum(p.numel() for p in Recorrupted().parameters())
        28739
    """

    defaults = MethodDefaults(
        network=functools.partial(SmallCNN, width=32, depth=5),
        loss=lambda: OnCrops(RecorruptedLoss(share=0.93), size=48, count=4, turned=True),
        optimizer=functools.partial(Muon, lr=0.02),
        scheduler=WarmDown,
        readout=functools.partial(NonLocalRidge, similar=64, window=25, rounds=2),
        domain=Stabilized,
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

    @override
    def stages(self) -> list[Stage]:
        """Return the only stage, with the loss that fits the noise."""
        return [Stage(self.network, self.loss if self.trusted else self.fallback)]

    @override
    def active_readout(self) -> Readout:
        """Return the readout that fits the noise."""
        return self.readout if self.trusted else self.fallback_readout

    @override
    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Check the assumptions of recorruption."""
        pairs = zip(torch.split(noisy, 1), torch.split(transformed, 1), strict=True)
        broken = [reason for pair in pairs for reason in broken_assumptions(*pair)]
        if self.trusted == bool(broken):
            self.trusted.fill_(not broken)
            self.clear_cache()
        if broken:
            self.warn_assumption(
                f"{broken[0]}, so recorruption does not apply; falling back to a loss that needs no noise level"
            )
