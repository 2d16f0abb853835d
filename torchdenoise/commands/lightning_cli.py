"""LightningCLI as the experiment commands use it: recipes by name, errors in one line, checkpoints read safely."""

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile, DefaultHelpFormatter, Namespace  # type: ignore[attr-defined]
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from torchdenoise.callbacks.checkpoint_files import WholeCheckpoints
from torchdenoise.callbacks.checkpointing import BestCheckpoint, LastCheckpoint, SavedConfig
from torchdenoise.callbacks.progress_lines import ProgressLines, in_words
from torchdenoise.commands.experiment_arguments import checkpoint_file, option_value
from torchdenoise.commands.experiment_help import EXAMPLES
from torchdenoise.data import DenoisingData
from torchdenoise.denoisers import Denoiser
from torchdenoise.denoisers.checkpoints import read_checkpoint
from torchdenoise.denoisers.resuming import check_counts
from torchdenoise.errors import RecipeError, UserError
from torchdenoise.fitting.trainers import precision_here
from torchdenoise.isolation import check_seed
from torchdenoise.paths import shown
from torchdenoise.recipes import starts_trained
from torchdenoise.recipes.building import one_line_error
from torchdenoise.recipes.files import read_config, recipe_path
from torchdenoise.registry import resolve
from torchdenoise.stored_recipes import import_options, user_classes, with_public_paths

_LOGGER_PACKAGES = {
    "TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "WandbLogger": ("wandb",),
    "MLFlowLogger": ("mlflow", "mlflow_skinny"),
    "CometLogger": ("comet_ml",),
    "NeptuneLogger": ("neptune",),
}
"""Any of the packages that each logger needs."""
_MANY_PROCESSES = 64
"""Of one fit, which every machine may start."""
RUNS = "runs"
"""The folder, inside the working folder, where fits are kept unless ``--trainer.default_root_dir`` names another."""


class ExperimentCLI(LightningCLI):
    """Runs one of Lightning's four commands with the arguments in ``sys.argv``.

    Args:
        command: fit, validate, test or predict.
        callbacks: callbacks of every run of this command.
        words: the arguments as the user gave them, with which a launcher starts other processes.
        init_from: a checkpoint whose weights a fit starts from.
    """

    def __init__(
        self, command: str, callbacks: list[Callback], words: Sequence[str], init_from: Path | None = None
    ) -> None:
        self._words = words
        self._init_from = init_from
        self._callbacks = callbacks
        logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": RUNS, "name": ""}}
        super().__init__(
            Denoiser,
            DenoisingData,
            save_config_callback=SavedConfig,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            trainer_defaults={
                "logger": logger if command == "fit" else False,
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

    # -- parsing ------------------------------------------------------------------------------------------------------

    @override
    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Return a parser with errors in one line, recipes by name, and examples printed as written."""
        parser = _Parser(formatter_class=_Formatter, allow_abbrev=False, **kwargs)
        parser.add_argument("-c", "--config", action=_RecipeAction, help="a recipe's name, or a YAML file")
        return parser

    @override
    def _parse_ckpt_path(self) -> None:
        """Leave checkpoints to the denoiser: Lightning would import a class because the file names it."""

    @override
    def _set_seed(self) -> None:
        """Check the seed before Lightning uses it."""
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool):
            check_seed(seed)
        super()._set_seed()

    # -- building -----------------------------------------------------------------------------------------------------

    @override
    def before_instantiate_classes(self) -> None:
        """Choose the number of steps of a zero-shot fit, the folder of the results, and whether any are kept."""
        sys.argv[1:] = self._words  # what a launcher starts other processes with
        config = self.config[self.config.subcommand]
        data = resolve(config.data.class_path) if config.get("data") else None
        steps = data.default_steps if data is not None and issubclass(data, DenoisingData) else None
        if steps is not None and config.trainer.max_steps == -1 and config.trainer.max_epochs is None:
            config.trainer.max_steps = steps
        if config.trainer.enable_checkpointing is False:  # Lightning would refuse our own callbacks
            kept = [each for each in self._callbacks if not isinstance(each, ModelCheckpoint)]
            self.trainer_defaults["callbacks"] = kept
        chosen = config.trainer.logger
        for logger in chosen if isinstance(chosen, list) else [chosen] if isinstance(chosen, Namespace) else []:
            _check_logger(logger)
            arguments = logger.get("init_args", {})
            if config.trainer.default_root_dir and arguments.get("save_dir") == RUNS:
                arguments["save_dir"] = str(config.trainer.default_root_dir)

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Return the Trainer; options that it refuses are the user's error."""
        chosen = self.config_init[self.config_init.subcommand].trainer
        precision = precision_here(chosen.precision, chosen.accelerator)
        try:
            trainer = super().instantiate_trainer(precision=precision, **kwargs)
        except (ValueError, TypeError, ImportError, RuntimeError, MisconfigurationException) as error:
            raise UserError(f"trainer: {' '.join(str(error).split())}") from None
        if trainer.accumulate_grad_batches < 1:  # Lightning divides by it
            raise UserError(f"--trainer.accumulate_grad_batches {trainer.accumulate_grad_batches}: must be at least 1")
        _check_processes(trainer)
        _check_cluster(trainer)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # the user has not chosen another
            trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    # -- running ------------------------------------------------------------------------------------------------------

    def before_fit(self) -> None:
        """Check what can be checked before other processes start, and seed again."""
        resumed = checkpoint_file(self._words)
        if resumed is not None and self._init_from is not None:
            raise UserError("--ckpt_path goes on with a fit, --init_from begins a new one: give one of them")
        self._steps_before = _check_steps_left(resumed, self.trainer)
        if self._init_from is not None:
            self.model.start_from(self._init_from)
        elif resumed is None:
            _check_start(self._words)
        if self.trainer.world_size > 1:
            self.datamodule.prepare("fit")
        self._seed_again()
        self._start = time.monotonic()

    def before_predict(self) -> None:
        """Seed again, so that no result depends on the random numbers drawn while the objects were built."""
        self._seed_again()

    before_validate = before_test = before_predict

    def _seed_again(self) -> None:
        seed = self.config[self.config.subcommand].seed_everything
        if seed is not False:
            seed_everything(None if seed is True else seed, workers=True, verbose=False)

    @rank_zero_only
    def after_fit(self) -> None:
        """Print how the fit ended, where its result is, and the command that uses it."""
        seconds = time.monotonic() - self._start
        parts = [f"{self.trainer.global_step - self._steps_before} steps in {seconds:.1f} s"]
        if self._steps_before:
            parts.append(f"{self.trainer.global_step} in all")
        progress = next(each for each in self._callbacks if isinstance(each, ProgressLines))
        parts.append(in_words(progress.figures(self.trainer)))
        print(f"fitted:     {', '.join(filter(None, parts))}")
        paths = {
            type(callback): shown(Path(os.path.relpath(callback.best_model_path)))
            for callback in self.trainer.checkpoint_callbacks
            if isinstance(callback, ModelCheckpoint) and callback.best_model_path
        }
        last, best = paths.get(LastCheckpoint), paths.get(BestCheckpoint)
        print(f"checkpoint: {last or 'none'}")
        if best:
            print(f"best:       {best} (by val_loss)")
        if last:
            program = " ".join(["torchdenoise", *import_options(user_classes(self.model.recipe())).split()])
            print(f"use it:     {program} predict --ckpt_path {last} --data.path FILE")


class _Parser(LightningArgumentParser):
    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # the parser of a class's arguments, inside another parser
            super().error(message, ex)
        raise one_line_error(message, sys.argv)


class _Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """jsonargparse's help, with descriptions printed as written."""


class _RecipeAction(ActionConfigFile):
    """``--config``, which takes a recipe's name too; a file may name classes by their short or former names."""

    @override
    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        path = recipe_path(values)
        content = read_config(values)
        _check_checkpoint_keys(path, content)
        public = with_public_paths({key: value for key, value in content.items() if key != "ckpt_path"})
        text = str(path) if public == content else json.dumps(public)
        super().__call__(parser, cfg, text, option_string)  # type: ignore[no-untyped-call]


def _check_checkpoint_keys(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse a recipe that chooses a checkpoint or how it is read: Lightning would run code in some of them."""
    if content.get("weights_only") not in (None, True):
        raise RecipeError(f"{path}: weights_only must be true, or code in a checkpoint would run: remove the line")
    if content.get("ckpt_path") is not None and option_value(sys.argv, "--ckpt_path") is None:
        raise RecipeError(f"{path}: ckpt_path is for the command line: remove the line, or add --ckpt_path FILE")


def _check_start(words: Sequence[str]) -> None:
    """Refuse a recipe that starts from a trained network and has none."""
    name = option_value(words, "--config") or option_value(words, "-c") or ""
    if starts_trained(name) and option_value(words, "--model.network") is None:
        raise UserError(f"{name} starts from a trained network: add --init_from FILE")


def _check_logger(logger: Namespace) -> None:
    """Refuse a logger whose package is not installed, with the command that installs it."""
    name = logger.class_path.rpartition(".")[2]
    packages = _LOGGER_PACKAGES.get(name, ())
    if packages and not any(importlib.util.find_spec(package) for package in packages):
        install = "torchdenoise[tensorboard]" if "tensorboard" in packages else packages[0].replace("_", "-")
        raise UserError(f"--trainer.logger {name} needs a package: pip install {install}")


def _check_processes(trainer: Any) -> None:
    """Refuse far more processes than the machine has processors: starting them would bring it to a halt."""
    most = max(_MANY_PROCESSES, 4 * (os.cpu_count() or 1))
    if trainer.num_devices > most:
        raise UserError(f"--trainer.devices {trainer.num_devices}: at most {most} processes run on this machine")


def _check_cluster(trainer: Any) -> None:
    """Refuse several machines where nothing starts the others: the first would wait for them forever."""
    alone = isinstance(getattr(trainer.strategy, "cluster_environment", None), LightningEnvironment)
    if trainer.num_nodes > 1 and alone and not {"NODE_RANK", "GROUP_RANK"} & set(os.environ):
        raise UserError(
            f"--trainer.num_nodes {trainer.num_nodes}: nothing starts the other machines; run it by Slurm or torchrun, "
            "or set NODE_RANK and MASTER_ADDR on each machine"
        )


def _check_steps_left(path: str | Path | None, trainer: Any) -> int:
    """Return the steps of the fit to go on with; refuse one that has reached its last step or epoch already."""
    if path is None:
        return 0
    checkpoint = read_checkpoint(path)
    try:
        done = int(checkpoint["global_step"])
        epochs = int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
        check_counts(checkpoint["loops"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise UserError(
            f"{path}: holds no state of a fit to go on with; start from its weights with --init_from"
        ) from None
    if 0 <= trainer.max_steps <= done:
        raise UserError(f"{path}: fitted for {done} steps already: raise --trainer.max_steps {trainer.max_steps}")
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs:
        raise UserError(f"{path}: fitted for {epochs} epochs already: raise --trainer.max_epochs {trainer.max_epochs}")
    return done
