"""``torchdenoise fit``, ``validate``, ``test`` and ``predict``: LightningCLI with recipes by name and short errors."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from lightning.pytorch.callbacks import Callback

from torchdenoise.callbacks.checkpointing import BestCheckpoint, LastCheckpoint
from torchdenoise.callbacks.interrupt import GracefulInterrupt
from torchdenoise.callbacks.predicted_pictures import PictureWriter
from torchdenoise.callbacks.score_table import ScoreTable
from torchdenoise.commands.experiment_arguments import rewritten, take_output_options
from torchdenoise.commands.lightning_cli import ExperimentCLI
from torchdenoise.errors import AssumptionWarning
from torchdenoise.isolation import interruptible, quiet
from torchdenoise.recipes.building import unwrapped_user_errors
from torchdenoise.recipes.trust import only_trusted
from torchdenoise.registry import load_plugins
from torchdenoise.user_modules import paths_in


def run(words: Sequence[str]) -> int:
    """Run one of the four subcommands and return the exit code."""
    load_plugins()
    command, rest = words[0], list(words[1:])
    rest, output, overwrite = take_output_options(rest) if command == "predict" else (rest, None, False)
    callbacks: dict[str, list[Callback]] = {
        "fit": [GracefulInterrupt(), LastCheckpoint(), BestCheckpoint()],
        "test": [ScoreTable()],
        "predict": [PictureWriter(output, overwrite)],
    }
    arguments = [command, *rewritten(command, rest)]
    with contextlib.ExitStack() as surroundings:
        for each in (only_trusted(paths_in(rest)), _process_arguments(arguments), quiet(), interruptible(),
                     _short_warnings(), unwrapped_user_errors()):  # fmt: skip
            surroundings.enter_context(each)
        ExperimentCLI(command, callbacks.get(command, []), words)
    return 0


@contextlib.contextmanager
def _process_arguments(words: Sequence[str]) -> Iterator[None]:
    """Set ``sys.argv[1:]``, where LightningCLI reads its arguments, while the block runs."""
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print a violated noise assumption in one line, as the other commands do."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_short(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, AssumptionWarning):
                print(f"warning: {message}")
            else:
                show(message, category, *where)

        warnings.showwarning = show_short  # type: ignore[assignment]
        warnings.simplefilter("always", AssumptionWarning)
        yield
