"""The optimizer and the schedule that the zero-shot methods begin with."""

from collections.abc import Iterable
from typing import Any

from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR


def adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Adam with rate 1e-3 and otherwise PyTorch's defaults."""
    return Adam(parameters, lr=1e-3)


def halved_every_1000(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that halves the rate every 1000 steps."""
    return StepLR(optimizer, 1000, 0.5)
