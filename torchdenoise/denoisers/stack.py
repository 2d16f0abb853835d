"""Several pictures fitted at once, each by a network of its own, stacked."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.func import functional_call, vmap

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.recorder import Recorder
from torchdenoise.denoisers.stages import Plan, Stage, one_optimizer

Batch = dict[str, Tensor]


class Stack(LightningModule):
    """Denoisers of one recipe that learn in step, each from its own picture, as if each were alone.

    In a training step each denoiser prepares its picture and draws as it would alone. Then those with the same loss and
    batches of the same shape go through ``torch.func.vmap`` together, and their losses are added up, which leaves each
    its own gradient. One optimizer holds all parameters; it must treat every tensor by itself, as Adam and Muon do.

    Args:
        denoisers: of one recipe, one for each picture.

    Example:
        >>> len(list(Stack([ZSN2N(), ZSN2N()]).parameters()))
        12
    """

    def __init__(self, denoisers: Sequence[Denoiser]) -> None:
        super().__init__()
        self.denoisers = nn.ModuleList(denoisers)
        self.failed: dict[int, str] = {}
        """What went wrong with a picture, by its place; its network is then worth nothing."""
        self._plan = Plan((0,))

    def _all(self) -> list[Denoiser]:
        return [each for each in self.denoisers if isinstance(each, Denoiser)]

    def setup(self, stage: str) -> None:
        """Set up each denoiser as the Trainer would."""
        for denoiser in self._all():
            denoiser.trainer = self.trainer
            denoiser.setup(stage)

    def configure_optimizers(self) -> Any:
        """Return one optimizer with the parameters of all, and its schedule."""
        stages = [denoiser.stages() for denoiser in self._all()]
        together = [
            Stage(_Networks([stage.network for stage in same]), same[0].loss, *_own(same[0]))
            for same in zip(*stages, strict=True)
        ]
        self._plan = Plan.of(stages[0], self.trainer.estimated_stepping_batches)
        for denoiser in self._all():
            denoiser.use_plan(self._plan)
        first = self._all()[0]
        return one_optimizer(together, self._plan, first.optimizer, first.scheduler)

    def training_step(self, batch: Sequence[Batch], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return the sum of all losses of all pictures."""
        step = self.global_step
        groups: dict[str, list[_Member]] = {}
        for place, (denoiser, item) in enumerate(zip(self._all(), batch, strict=True)):
            stage, seen, draws = denoiser.prepare_step(item, self._plan, step)
            loss, narrow = stage.loss.without_sampling(seen, draws)
            shapes = {key: tuple(value.shape) for key, value in {**narrow, **draws}.items()}
            alike = f"{loss.recipe()} {shapes}"
            groups.setdefault(alike, []).append(_Member(place, stage.network, loss, narrow, draws))
        totals = [self._total(group, self._plan.progress(step)) for group in groups.values()]
        return torch.stack(totals).sum()

    def _total(self, group: "list[_Member]", progress: float) -> Tensor:
        loss, network = group[0].loss, group[0].network
        parameters = _stacked([dict(member.network.named_parameters()) for member in group])
        batch = _stacked([member.batch for member in group])
        draws = _stacked([member.draws for member in group])
        kind = batch["noisy"].device.type

        def terms(own: Batch, batch: Batch, draws: Batch) -> dict[str, Tensor]:
            denoise = Recorder(functools.partial(_called, network, own), kind)
            with torch.autocast(kind, enabled=False):
                return loss(denoise, batch, draws, progress)

        sums = torch.stack(list(vmap(terms)(parameters, batch, draws).values())).sum(0)
        finite = sums.isfinite()
        if not finite.all():
            for member, fine in zip(group, finite.tolist(), strict=True):
                if not fine:
                    self.failed.setdefault(member.place, f"the loss became NaN or infinite at step {self.global_step}")
        return sums.where(finite, 0.0).sum()

    def on_train_end(self) -> None:
        """Remember that there are results."""
        for denoiser in self._all():
            denoiser.on_train_end()

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the clean image of one picture; NaN where its fit failed."""
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


class _Networks(Network, source="what an optimizer is given"):
    """Several networks' parameters as one's; never called."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.channels = networks[0].channels
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        raise NotImplementedError


def _own(stage: Stage) -> tuple[Any, ...]:
    return stage.share, stage.optimizer, stage.scheduler


def _called(network: Network, own: Mapping[str, Tensor], image: Tensor, /, **extra: Tensor) -> Tensor:
    """Return what a network makes of an image with other parameters than its own."""
    parameters = {f"network.{name}": value for name, value in own.items()}
    result: Tensor = functional_call(_Padding(network), parameters, (image, extra))
    return result


class _Padding(nn.Module):
    """A network that takes images of any size, so that padding is part of what is called."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        """Return the denoised image."""
        return padded_call(self.network, image, extra)


def _stacked(each: Sequence[Mapping[str, Tensor]]) -> Batch:
    return {name: torch.stack([one[name] for one in each]) for name in each[0]}
