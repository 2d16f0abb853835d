"""The callback that delays Ctrl-C until the end of a step."""

import signal
import threading
from typing import Any

from lightning.pytorch.callbacks import Callback
from typing_extensions import override


class GracefulInterrupt(Callback):
    """After Ctrl-C, stops a fit between two steps, so that the checkpoint holds whole steps; a second one stops it now.

    A half-finished step leaves partial gradients, counted batch statistics and weights that are ahead of the schedule.
    """

    def __init__(self) -> None:
        self._previous_handler: Any = None
        self._in_step = self._requested = False

    def _on_signal(self, *_: Any) -> None:
        if self._requested or not self._in_step:
            raise KeyboardInterrupt
        self._requested = True

    def _between_steps(self) -> None:
        self._in_step = False
        if self._requested:
            raise KeyboardInterrupt

    @override
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Install the signal handler."""
        self._in_step = self._requested = False
        main_thread = threading.current_thread() is threading.main_thread()
        if main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in a background job
            self._previous_handler = signal.signal(signal.SIGINT, self._on_signal)

    @override
    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Stop before the first batch of a step; later batches belong to the same step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._between_steps()
        self._in_step = True

    @override
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Stop here if Ctrl-C was pressed."""
        self._between_steps()

    @override
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop here if Ctrl-C was pressed."""
        self._between_steps()

    @override
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Restore the previous signal handler."""
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
            self._previous_handler = None

    @override
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Restore the previous signal handler."""
        self.on_train_end(trainer, pl_module)
