"""Recorrupted-to-Recorrupted: Pang, Zheng, Quan and Ji, CVPR 2021."""

import copy
import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.context import PictureContext, plain_tensors
from torchdenoise.denoisers.methods.zsn2m import ZSN2MLoss
from torchdenoise.denoisers.multi_scale import MultiScale
from torchdenoise.denoisers.networks import Network, SmallCNN
from torchdenoise.denoisers.parts.capped_removal import CappedRemoval
from torchdenoise.denoisers.parts.crops import OnCrops, turned
from torchdenoise.denoisers.parts.domains import Domain, Stabilized
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.muon import Muon
from torchdenoise.denoisers.parts.noise_aware import NoiseAware
from torchdenoise.denoisers.parts.nonlocal_ridge import NonLocalRidge
from torchdenoise.denoisers.parts.pyramid import number_of_scales
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.parts.schedules import WarmDown
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.errors import UserError
from torchdenoise.noise import Profiles
from torchdenoise.noise.assumptions import Assumption
from torchdenoise.noise.covariance import filtered
from torchdenoise.protocols import DataDescription

SOURCE = "Pang et al., Recorrupted-to-Recorrupted, CVPR 2021"


class RecorruptedLoss(NoiseAware, DenoisingLoss, source=SOURCE):
    """Adds noise to the input and subtracts a matching part from the target, at full resolution.

    With fresh Gaussian noise ``z`` of the noise's covariance, input ``y + amount z`` and target ``y - z / amount`` have
    uncorrelated noise, so that predicting the target from the input is learning to predict the clean image. The noise
    must be Gaussian, and its level and covariance known.

    Args:
        amount: of added noise; more makes the target better and the input worse.
        level: standard deviation of white noise on the 0-255 scale; by default the noise profile of each image is used.
        share: of the level of white noise to assume; slightly less than 1 works best (``docs/results/speed.md``).

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

    @property
    @override
    def uses_noise(self) -> bool:
        """Whether the level is not given."""
        return self.level is None

    @override
    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return the deviation of the noise in units of the white level, and the filter that correlates it.

        ``deviation`` is ``(B, 1, 1, 1)``, or ``(B, C, H, W)`` where the level varies. ``kernel``, only for correlated
        noise, is ``(B, C, C, k, k)``.
        """
        if self.level is not None:
            return {"deviation": noisy.new_full((len(noisy), 1, 1, 1), self.level / 255) * self.share}
        profiles = self.noise_of(noisy)
        deviations = [
            profile.deviation(image) * (1 if profile.correlated else self.share)
            for profile, image in zip(profiles, torch.split(noisy, 1), strict=True)
        ]
        if any(each.numel() > 1 for each in deviations):
            deviations = [each.expand(1, *noisy.shape[1:]) for each in deviations]
        found = {"deviation": torch.cat(deviations)}
        if any(profile.correlated for profile in profiles):
            channels = noisy.shape[1]
            found["kernel"] = torch.stack([profile.kernel(channels) for profile in profiles]).to(noisy)
        return found

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``z``, Gaussian noise of standard deviation 1, of the images' shape and covariance."""
        noisy = batch["noisy"]
        if "kernel" not in batch:
            return {"z": torch.randn(noisy.shape, generator=generator, device=noisy.device)}
        lost = batch["kernel"].shape[-1] - 1
        number, channels, height, width = noisy.shape
        size = (number, channels, height + lost, width + lost)
        z = filtered(torch.randn(size, generator=generator, device=noisy.device), batch["kernel"])
        return {"z": turned(z, batch["turn"]) if "turn" in batch else z}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy, noise = batch["noisy"], batch["deviation"] * draws["z"]
        return {"recorrupted": mse(denoise(noisy + self.amount * noise), noisy - noise / self.amount)}


class Recorrupted(MultiScale, SingleStage, source=SOURCE):
    """Recorruption of a single image whose noise is measured; Poisson noise is made Gaussian first.

    Correlated noise is removed from coarse to fine (``Pyramid``), with a network for each scale; they share the steps.
    If the noise cannot be measured, it warns and falls back to a loss and a readout that need no noise level. The
    defaults are those of recipe ``fast``.

    Args:
        network: ``SmallCNN(width=32, depth=5)`` by default.
        loss: ``RecorruptedLoss(share=0.93)`` on turned crops by default.
        fallback: the loss to fall back to; ZS-N2M's first one on crops by default.
        fallback_readout: ``CappedRemoval()`` by default.
        optimizer: Muon by default.
        scheduler: ``WarmDown()`` by default.
        readout: ``NonLocalRidge(rounds=2)`` by default.
        domain: ``Stabilized()`` by default.
        scales: for correlated noise, at most.
        correlated_steps: that each scale takes at most if the noise is correlated; a longer fit learns the noise. None
            leaves it to the Trainer.
        correlated_network: of each scale if the noise is correlated; ``network`` by default.

    Raises:
        UserError: ``scales`` or ``correlated_steps`` below 1.

    Example:
        >>> sum(p.numel() for p in Recorrupted().parameters())
        28739
    """

    assumes = (Assumption.MEASURED,)
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
        scales: int = 3,
        correlated_steps: int | None = None,
        correlated_network: Network | None = None,
    ) -> None:
        super().__init__(network, loss, optimizer, scheduler, readout, domain)
        for name, value in (("scales", scales), ("correlated_steps", correlated_steps)):
            if value is not None and value < 1:
                raise UserError(f"Recorrupted: {name} {value} must be at least 1")
        self.fallback = fallback or OnCrops(ZSN2MLoss(), size=48, count=4)
        self.fallback_readout = fallback_readout or CappedRemoval()
        self.scales = scales
        self.correlated_steps = correlated_steps
        self.correlated_network = correlated_network
        self._needs: int | None = None
        self.coarse = nn.ModuleList()
        """The networks of the coarser scales, from the coarsest; none unless the fitted image has correlated noise.

        With a network of its own for correlated noise, that of the finest scale is the last of them.
        """
        self.register_buffer("trusted", torch.tensor(True))

    @override
    def stages(self) -> list[Stage]:
        """Return a stage for each scale, from coarse to fine, with the loss that fits the noise."""
        loss = self.loss if self.trusted else self.fallback
        return [Stage(network, loss, needs=self._needs) for network in self._networks()]

    @override
    def active_readout(self) -> Readout:
        """Return the readout that fits the noise."""
        return self.readout if self.trusted else self.fallback_readout

    @property
    @override
    def reads_in_fit(self) -> bool:
        """Whether coarser scales may be read in the fit."""
        return self.scales > 1

    @override
    def match_data(self, description: DataDescription) -> None:
        """Adapt to the data; for a single image, choose the number of scales by its noise."""
        super().match_data(description)
        if description.image is not None:
            profile = self.context(description.image).profiles[0]
            self._needs = self.correlated_steps if profile.correlated else None
            most = self.scales if profile.coarse_to_fine else 1
            number = number_of_scales(description.height, description.width, most)
            copies = number - (self.correlated_network is None) if number > 1 else 0
            if len(self.coarse) != copies:
                self.coarse = self._copies(copies)

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the weights of as many scales as the checkpoint has."""
        number = len({name.split(".")[1] for name in state_dict if name.startswith("coarse.")})
        if number != len(self.coarse):
            self.coarse = self._copies(number)
        self.clear_cache()
        return super().load_state_dict(state_dict, strict, assign)

    @override
    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Check the assumptions of recorruption."""
        broken = [profile.unusable for profile in self.context(noisy).profiles if profile.unusable]
        if self.trusted == bool(broken):
            self.trusted.fill_(not broken)
            self.clear_cache()
        if broken and index == 0:
            self.warn_assumption(
                f"{broken[0]}, so recorruption does not apply; falling back to a loss that needs no noise level"
            )

    @override
    def networks_for(self, context: PictureContext) -> list[Network]:
        """Return the networks of all scales if the noise is correlated; else that of the finest one."""
        several = len(self.coarse) > 0 and len(context.noisy) == 1 and context.profiles[0].correlated
        return self._networks() if several else self._networks()[-1:]

    @override
    def loss_batch(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return what the loss of a stage sees: the image at its scale."""
        context = self.context(batch["noisy"])
        if not self.has_scales(context):
            return super().loss_batch(batch, index)
        inputs = context.extra.setdefault("inputs", {})
        if index not in inputs:
            image, profile = self.level(context, index)
            with plain_tensors():
                loss = self.loss.with_noise(Profiles(1, lambda _: profile))
                inputs[index] = {"noisy": image, **loss.measure(image)}
        found: dict[str, Tensor] = inputs[index]
        return found

    def _networks(self) -> list[Network]:
        """Return the networks of all scales, from the coarsest."""
        made = [each for each in self.coarse if isinstance(each, Network)]
        return made if made and self.correlated_network is not None else [*made, self.network]

    def _copies(self, number: int) -> nn.ModuleList:
        return nn.ModuleList([copy.deepcopy(self.correlated_network or self.network) for _ in range(number)])
