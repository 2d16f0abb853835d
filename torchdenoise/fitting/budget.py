"""The number of steps that fits a time budget on this machine."""

import itertools
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import fmean, median_low
from typing import Any, Generic, Protocol, TypeVar

from lightning import Callback
from torch import Size, Tensor
from typing_extensions import override

from torchdenoise.errors import AssumptionWarning

Result = TypeVar("Result", covariant=True)
Progress = Callable[[int, int], None]
"""Called with (finished steps, all steps) after every step."""

TRIAL_STEPS = 12
WARM_UP_SIDE = 64
"""Side of the crop for the very first step, in pixels."""
_logger = logging.getLogger(__name__)


class TimedFit(Protocol[Result]):
    """A fit of a given number of steps."""

    def __call__(
        self,
        image: Tensor,
        steps: int,
        progress: Progress | None,
        callbacks: Sequence[Callback] = (),
        neighbours: Sequence[Tensor] = (),
    ) -> Result:
        """Return the result of a fit to a noisy image."""


class Budget(Generic[Result]):
    """Chooses the number of steps by a short trial for each image size; the choice depends on the clock.

    Args:
        seconds: per image, without the trial.
        fit: of a given number of steps.
        on_message: called with a line about the choice; logs it.

    Example:
        >>> def fit(image, steps, progress, callbacks=(), neighbours=()):
        ...     for _ in range(steps):
        ...         time.sleep(0.01)
        ...         for timer in callbacks:
        ...             timer.add(0, time.perf_counter())
        ...     return image
        >>> 30 < Budget(0.5, fit).steps(torch.zeros(1, 1, 8, 8)) <= 50
        True
    """

    def __init__(self, seconds: float, fit: TimedFit[Result], on_message: Callable[[str], None] = _logger.info) -> None:
        self.seconds = seconds
        self._fit = fit
        self._on_message = on_message
        self._steps: dict[Size, int] = {}

    def fit(self, image: Tensor, progress: Progress | None = None, neighbours: Sequence[Tensor] = ()) -> Result:
        """Return the result of a fit to an image in as many steps as the budget allows."""
        return self._fit(image, self.steps(image, neighbours), progress, (), neighbours)

    def steps(self, image: Tensor, neighbours: Sequence[Tensor] = ()) -> int:
        """Return the number of steps, at least 1, for images of this size, and say it."""
        if image.shape not in self._steps:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AssumptionWarning)  # the fit itself will warn
                self._steps[image.shape] = self._measure(image, neighbours)
        steps = self._steps[image.shape]
        self._on_message(f"{steps} steps, chosen for a budget of {self.seconds:g} s on this machine")
        return steps

    def _measure(self, image: Tensor, neighbours: Sequence[Tensor]) -> int:
        self._fit(image[..., :WARM_UP_SIDE, :WARM_UP_SIDE], 1, None)  # imports and kernels are slow the first time
        timer = StepTimer()
        begin = time.perf_counter()
        self._fit(image, TRIAL_STEPS, None, (timer,), neighbours)
        took = time.perf_counter() - begin
        step = timer.step()
        return max(1, int((self.seconds - (took - TRIAL_STEPS * step)) / step))


class StepTimer(Callback):
    """Measures the time of a step in a fit of one or several stages.

    The first step of a stage is left out: it includes what happens once in a stage, such as reading the result of the
    stage before. Of the others the (lower) median is taken, because some steps are slow by chance.

    Example:
        >>> timer = StepTimer()
        >>> timer.begin(0.0)
        >>> for stage, end in ((0, 9.0), (0, 9.1), (0, 9.2), (1, 12.0), (1, 12.3), (1, 12.6)):
        ...     timer.add(stage, end)
        >>> round(timer.step(), 3)
        0.2
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._ends: dict[int, list[float]] = {}
        self._last_step = 0

    @override
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Note the time."""
        self.begin(time.perf_counter())

    @override
    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Note the time, unless more batches belong to the same step."""
        if trainer.global_step > self._last_step:
            self._last_step = trainer.global_step
            self.add(pl_module.plan.index(trainer.global_step - 1), time.perf_counter())

    def begin(self, time: float) -> None:
        """Note when the fit began, in seconds."""
        self._began = time

    def add(self, stage: int, end: float) -> None:
        """Note when a step ended, in seconds, and the number of its stage."""
        self._ends.setdefault(stage, []).append(end)

    def step(self) -> float:
        """Return the seconds of a step: the mean of the stages, weighted with their numbers of steps."""
        several = [ends for ends in self._ends.values() if len(ends) > 1]
        if not several:
            everything = [end for ends in self._ends.values() for end in ends]
            return (max(everything) - self._began) / len(everything)
        typical = [median_low(after - before for before, after in itertools.pairwise(ends)) for ends in several]
        return fmean(typical, [len(ends) for ends in several])
