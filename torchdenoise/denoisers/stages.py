"""Stages: the phases of a fit, their steps, and one optimizer for all of them."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau
from typing_extensions import override

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.schedules import NeedsSteps
from torchdenoise.errors import RecipeError, UserError
from torchdenoise.user_code import find_error

Made = TypeVar("Made")
OptimizerFactory = Callable[[Iterable[Any]], Optimizer]
"""Creates an optimizer from named parameters, or from groups of them."""
SchedulerFactory = Callable[[Optimizer], LRScheduler]
"""Creates a schedule, which advances every step, for an optimizer."""


@dataclass(frozen=True)
class Stage:
    """A phase of a fit: the network that it trains, the loss, and the share of the steps.

    A stage without an optimizer or schedule uses the method's. One that ``needs`` only so many steps takes no more, and
    the fit ends the sooner.
    """

    network: Network
    loss: DenoisingLoss
    share: float = 1.0
    optimizer: OptimizerFactory | None = None
    scheduler: SchedulerFactory | None = None
    needs: int | None = None


@dataclass(frozen=True)
class Plan:
    """The steps of each stage: those of stage i run from ``bounds[i]`` up to ``bounds[i + 1]``.

    Example:
        >>> plan = Plan((0, 6, 8))
        >>> plan.index(5), plan.index(6), plan.index(99), plan.progress(7)
        (0, 1, 1, 0.5)
    """

    bounds: tuple[int, ...]

    @classmethod
    def of(cls, stages: Sequence[Stage], steps: float) -> "Plan":
        """Return the plan of a fit of at most ``steps``, split by the stages' shares.

        Raises:
            UserError: the number of steps is not known.
        """
        if not 0 < steps < float("inf"):
            raise UserError("the number of steps is not known: give the Trainer max_steps (trainer.max_steps=2000)")
        shares = list(itertools.accumulate(stage.share for stage in stages))
        ends = (0, *(round(int(steps) * share / shares[-1]) for share in shares))
        lengths = [end - begin for begin, end in itertools.pairwise(ends)]
        limited = [
            length if stage.needs is None else min(length, stage.needs)
            for stage, length in zip(stages, lengths, strict=True)
        ]
        return cls((0, *itertools.accumulate(limited)))

    @property
    def steps(self) -> int:
        """The steps of the whole fit."""
        return self.bounds[-1]

    def index(self, step: int) -> int:
        """Return the stage of a step; the last one for later steps."""
        return next((i for i, end in enumerate(self.bounds[1:]) if step < end), self.last)

    def progress(self, step: int) -> float:
        """Return the progress of a step within its stage, from 0 to 1."""
        begin, end = self.bounds[self.index(step) :][:2]
        return (step - begin) / max(1, end - begin)

    @property
    def last(self) -> int:
        """The number of the last stage."""
        return len(self.bounds) - 2


def one_optimizer(
    stages: Sequence[Stage],
    parameters: Sequence[Iterable[tuple[str, Parameter]]],
    plan: Plan,
    optimizer: OptimizerFactory,
    scheduler: SchedulerFactory,
) -> dict[str, Any]:
    """Return Lightning's description of one optimizer, with a parameter group for each stage, and of its schedule.

    Networks without gradient stay unchanged. The schedule of a single stage is used directly; of several, each starts
    with its stage.

    Args:
        stages: of the fit.
        parameters: the named parameters that each stage trains.
        plan: the steps of each stage.
        optimizer: of stages that have none.
        scheduler: of stages that have none.

    Raises:
        UserError: ``ReduceLROnPlateau`` for several stages.
        RecipeError: an optimizer or a schedule refuses its arguments.
    """
    made = [_called(stage.optimizer or optimizer, list(named)) for stage, named in zip(stages, parameters, strict=True)]
    if len(stages) == 1:
        (stage,), (only,), (begin, end) = stages, made, plan.bounds
        return {"optimizer": only, "lr_scheduler": _described(_made(stage.scheduler or scheduler, only, end - begin))}
    factors = [
        _factors(stage.scheduler or scheduler, *bounds)
        for stage, bounds in zip(stages, itertools.pairwise(plan.bounds), strict=True)
    ]
    chain = Chain(made)
    return {"optimizer": chain, "lr_scheduler": _described(LambdaLR(chain, factors))}


class Chain(Optimizer):
    """Several optimizers as one, so that stages can have different ones."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for each in self.optimizers for group in each.param_groups]

    @override
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step with each, and return the result of ``closure``."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for each in self.optimizers:
            each.step()
        return loss

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state of each."""
        return {"chain": [each.state_dict() for each in self.optimizers]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of each, which replaces its parameter groups."""
        for each, state in zip(self.optimizers, state_dict["chain"], strict=True):
            each.load_state_dict(state)
        self.param_groups = self._groups()


def restart_optimizer(optimizer: Optimizer, learning_rate: float) -> None:
    """Clear the state of an optimizer, and set its learning rate, which a schedule may change again.

    Example:
        >>> optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> restart_optimizer(optimizer, 0.5)
        >>> optimizer.param_groups[0]["lr"]
        0.5
    """
    optimizer.state.clear()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def class_names(optimizers_and_schedules: Iterable[Any]) -> list[str]:
    """Return the class names of optimizers and schedules; for a chain, those of its optimizers.

    Example:
        >>> class_names([Chain([SGD([torch.zeros(1, requires_grad=True)], lr=1.0)])])
        ['SGD']
    """
    single = [
        part for each in optimizers_and_schedules for part in (each.optimizers if isinstance(each, Chain) else [each])
    ]
    return [type(each).__name__ for each in single]


def _called(make: Callable[[Any], Made], argument: Any) -> Made:
    """Return what a factory makes; arguments that it refuses are the recipe's mistake, unless it is the user's code."""
    try:
        return make(argument)
    except (TypeError, ValueError) as error:
        if isinstance(error, UserError) or find_error(error) is not None:
            raise
        raise RecipeError(f"the optimizer or its schedule cannot be made: {' '.join(str(error).split())}") from error


def _made(make: SchedulerFactory, optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return a schedule that knows its number of steps, if it needs that."""
    scheduler = _called(make, optimizer)
    if isinstance(scheduler, NeedsSteps):
        scheduler.set_steps(steps)
    return scheduler


def _factors(make: SchedulerFactory, begin: int, end: int) -> Callable[[int], float]:
    """Return a schedule for one stage as a function of the step of the whole fit."""
    probe = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = _made(make, probe, max(1, end - begin))  # with fewer steps than stages, some have none
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
