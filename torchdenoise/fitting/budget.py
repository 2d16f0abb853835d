"""A fit that takes about so many seconds, whatever the machine."""

import time
import warnings
from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Size, Tensor

from torchdenoise.errors import AssumptionWarning

Made = TypeVar("Made")
Progress = Callable[[int, int], None]
"""Told (steps done, steps in all) after every step."""

TRIAL = 12
"""Steps of the trial."""
WARM = 4
"""Of these, the first ones are not timed."""
CORNER = 64


class Budget(Generic[Made]):
    """Chooses the number of steps by a short trial for each size of pictures; what it chooses depends on the clock.

    Args:
        seconds: that a picture may take, the trial not counted.
        fit: makes a clean image of a noisy one in so many steps.
        told: hears in a line what was chosen.

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
        fit: Callable[[Tensor, int, Progress | None], Made],
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.seconds = seconds
        self._fit = fit
        self._told = told
        self._steps: dict[Size, int] = {}

    def fit(self, image: Tensor, progress: Progress | None = None) -> Made:
        """Return what the fit makes of an image, in as many steps as the budget allows."""
        steps = self.steps(image)
        if self._told is not None:
            self._told(f"{steps} steps, chosen for a budget of {self.seconds:g} s on this machine")
        return self._fit(image, steps, progress)

    def steps(self, image: Tensor) -> int:
        """Return the number of steps for images of this one's size, at least 1."""
        if image.shape not in self._steps:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AssumptionWarning)  # the fit itself will tell
                self._steps[image.shape] = self._tried(image)
        return self._steps[image.shape]

    def _tried(self, image: Tensor) -> int:
        self._fit(image[..., :CORNER, :CORNER], 1, None)  # what is slow only the first time
        times: list[float] = []
        begin = time.perf_counter()
        self._fit(image, TRIAL, lambda *_: times.append(time.perf_counter()))
        step = (times[-1] - times[WARM - 1]) / (TRIAL - WARM)
        rest = time.perf_counter() - begin - TRIAL * step
        return max(1, int((self.seconds - rest) / step))
