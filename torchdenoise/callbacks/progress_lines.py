"""The callback that says in lines how far a fit is, where no progress bar can."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from lightning import Callback, Trainer
from torch import Tensor
from typing_extensions import override

from torchdenoise.callbacks.validation import tells_progress
from torchdenoise.pacing import Pace

EVERY = 30.0
"""Seconds between two lines."""


class ProgressLines(Callback):
    """Prints a line every so often and after each validation, in the first process, unless there is a progress bar.

    Args:
        every: seconds between two lines.
        clock: returns the present time in seconds.
    """

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = Pace(every, clock)
        self._loss: Tensor | None = None

    @override
    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._pace.start()

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Print a line if the last one is long ago."""
        self._loss = outputs["loss"]  # read only when it is printed, because a GPU would wait for it
        if self._pace.due():
            self._say(trainer, pl_module, self._loss_of(trainer))

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Print the scores."""
        if not trainer.sanity_checking:
            self._say(trainer, pl_module, self.figures(trainer))

    def figures(self, trainer: Trainer) -> dict[str, float]:
        """Return name -> value: the loss of the last step, losses and scores of the last validation."""
        logged = trainer.callback_metrics
        return self._loss_of(trainer) | {name: logged[name].item() for name in logged if tells_progress(name)}

    def _loss_of(self, trainer: Trainer) -> dict[str, float]:
        if self._loss is None:
            return {}
        return {"loss": self._loss.item() * trainer.accumulate_grad_batches}  # Lightning divides it

    def _say(self, trainer: Trainer, pl_module: Any, figures: Mapping[str, float]) -> None:
        seconds = self._pace.printed()
        if not trainer.is_global_zero or trainer.progress_bar_callback is not None or self._loss is None:
            return
        place = f"step {trainer.global_step} of {pl_module.plan.steps}, {seconds:.0f} s"
        print(f"{place}, {in_words(figures)}", flush=True)


def in_words(figures: Mapping[str, float]) -> str:
    """Return figures as text.

    Example:
        >>> in_words({"loss": 0.012346, "val_psnr": 28.1})
        'loss 0.01235, val_psnr 28.1'
    """
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
