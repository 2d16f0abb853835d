"""What a fit keeps on disk: its last state, its best state and its configuration."""

from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException


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
