"""Stages: the phases of a fit, which steps belong to which, and one optimizer for all of them."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.schedules import STEPS
from torchdenoise.errors import UserError

OptimizerFactory = Callable[[Iterable[Any]], Optimizer]
"""Makes an optimizer from named parameters, or from groups of them."""
SchedulerFactory = Callable[[Optimizer], LRScheduler]
"""Makes a schedule, advanced every step, from an optimizer."""


@dataclass(frozen=True)
class Stage:
    """A phase of a fit: which network learns, by which loss, for which share of the steps.

    The method's optimizer and schedule serve all stages that bring none of their own.
    """

    network: Network
    loss: DenoisingLoss
    share: float = 1.0
    optimizer: OptimizerFactory | None = None
    scheduler: SchedulerFactory | None = None


@dataclass(frozen=True)
class Plan:
    """Which steps of a fit belong to which stage: stage i has the steps from ``bounds[i]`` to ``bounds[i + 1]``.

    Example:
        >>> plan = Plan((0, 6, 8))
        >>> plan.index(5), plan.index(6), plan.index(99), plan.progress(7)
        (0, 1, 1, 0.5)
    """

    bounds: tuple[int, ...]

    @classmethod
    def of(cls, stages: Sequence[Stage], steps: float) -> "Plan":
        """Return the plan of so many steps, split by the stages' shares.

        Raises:
            UserError: the number of steps is not known.
        """
        if not 0 < steps < float("inf"):
            raise UserError("the number of steps is not known: give the Trainer max_steps (trainer.max_steps=2000)")
        shares = list(itertools.accumulate(stage.share for stage in stages))
        return cls((0, *(round(int(steps) * share / shares[-1]) for share in shares)))

    def index(self, step: int) -> int:
        """Return the stage that a step belongs to, the last one for steps beyond."""
        return next((i for i, end in enumerate(self.bounds[1:]) if step < end), self.last)

    def progress(self, step: int) -> float:
        """Return how far the stage of a step has come, from 0 to 1."""
        begin, end = self.bounds[self.index(step) :][:2]
        return (step - begin) / max(1, end - begin)

    @property
    def last(self) -> int:
        """The number of the last stage."""
        return len(self.bounds) - 2


def one_optimizer(
    stages: Sequence[Stage], plan: Plan, optimizer: OptimizerFactory, scheduler: SchedulerFactory
) -> dict[str, Any]:
    """Return Lightning's description of one optimizer, with a parameter group for each stage, and of its schedule.

    A stage whose network gets no gradient stays as it is. The schedule of a single stage is handed on unchanged; of
    several, each begins anew with its stage.

    Raises:
        UserError: ``ReduceLROnPlateau`` for several stages.
    """
    made = [(stage.optimizer or optimizer)(list(stage.network.named_parameters())) for stage in stages]
    for each, (begin, end) in zip(made, itertools.pairwise(plan.bounds), strict=True):
        each.defaults[STEPS] = end - begin
    if len(stages) == 1:
        return {"optimizer": made[0], "lr_scheduler": _described((stages[0].scheduler or scheduler)(made[0]))}
    factors = [
        _factors(stage.scheduler or scheduler, *bounds)
        for stage, bounds in zip(stages, itertools.pairwise(plan.bounds), strict=True)
    ]
    chain = Chain(made)
    return {"optimizer": chain, "lr_scheduler": _described(LambdaLR(chain, factors))}


class Chain(Optimizer):
    """Several optimizers as one, each with its own parameters, so that stages may have different ones."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for each in self.optimizers for group in each.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step with each, and return what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for each in self.optimizers:
            each.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each."""
        return {"chain": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a state; the groups of each are new objects afterwards."""
        for each, state in zip(self.optimizers, state_dict["chain"], strict=True):
            each.load_state_dict(state)
        self.param_groups = self._groups()


def class_names(movers: Sequence[Any]) -> list[str]:
    """Return the class names of optimizers and schedules, of a chain those that it is made of.

    Example:
        >>> class_names([Chain([SGD([torch.zeros(1, requires_grad=True)], lr=1.0)])])
        ['SGD']
    """
    single = [each for mover in movers for each in (mover.optimizers if isinstance(mover, Chain) else [mover])]
    return [type(each).__name__ for each in single]


def _factors(make: SchedulerFactory, begin: int, end: int) -> Callable[[int], float]:
    """Return a schedule for one stage as a function of the step of the whole fit."""
    probe = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    probe.defaults[STEPS] = end - begin
    scheduler = make(probe)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise UserError("ReduceLROnPlateau cannot drive a method of several stages: choose another schedule")
    table = []
    for _ in range(max(1, end - begin)):
        table.append(probe.param_groups[0]["lr"])
        probe.step()
        scheduler.step()
    return lambda step: table[min(max(step - begin, 0), len(table) - 1)]


def _described(scheduler: LRScheduler) -> dict[str, Any]:
    if isinstance(scheduler, ReduceLROnPlateau):
        return {"scheduler": scheduler, "interval": "epoch", "monitor": "val_loss"}
    return {"scheduler": scheduler, "interval": "step"}
