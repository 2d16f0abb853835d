"""``torchdenoise fit``, ``validate``, ``test`` and ``predict``: LightningCLI with recipes by name and short errors."""

import contextlib
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback

import torchdenoise
from torchdenoise.callbacks.checkpointing import BestCheckpoint, LastCheckpoint
from torchdenoise.callbacks.curves import Curves
from torchdenoise.callbacks.interrupt import GracefulInterrupt
from torchdenoise.callbacks.predicted_pictures import PictureWriter
from torchdenoise.callbacks.progress_lines import ProgressLines
from torchdenoise.callbacks.score_table import ScoreTable
from torchdenoise.callbacks.scored_noise import ScoredNoise
from torchdenoise.callbacks.step_numbers import StepNumbers
from torchdenoise.commands.experiment_arguments import checkpoint_file, rewritten, take_output_options, take_start
from torchdenoise.commands.lightning_cli import ExperimentCLI
from torchdenoise.errors import AssumptionWarning, CheckpointError, UserError
from torchdenoise.isolation import interruptible, quiet
from torchdenoise.paths import REFUSED, shown, write_problem
from torchdenoise.recipes.building import unwrapped_user_errors
from torchdenoise.recipes.trust import only_trusted
from torchdenoise.registry import load_plugins
from torchdenoise.user_code import find_error
from torchdenoise.user_modules import paths_in

_PACKAGE = Path(torchdenoise.__file__).parent
_REFUSING = [Path(module.__file__).parent for module in (lightning, torch.optim) if module.__file__]
"""The folders of the libraries that look at some values only when they use them."""


def run(words: Sequence[str]) -> int:
    """Run one of the four subcommands and return the exit code."""
    load_plugins()
    command, rest = words[0], list(words[1:])
    rest, output, overwrite = take_output_options(rest) if command == "predict" else (rest, None, False)
    rest, init_from = take_start(rest) if command == "fit" else (rest, None)
    callbacks: dict[str, list[Callback]] = {
        "fit": [GracefulInterrupt(), LastCheckpoint(), BestCheckpoint(), StepNumbers(), ProgressLines(), Curves()],
        "validate": [ScoredNoise()],
        "test": [ScoredNoise(), ScoreTable()],
        "predict": [PictureWriter(output, overwrite)],
    }
    arguments = [command, *rewritten(command, rest)]
    with contextlib.ExitStack() as surroundings:
        for each in (only_trusted(paths_in(rest)), _process_arguments(arguments), quiet(), interruptible(),
                     _short_warnings(), _refused_values(), unwrapped_user_errors(), _disk_errors(),
                     _restored(checkpoint_file(rest))):  # fmt: skip
            surroundings.enter_context(each)
        ExperimentCLI(command, callbacks.get(command, []), words, init_from)
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
def _restored(path: str | None) -> Iterator[None]:
    """Turn what Lightning raises while it restores the state in a checkpoint into a CheckpointError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if not any(Path(frame.filename).name == "checkpoint_connector.py" for frame in frames):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise CheckpointError(
            f"{path}: its state cannot be restored ({reason}): start from its weights with --init_from"
        ) from error


@contextlib.contextmanager
def _refused_values() -> Iterator[None]:
    """Turn what Lightning and PyTorch refuse in the middle of a run, as a step size of 0, into a UserError.

    An error in this package or in the user's own code stays what it is.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, TypeError, ArithmeticError, MisconfigurationException) as error:
        if find_error(error) is not None or not _is_from_library(error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(
            f"refused ({reason}): check the values of the trainer, the optimizer and the schedule"
        ) from error


def _is_from_library(error: BaseException) -> bool:
    """Return whether Lightning, or an optimizer or schedule of PyTorch, raised an error, and not this package."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(_PACKAGE):
            return False
        if any(Path(frame.filename).is_relative_to(folder) for folder in _REFUSING):
            return True
    return False


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what a disk refuses into a UserError: the logs and checkpoints of a fit, the pictures of a prediction."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        place = shown(Path(error.filename)) if isinstance(error.filename, str) else "the folder of the results"
        raise UserError(
            f"{place}: {write_problem(error)}; what was saved before is whole; choose another folder with "
            "--trainer.default_root_dir"
        ) from error


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
