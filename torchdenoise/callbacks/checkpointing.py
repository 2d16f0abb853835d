"""What a fit keeps on disk: its last state, its best, and its configuration; and when Ctrl-C may end it."""

import signal
import threading
from typing import Any

from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException


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


class LastCheckpoint(ModelCheckpoint):
    """The state after each epoch, and after Ctrl-C or `kill`; a fit that failed must not overwrite what was good."""

    def __init__(self) -> None:
        super().__init__(
            filename="last", enable_version_counter=False, save_on_exception=True, save_on_train_epoch_end=True
        )

    @property
    def state_key(self) -> str:
        """Return the name of this callback's state in checkpoints, which renaming the class must not change."""
        return super().state_key.replace(type(self).__qualname__, "Last", 1)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Keep the state where the user stopped the fit."""
        if isinstance(exception, (KeyboardInterrupt, SIGTERMException)):
            super().on_exception(trainer, pl_module, exception)


class BestCheckpoint(ModelCheckpoint):
    """The state with the smallest validation loss, if there is one; a resumed fit knows the best so far."""

    def __init__(self) -> None:
        super().__init__(
            filename="best", enable_version_counter=False, monitor="val_loss", save_on_train_epoch_end=False
        )

    @property
    def state_key(self) -> str:
        """Return the name of this callback's state in checkpoints, which renaming the class must not change."""
        return super().state_key.replace(type(self).__qualname__, "Best", 1)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the state if it is the best, where there is something to tell by."""
        if self.monitor in trainer.callback_metrics:
            super().on_validation_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the score: a resumed fit has a folder of its own, for which Lightning would forget it."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class SavedConfig(SaveConfigCallback):
    """Saves the configuration of a fit beside its logs, and nothing anywhere else."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Save it where a fit begins that is logged."""
        if stage == "fit" and trainer.loggers:
            super().setup(trainer, pl_module, stage)
