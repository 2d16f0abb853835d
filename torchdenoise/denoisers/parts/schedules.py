"""The optimizer and the schedules that most methods use."""

import math
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, StepLR
from typing_extensions import override

from torchdenoise.errors import UserError


@runtime_checkable
class NeedsSteps(Protocol):
    """A schedule that depends on the length of the fit."""

    def set_steps(self, steps: int) -> None:
        """Take the number of steps of the fit, or of the stage; called once, before the first step."""


def adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Adam with learning rate 1e-3 and otherwise PyTorch's defaults."""
    return Adam(parameters, lr=1e-3)


def step_decay(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that halves the learning rate every 1000 steps."""
    return StepLR(optimizer, 1000, 0.5)


def constant_rate(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that leaves the learning rate unchanged."""
    return ConstantLR(optimizer, factor=1.0)


class RampDown(LambdaLR):
    """Noise2Noise's schedule: the full learning rate, then down to zero over the last ``share`` of ``steps``.

    The factor of the ramp is ``(1/2 + cos(pi t)/2)^2`` for t from 0 to 1 (Lehtinen et al., ICML 2018, their code).

    Raises:
        UserError: steps below 1, or a share outside 0..1.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> [round(RampDown(optimizer, 10, 0.5).factor(step), 3) for step in (0, 5, 8, 10)]
        [1.0, 1.0, 0.119, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int = 500_000, share: float = 0.5) -> None:
        if steps < 1 or not 0 <= share <= 1:
            raise UserError(f"RampDown: steps {steps} must be at least 1 and share {share} between 0 and 1")
        self.steps = steps
        self.share = share
        super().__init__(optimizer, self.factor)

    def factor(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        begin = self.steps * (1 - self.share)
        if step <= begin:
            return 1.0
        t = min(1.0, (step - begin) / (self.steps - begin))
        return float((0.5 + math.cos(math.pi * t) / 2) ** 2)


class WarmDown(LambdaLR):
    """A linear decay to zero over ``steps``, with a linear warm-up over the first ``warm`` of them.

    A resumed fit takes the rates of its own length, which may differ from that of the stopped one.

    Args:
        optimizer: of the stage.
        steps: length of the schedule; that of the fit by default, which ``set_steps`` sets.
        warm: share of the steps that warm up.

    Raises:
        UserError: steps below 1, or a share outside 0..1; on the first step, if the number of steps is unknown.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> [round(WarmDown(optimizer, 20).factor(step), 2) for step in (0, 1, 2, 10, 20)]
        [0.5, 1.0, 0.9, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int | None = None, warm: float = 0.1) -> None:
        self.steps = steps
        self.warm = warm
        self._check()
        super().__init__(optimizer, self.factor)

    def set_steps(self, steps: int) -> None:
        """Use the length of the fit if the constructor got none."""
        if self.steps is None:
            self.steps = steps
            self._check()
            self._set_rates()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, over the steps of this schedule; those of the state count if it has none of its own."""
        super().load_state_dict({**state_dict, "steps": self.steps or state_dict["steps"]})
        self._set_rates()

    def factor(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        if self.steps is None:
            if step > 0:
                raise UserError("WarmDown: the number of steps is unknown: give steps=, or call set_steps")
            return 1.0  # the constructor asks for step 0 before set_steps can be called
        if step + 1 <= self.warm * self.steps:
            return (step + 1) / (self.warm * self.steps)
        return max(0.0, 1 - step / self.steps)

    def _set_rates(self) -> None:
        self._last_lr = [rate * self.factor(self.last_epoch) for rate in self.base_lrs]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def _check(self) -> None:
        if (self.steps is not None and self.steps < 1) or not 0 <= self.warm <= 1:
            raise UserError(f"WarmDown: steps {self.steps} must be at least 1 and warm {self.warm} between 0 and 1")
