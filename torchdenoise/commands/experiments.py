"""``torchdenoise fit``, ``validate``, ``test`` and ``predict``: LightningCLI with recipes by name and short errors."""

import argparse
import contextlib
import itertools
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile, DefaultHelpFormatter  # type: ignore[attr-defined]
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only

from torchdenoise.callbacks.checkpointing import BestCheckpoint, GracefulInterrupt, LastCheckpoint, SavedConfig
from torchdenoise.callbacks.results import PictureWriter
from torchdenoise.callbacks.score_table import ScoreTable
from torchdenoise.data import DenoisingData, SingleImage
from torchdenoise.denoisers import Denoiser
from torchdenoise.denoisers.checkpoints import KEY, read_checkpoint
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.fitting.trainers import precision_here
from torchdenoise.isolation import check_seed, interruptible, quiet
from torchdenoise.recipes import recipe_path
from torchdenoise.recipes.building import find_user_error, one_line_error
from torchdenoise.recipes.class_defaults import with_class_defaults
from torchdenoise.registry import load_plugins, unknown_classes

RUNS = "runs"
"""The folder, below the working folder, where fits leave their checkpoints, logs and configurations."""

EXAMPLES = {
    "fit": """\
fit a denoiser to one picture, or train it on a folder

examples:
  torchdenoise fit --config zsn2n --data.path noisy.png
  torchdenoise fit --config zsn2n --data.path noisy.png --model.network.width 64 --model.loss.consistency_weight 0.5
  torchdenoise fit --config zsn2n --data.path noisy.png --model.loss my_loss.MyLoss        (./my_loss.py)
  torchdenoise fit --model ZSN2N --model.network SmallCNN --model.network.width 64 --data SingleImage --data.path x.png
  torchdenoise fit --config zsn2n --print_config > mine.yaml        then: torchdenoise fit --config mine.yaml
A class comes before its arguments and starts from its own defaults; --config comes before what changes it.

training on folders:
  torchdenoise fit --config n2n --data.train clean/ --data.val clean_val/ --data.crop 64 --data.repeats 10
  torchdenoise fit --config n2n --data PairFolder --data.train_noisy noisy/ --data.train_target clean/
  torchdenoise fit --config n2n --data.train clean/ --ckpt_path runs/version_0/checkpoints/last.ckpt    (goes on)
--data PairFolder takes your own pairs, matched by name: noisy and clean, or two noisy pictures of a scene.
--trainer.max_epochs 100, --trainer.devices 2 --trainer.strategy ddp, --trainer.precision bf16-mixed: as in Lightning.

results, in runs/version_N/:
  checkpoints/last.ckpt    after every epoch and after Ctrl-C; a fit that goes on from it ends as if never stopped
  checkpoints/best.ckpt    with --data.val: where val_loss, which needs no clean picture, was smallest
  config.yaml              all options, for --config
  metrics.csv              losses and scores; --trainer.logger TensorBoardLogger (the extra [tensorboard]) instead""",
    "validate": """\
score a fitted denoiser as its validation does

example:
  torchdenoise validate --config zsn2n --ckpt_path last.ckpt --data ImageFolder --data.val clean/""",
    "test": """\
score one set of weights on a folder of clean pictures with synthetic noise: PSNR and SSIM of each, and their means

example:
  torchdenoise test --ckpt_path last.ckpt --data ImageFolder --data.test clean/ --data.noise gaussian:25:clip""",
    "predict": """\
write what a fitted denoiser makes of pictures

examples:
  torchdenoise predict --ckpt_path last.ckpt --data.path noisy.png --output clean.png
  torchdenoise predict --ckpt_path last.ckpt --data ImageFolder --data.predict scans/ --output clean/
--output OUT: a file for one picture, a folder for several; unless given NAME_denoised.EXT beside the input.
--overwrite: replace outputs that exist already.""",
}


def run(words: Sequence[str]) -> int:
    """Run one of the four subcommands and return the exit code."""
    load_plugins()
    command, rest = words[0], with_class_defaults(_with_checkpoint(_named_recipes(words[1:])))
    rest, output, overwrite = _output_options(rest) if command == "predict" else (rest, None, False)
    callbacks: dict[str, list[Callback]] = {
        "fit": [GracefulInterrupt(), LastCheckpoint(), BestCheckpoint()],
        "test": [ScoreTable()],
        "predict": [PictureWriter(output, overwrite)],
    }
    csv = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": RUNS, "name": ""}}
    # LightningCLI wants its words in sys.argv; launchers of several processes run argv[0] again.
    sys.argv[1:] = [command, *rest, *_defaults(command, rest)]
    try:
        with quiet(), interruptible(), _doubts_in_a_line():
            _CLI(callbacks.get(command, []), csv if command == "fit" else False, words)
    except (ValueError, TypeError) as error:
        mended = find_user_error(error)
        if mended is error:
            raise
        raise mended from None
    return 0


@contextlib.contextmanager
def _doubts_in_a_line() -> Iterator[None]:
    """Print what a method finds wrong with a picture's noise as the other commands do, without a line of code."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def shown(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, AssumptionWarning):
                print(f"warning: {message}")
            else:
                show(message, category, *where)

        warnings.showwarning = shown  # type: ignore[assignment]
        warnings.simplefilter("always", AssumptionWarning)
        yield


def _named_recipes(words: Sequence[str]) -> list[str]:
    """Return the words with recipe names replaced by their files."""
    result: list[str] = []
    for previous, word in zip(["", *words], words, strict=False):
        if previous in ("--config", "-c"):
            result.append(str(recipe_path(word)))
        elif word.startswith("--config="):
            result.append(f"--config={recipe_path(word.partition('=')[2])}")
        else:
            result.append(word)
    return result


def _with_checkpoint(words: list[str]) -> list[str]:
    """Return the words with a checkpoint's model, and one picture as data, put in where nothing else is said."""
    path = _value(words, "--ckpt_path")
    if path is None or path in ("best", "last", "hpc", "registry"):
        return words
    recipe = read_checkpoint(path)[KEY]["recipe"]
    if _value(words, "--config") or _value(words, "-c"):
        return words
    for option, cls in unknown_classes(recipe, "--model"):
        # Nothing is imported because a file says so; what the user says is another matter.
        if not (_value(words, option) or "").startswith(cls):
            raise UserError(f"{path}: fitted with {cls}; if you trust it, add {option} {cls}")
        words = _without(words, option, cls)  # or it would begin with its defaults, not as it was fitted
    model = [] if _value(words, "--model") else ["--model", json.dumps(recipe)]
    data = [] if _value(words, "--data") else ["--data", SingleImage.__name__]
    return [*model, *data, *words]


def _value(words: Sequence[str], option: str) -> str | None:
    for word, following in itertools.zip_longest(words, words[1:]):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def _without(words: list[str], option: str, value: str) -> list[str]:
    """Return the words without those that give an option this value."""
    kept: list[str] = []
    skipped = False
    for word, following in itertools.zip_longest(words, words[1:]):
        if not skipped and word != f"{option}={value}" and (word, following) != (option, value):
            kept.append(word)
        skipped = not skipped and (word, following) == (option, value)
    return kept


def _output_options(words: list[str]) -> tuple[list[str], Path | None, bool]:
    """Take ``--output`` and ``--overwrite`` of predict, which are ours and not LightningCLI's, out of the words."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--output", "-o", type=Path)
    options.add_argument("--overwrite", action="store_true")
    ours, rest = options.parse_known_args(words)
    return rest, ours.output, ours.overwrite


def _defaults(command: str, words: Sequence[str]) -> list[str]:
    """Return the options by which our own tables and writers take the place of Lightning's."""
    option = {"test": "--verbose", "predict": "--return_predictions"}.get(command)
    return [f"{option}=false"] if option and _value(words, option) is None else []


class _Parser(LightningArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # a parser inside another one, for the arguments of a class
            super().error(message, ex)
        raise one_line_error(message, sys.argv)


class _Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """jsonargparse's help, with descriptions left as they are."""


class _CLI(LightningCLI):
    def __init__(self, callbacks: list[Any], logger: Any, words: Sequence[str]) -> None:
        self._words = words
        super().__init__(
            Denoiser,
            DenoisingData,
            save_config_callback=SavedConfig,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            trainer_defaults={
                "logger": logger,
                "callbacks": callbacks,
                "enable_progress_bar": sys.stdout.isatty(),
                "enable_model_summary": False,
            },
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                name: {"description": text, "usage": f"torchdenoise {name} [options]"}
                for name, text in EXAMPLES.items()
            },
        )

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Return a parser with our errors, and examples as they are written."""
        parser = _Parser(formatter_class=_Formatter, **kwargs)
        parser.add_argument("-c", "--config", action=ActionConfigFile, help="a recipe's name, or a YAML file")
        return parser

    def _parse_ckpt_path(self) -> None:
        """Leave checkpoints to the denoiser: Lightning would import the class that a stranger's file names."""

    def before_instantiate_classes(self) -> None:
        """Give a zero-shot fit without a recipe a number of steps; its data has no end."""
        sys.argv[1:] = self._words  # of several processes the others begin as this one did
        config = self.config[self.config.subcommand]
        single = config.get("data") and config.data.class_path.endswith(SingleImage.__name__)
        if single and config.trainer.max_steps == -1 and config.trainer.max_epochs is None:
            config.trainer.max_steps = SingleImage.default_steps

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Return the Trainer; what it has against its options is the user's to mend."""
        chosen = self.config_init[self.config_init.subcommand].trainer
        precision = precision_here(chosen.precision, chosen.accelerator)
        try:
            return super().instantiate_trainer(precision=precision, **kwargs)
        except (ValueError, ImportError, MisconfigurationException) as error:
            raise UserError(f"trainer: {' '.join(str(error).split())}") from None

    def before_fit(self) -> None:
        """Look at the pictures while there is one process to say what is wrong with them, and seed again."""
        if self.trainer.world_size > 1:
            self.datamodule.prepare("fit")
        self._seed_again()

    def before_predict(self) -> None:
        """Seed again, so that nothing depends on what was drawn while the objects were built."""
        self._seed_again()

    before_validate = before_test = before_predict

    def _seed_again(self) -> None:
        seed = self.config[self.config.subcommand].seed_everything
        if seed is not False:
            seed_everything(None if seed is True else seed, workers=True, verbose=False)

    def _set_seed(self) -> None:
        """Check the seed before Lightning takes it."""
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool):
            check_seed(seed)
        super()._set_seed()

    def after_fit(self) -> None:
        """Say where the result is."""
        self._say_result()

    @rank_zero_only
    def _say_result(self) -> None:
        kept = [callback for callback in self.trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
        paths = {
            type(callback): os.path.relpath(callback.best_model_path) for callback in kept if callback.best_model_path
        }
        last, best = paths.get(LastCheckpoint), paths.get(BestCheckpoint)
        if last:
            print(f"checkpoint: {last}")
        if best:
            print(f"best:       {best} (by val_loss)")
        if last:
            print(f"use it:     torchdenoise predict --ckpt_path {last} --data.path FILE")
