"""The parts that a method brings of its own where none are given, and the optimizer and schedule most begin with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, StepLR

from torchdenoise.denoisers.domains import AsIs, Domain
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.readouts import OnePass, Readout
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory


def adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Adam with rate 1e-3 and otherwise PyTorch's defaults."""
    return Adam(parameters, lr=1e-3)


def halved_every_1000(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that halves the rate every 1000 steps."""
    return StepLR(optimizer, 1000, 0.5)


def steady(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that leaves the rate as it is."""
    return ConstantLR(optimizer, factor=1.0)


@dataclass(frozen=True)
class OwnParts:
    """Classes or functions that make a method's parts, called for each object anew."""

    network: Callable[[], Network] | None = None
    loss: Callable[[], DenoisingLoss] | None = None
    optimizer: OptimizerFactory = adam
    scheduler: SchedulerFactory = halved_every_1000
    readout: Callable[[], Readout] = OnePass
    domain: Callable[[], Domain] = AsIs
