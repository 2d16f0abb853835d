"""The optimizer and the schedules that most methods begin with."""

import math
from collections.abc import Iterable
from typing import Any

from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, StepLR

from torchdenoise.errors import UserError

STEPS = "steps"
"""In the defaults of an optimizer, for schedules: how many steps its stage has."""


def adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Adam with rate 1e-3 and otherwise PyTorch's defaults."""
    return Adam(parameters, lr=1e-3)


def step_decay(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that halves the rate every 1000 steps."""
    return StepLR(optimizer, 1000, 0.5)


def constant_rate(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that leaves the rate as it is."""
    return ConstantLR(optimizer, factor=1.0)


class RampDown(LambdaLR):
    """Noise2Noise's schedule: the full rate, then down to zero over the last ``share`` of ``steps``.

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
        """Return the factor of the rate at a step."""
        begin = self.steps * (1 - self.share)
        if step <= begin:
            return 1.0
        t = min(1.0, (step - begin) / (self.steps - begin))
        return float((0.5 + math.cos(math.pi * t) / 2) ** 2)


class WarmDown(LambdaLR):
    """Up to the full rate over the first ``warm`` of the steps, while it falls in a line to zero at the last one.

    Args:
        optimizer: of the stage.
        steps: of the whole schedule; as many as the fit has unless given.
        warm: share of the steps that warm up.

    Raises:
        UserError: steps below 1, or a share outside 0..1; the number of steps is not known.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> [round(WarmDown(optimizer, 20).factor(step), 2) for step in (0, 1, 2, 10, 20)]
        [0.5, 1.0, 0.9, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int | None = None, warm: float = 0.1) -> None:
        steps = optimizer.defaults.get(STEPS) if steps is None else steps
        if steps is None or steps < 1 or not 0 <= warm <= 1:
            raise UserError(f"WarmDown: steps {steps} must be at least 1 and warm {warm} between 0 and 1")
        self.steps = steps
        self.warm = warm
        super().__init__(optimizer, self.factor)

    def factor(self, step: int) -> float:
        """Return the factor of the rate at a step."""
        if step + 1 <= self.warm * self.steps:
            return (step + 1) / (self.warm * self.steps)
        return max(0.0, 1 - step / self.steps)
