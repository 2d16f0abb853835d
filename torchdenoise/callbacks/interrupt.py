"""When Ctrl-C may stop a fit."""

import signal
import threading
from typing import Any

from lightning.pytorch.callbacks import Callback


class GracefulInterrupt(Callback):
    """Lets Ctrl-C act before the next step, so that no state is kept that half a step has left; a second one at once.

    Half a step are gradients of a part of its batches, batches that normalisation has counted, weights that the
    schedule does not know of.
    """

    def __init__(self) -> None:
        self._handler: Any = None
        self._inside = self._asked = False

    def _pressed(self, *_: Any) -> None:
        if self._asked or not self._inside:
            raise KeyboardInterrupt
        self._asked = True

    def _at_rest(self) -> None:
        self._inside = False
        if self._asked:
            raise KeyboardInterrupt

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Listen to the key."""
        self._inside = self._asked = False
        alone = threading.current_thread() is threading.main_thread()
        if alone and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's job ignores it
            self._handler = signal.signal(signal.SIGINT, self._pressed)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Stop here if it was pressed, and no later batch of a step goes on."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._at_rest()
        self._inside = True

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Stop here if it was pressed."""
        self._at_rest()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Stop here if it was pressed."""
        self._at_rest()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Listen no more."""
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self._handler = None

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002
        """Listen no more."""
        self.on_train_end(trainer, pl_module)
