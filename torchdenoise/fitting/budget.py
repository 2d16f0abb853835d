"""The number of steps that fits a time budget on this machine."""

import time
import warnings
from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Size, Tensor

from torchdenoise.errors import AssumptionWarning

Fit = TypeVar("Fit")
Progress = Callable[[int, int], None]
"""Called with (finished steps, all steps) after every step."""

TRIAL_STEPS = 12
WARM_UP_STEPS = 4
"""The first steps of the trial, which are not timed."""
WARM_UP_SIDE = 64
"""Side of the crop for the very first step, in pixels."""


class Budget(Generic[Fit]):
    """Chooses the number of steps by a short trial for each image size; the choice depends on the clock.

    Args:
        seconds: per image, without the trial.
        fit: called with (noisy image, steps, progress); returns the result of a fit of that many steps.
        on_message: called with a line about the choice.

    Example:
        >>> def fit(image, steps, progress):
        ...     for step in range(steps):
        ...         time.sleep(0.01)
        ...         if progress:
        ...             progress(step + 1, steps)
        ...     return image
        >>> 30 < Budget(0.5, fit).steps(torch.zeros(1, 1, 8, 8)) <= 50
        True
    """

    def __init__(
        self,
        seconds: float,
        fit: Callable[[Tensor, int, Progress | None], Fit],
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        self.seconds = seconds
        self._fit = fit
        self._on_message = on_message
        self._steps: dict[Size, int] = {}

    def fit(self, image: Tensor, progress: Progress | None = None) -> Fit:
        """Return the result of a fit to an image in as many steps as the budget allows."""
        steps = self.steps(image)
        if self._on_message is not None:
            self._on_message(f"{steps} steps, chosen for a budget of {self.seconds:g} s on this machine")
        return self._fit(image, steps, progress)

    def steps(self, image: Tensor) -> int:
        """Return the number of steps, at least 1, for images of this size."""
        if image.shape not in self._steps:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AssumptionWarning)  # the fit itself will warn
                self._steps[image.shape] = self._measure(image)
        return self._steps[image.shape]

    def _measure(self, image: Tensor) -> int:
        self._fit(image[..., :WARM_UP_SIDE, :WARM_UP_SIDE], 1, None)  # imports and kernels are slow the first time
        times: list[float] = []
        begin = time.perf_counter()
        self._fit(image, TRIAL_STEPS, lambda *_: times.append(time.perf_counter()))
        step = (times[-1] - times[WARM_UP_STEPS - 1]) / (TRIAL_STEPS - WARM_UP_STEPS)
        overhead = time.perf_counter() - begin - TRIAL_STEPS * step
        return max(1, int((self.seconds - overhead) / step))
