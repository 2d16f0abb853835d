"""Several images fitted at once, each by its own network, stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.evaluation import finiteness_due, not_finite, require_gradient
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.stages import Plan, one_optimizer
from torchdenoise.denoisers.steps import Compute, StackedStep, directly, stacked

Batch = dict[str, Tensor]


class Stack(LightningModule):
    """Denoisers of one recipe that are trained in step, each on its own image, with the same results as alone.

    In a training step each denoiser prepares its image and its draws as it would alone. Then those with the same loss
    and batches of the same shape go through ``torch.func.vmap`` together. The sum of their losses gives each its own
    gradient. One optimizer holds all parameters; it must treat every tensor separately, as Adam and Muon do.

    Args:
        denoisers: of one recipe, one for each image.

    Example:
        >>> len(list(Stack([ZSN2N(), ZSN2N()]).parameters()))
        12
    """

    def __init__(self, denoisers: Sequence[Denoiser]) -> None:
        super().__init__()
        self.denoisers = nn.ModuleList(denoisers)
        self.compute: Compute = directly
        """How the steps are computed."""
        self.failed: dict[int, str] = {}
        """What went wrong with an image, by its place; its network is worthless."""

    def _all(self) -> list[Denoiser]:
        return [each for each in self.denoisers if isinstance(each, Denoiser)]

    @property
    def plan(self) -> Plan:
        """The steps of each stage."""
        return self._all()[0].plan

    @override
    def setup(self, stage: str) -> None:
        """Set up each denoiser as the Trainer would."""
        for denoiser in self._all():
            denoiser.trainer = self.trainer
            denoiser.setup(stage)

    @override
    def configure_optimizers(self) -> Any:
        """Return one optimizer with the parameters of all, and its schedule."""
        first = self._all()[0]
        stages = first.stages()
        plan = Plan.of(stages, self.trainer.estimated_stepping_batches)
        for denoiser in self._all():
            denoiser.use_plan(plan)
        alike = zip(*(denoiser.stages() for denoiser in self._all()), strict=True)
        parameters = [nn.ModuleList([stage.network for stage in same]).named_parameters() for same in alike]
        return one_optimizer(stages, parameters, plan, first.optimizer, first.scheduler)

    @override
    def training_step(self, batch: Sequence[Batch], batch_idx: int) -> Tensor:
        """Return the sum of all losses of all images."""
        groups: dict[str, list[_Member]] = {}
        for place, (denoiser, item) in enumerate(zip(self._all(), batch, strict=True)):
            stage, seen, draws = denoiser.prepare_step(item, batch_idx)
            loss, narrow = stage.loss.without_sampling(seen, draws)
            shapes = {key: tuple(value.shape) for key, value in {**narrow, **draws}.items()}
            groups.setdefault(f"{loss.recipe()} {shapes}", []).append(
                _Member(place, stage.network, loss, narrow, draws)
            )
        progress = self.plan.progress(self.global_step)
        return torch.stack([self._total(group, progress) for group in groups.values()]).sum()

    def _total(self, group: "list[_Member]", progress: float) -> Tensor:
        loss = group[0].loss
        step = StackedStep(loss, [member.network for member in group])
        batch, draws = stacked([member.batch for member in group]), stacked([member.draws for member in group])
        terms, _ = self.compute(step, batch, draws, progress)
        sums = torch.stack(list(terms.values())).sum(0)
        require_gradient(loss, sums)
        finite = sums.isfinite()
        if finiteness_due(self.global_step, self.plan.steps, sums.device) and not finite.all():
            for member, fine in zip(group, finite.tolist(), strict=True):
                if not fine:
                    self.failed.setdefault(member.place, not_finite(self.global_step))
        return sums.where(finite, 0.0).sum()

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End a fit whose stages need fewer steps than the Trainer allows."""
        if self.plan.steps <= self.global_step < self.trainer.estimated_stepping_batches:
            self.trainer.should_stop = True

    @override
    def on_train_end(self) -> None:
        """Note that the networks are fitted."""
        for denoiser in self._all():
            denoiser.on_train_end()

    @override
    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the clean image of one noisy one; NaN if its fit failed."""
        if batch_idx in self.failed:
            return torch.full_like(batch["noisy"], torch.nan)
        return self._all()[batch_idx].predict_step(batch, 0)


def stacking_obstacle(denoiser: Denoiser) -> str:
    """Return why fits of a method cannot be stacked; an empty string if they can."""
    name = type(denoiser).__name__
    if not denoiser.stackable:
        return f"{name} is not made for stacking"
    if not denoiser.stages():
        return f"{name} fits nothing"
    if any(True for stage in denoiser.stages() for _ in stage.network.buffers()):
        return f"{name} has a network with running statistics"
    if denoiser.active_readout().needs_outputs:
        return f"{type(denoiser.active_readout()).__name__} accumulates outputs during the fit"
    return ""


@dataclass(frozen=True)
class _Member:
    """A denoiser's part in a step."""

    place: int
    network: Network
    loss: DenoisingLoss
    batch: Batch
    draws: Batch
