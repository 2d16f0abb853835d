"""The callback that says on which noise pictures are scored."""

from typing import Any

from lightning import Callback, Trainer
from typing_extensions import override


class ScoredNoise(Callback):
    """Prints the noise of the scored pictures when ``validate`` or ``test`` begins, in the first process."""

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Print the line."""
        if trainer.is_global_zero:
            print(f"noise: {trainer.datamodule.noise_in_words()}")  # type: ignore[attr-defined]

    @override
    def on_test_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Print the line."""
        self.on_validation_start(trainer, pl_module)
