"""The callback that numbers the rows of a log by the steps of the optimizer."""

from typing import Any

from lightning import Callback, Trainer
from typing_extensions import override


class StepNumbers(Callback):
    """Lets the logs of a resumed fit go on with the step at which it goes on.

    Lightning numbers the rows by a count of its own, which it guesses when it restores a checkpoint: one too high after
    Ctrl-C and where ``max_steps`` ended the fit, one too low after a validation inside an epoch (Lightning 2.6).
    """

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Make that count the number of steps that are done."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
