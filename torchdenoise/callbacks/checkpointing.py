"""What a fit keeps on disk: its last state, its best state and its configuration."""

from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override


class LastCheckpoint(ModelCheckpoint):
    """Keeps the state after each epoch, and after Ctrl-C or `kill`; a failed fit does not overwrite a good state."""

    def __init__(self) -> None:
        super().__init__(
            filename="last", enable_version_counter=False, save_on_exception=True, save_on_train_epoch_end=True
        )

    @property
    @override
    def state_key(self) -> str:
        """Return the name of this callback's state in checkpoints, which stays when the class is renamed."""
        return super().state_key.replace(type(self).__qualname__, "Last", 1)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a fit that goes on."""
        _check_paths(state_dict)
        super().load_state_dict(state_dict)

    @override
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Keep the state if the user stopped the fit."""
        if isinstance(exception, (KeyboardInterrupt, SIGTERMException)):
            super().on_exception(trainer, pl_module, exception)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the state with the smallest ``val_loss``, if the fit validates; a resumed fit knows the earlier best."""

    def __init__(self) -> None:
        super().__init__(
            filename="best", enable_version_counter=False, monitor="val_loss", save_on_train_epoch_end=False
        )

    @property
    @override
    def state_key(self) -> str:
        """Return the name of this callback's state in checkpoints, which stays when the class is renamed."""
        return super().state_key.replace(type(self).__qualname__, "Best", 1)

    @override
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the state if it is the best; earlier stages log no ``val_loss``."""
        if self.monitor in trainer.callback_metrics:
            super().on_validation_end(trainer, pl_module)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score, which Lightning would drop because a resumed fit has another folder."""
        _check_paths(state_dict)
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


def _check_paths(state: dict[str, Any]) -> None:
    """Raise TypeError for a state of an edited checkpoint, in whose paths Lightning would find no mistake."""
    for name in ("best_model_path", "last_model_path", "kth_best_model_path"):
        if not isinstance(state.get(name, ""), str):
            raise TypeError(f"{name} is no text")


class SavedConfig(SaveConfigCallback):
    """Saves the configuration of a fit beside its logs; nothing without a logger."""

    @override
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Save the configuration when a fit with a logger begins."""
        if stage == "fit" and trainer.loggers:
            super().setup(trainer, pl_module, stage)
