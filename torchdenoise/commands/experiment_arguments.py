"""The words of ``fit``, ``validate``, ``test`` and ``predict``, rewritten before LightningCLI reads them."""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from torchdenoise.commands.arguments import CHECKPOINT_NAMES
from torchdenoise.data import SingleImage
from torchdenoise.denoisers.checkpoint_sizes import check_size
from torchdenoise.denoisers.checkpoints import KEY, read_checkpoint
from torchdenoise.errors import CheckpointError, RecipeError
from torchdenoise.recipes.class_defaults import with_class_defaults
from torchdenoise.registry import resolve
from torchdenoise.stored_recipes import require_known, unknown_classes

_MODEL_OPTIONS = ("--config", "-c", "--model", "--ckpt_path")
_OURS = {"test": "--verbose", "predict": "--return_predictions"}
"""Options of Lightning that are off by default here, because our own callbacks print and write instead."""


def rewritten(command: str, words: Sequence[str]) -> list[str]:
    """Return the words with the model of a checkpoint and the default arguments of each class filled in.

    Raises:
        RecipeError: neither a recipe, a model nor a checkpoint.
        CheckpointError: a checkpoint that cannot be read, that is none of this process, or that was fitted with classes
            that are not imported.
    """
    _refuse_other_names(command, words)
    _require_model(command, words)
    _require_file(words)
    _require_data_class(words)
    option = _OURS.get(command)
    quiet = [f"{option}=false"] if option and option_value(words, option) is None else []
    return [*with_class_defaults(_with_checkpoint(list(words))), *quiet]


def _refuse_other_names(command: str, words: Sequence[str]) -> None:
    """Refuse what other commands and programs call the option for a checkpoint."""
    for option in (word.partition("=")[0] for word in words):
        name = option.removeprefix("--").replace("_", "-")
        if option.startswith("--") and option != "--ckpt_path" and name in CHECKPOINT_NAMES.split():
            file = option_value(words, option) or "FILE"
            new = (
                f" to go on with its fit, or --init_from {file} for a new fit from its weights"
                if command == "fit"
                else ""
            )
            raise RecipeError(f"{command} has no {option}: give --ckpt_path {file}{new}")


def _require_model(command: str, words: Sequence[str]) -> None:
    shows_help = any(word == "-h" or word.endswith("help") or word.startswith("--print_config") for word in words)
    if not shows_help and all(option_value(words, option) is None for option in _MODEL_OPTIONS):
        raise RecipeError(
            f"{command} needs a model: give --config RECIPE (see `torchdenoise list`), --model NAME or --ckpt_path FILE"
        )


def _require_file(words: Sequence[str]) -> None:
    """Refuse words that Lightning resolves within one process: it would begin anew and say nothing."""
    word = option_value(words, "--ckpt_path")
    if word in ("best", "last"):
        raise CheckpointError(f"--ckpt_path {word}: name the file, such as runs/version_0/checkpoints/{word}.ckpt")


def _require_data_class(words: Sequence[str]) -> None:
    """Refuse a picture or a folder where a class of data is expected, which jsonargparse would read as a file of it."""
    name = option_value(words, "--data")
    if name is None or resolve(name) is not None:
        return
    if Path(name).exists() and Path(name).suffix not in (".yaml", ".yml", ".json"):
        raise RecipeError(
            f"--data {name}: no kind of data, such as ImageFolder: a picture is given by --data.path, a folder by "
            "--data.train, .val, .test or .predict"
        )


def take_output_options(words: Sequence[str]) -> tuple[list[str], Path | None, bool]:
    """Return the words without ``--output`` and ``--overwrite``, which LightningCLI does not know, and their values."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--output", "-o", type=Path)
    options.add_argument("--overwrite", action="store_true")
    ours, rest = options.parse_known_args(words)
    return rest, ours.output, ours.overwrite


def take_start(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """Return the words without ``--init_from``, which LightningCLI does not know, and its value."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--init_from", type=Path)
    ours, rest = options.parse_known_args(words)
    return rest, ours.init_from


def option_value(words: Sequence[str], option: str) -> str | None:
    """Return the value of an option, written as two words or with ``=``; None without the option.

    Example:
        >>> option_value(["--ckpt_path", "a.ckpt", "--data=SingleImage"], "--data")
        'SingleImage'
    """
    for word, following in itertools.zip_longest(words, words[1:]):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def checkpoint_file(words: Sequence[str]) -> str | None:
    """Return the file that ``--ckpt_path`` names; None without one, or for a word that Lightning resolves."""
    path = option_value(words, "--ckpt_path")
    return None if path in ("best", "last", "hpc", "registry") else path


def _with_checkpoint(words: list[str]) -> list[str]:
    """Add the model of a checkpoint, and one picture as data, unless the words choose their own."""
    path = checkpoint_file(words)
    if path is None:
        return words
    recipe = read_checkpoint(path)[KEY]["recipe"]
    if option_value(words, "--config") or option_value(words, "-c"):
        return words
    unknown = []
    for option, name in unknown_classes(recipe, "--model"):
        # Nothing is imported because a file names it. A class that the user names may be imported; without its word
        # the class keeps the arguments it was fitted with.
        if (option_value(words, option) or "").startswith(name):
            words = _without(words, option, name)
        else:
            unknown.append(name)
    require_known(unknown, f"{path}: ")
    check_size(Path(path), recipe)
    model = [] if option_value(words, "--model") else ["--model", json.dumps(recipe)]
    data = [] if option_value(words, "--data") else ["--data", SingleImage.__name__]
    return [*model, *data, *words]


def _without(words: list[str], option: str, value: str) -> list[str]:
    """Return the words without those that give an option this value."""
    kept: list[str] = []
    skipped = False
    for word, following in itertools.zip_longest(words, words[1:]):
        if not skipped and word != f"{option}={value}" and (word, following) != (option, value):
            kept.append(word)
        skipped = not skipped and (word, following) == (option, value)
    return kept
