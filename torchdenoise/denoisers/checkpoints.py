"""Checkpoints: how a denoiser was built, beside Lightning's weights. Reading one runs no code of it."""

import warnings
import zipfile
from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from lightning import LightningModule
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from torchdenoise.denoisers.checkpoint_sizes import check_size
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.resuming import begin_next_epoch
from torchdenoise.denoisers.stages import class_names
from torchdenoise.denoisers.weight_files import SUFFIX, located, read_weights
from torchdenoise.errors import CheckpointError, UserError
from torchdenoise.registry import Recipe, Registered, resolve
from torchdenoise.stored_recipes import build, class_paths, require_known, with_public_paths

KEY = "torchdenoise"
"""Of our part of a checkpoint."""
FORMAT = 1
"""Version of that part; checkpoints without one are older."""
_MAX_DEPTH = 64
"""Lists and mappings inside each other in a recipe; those of this package have 7."""
REMEDY = "give one that `torchdenoise fit` wrote"


class Checkpointed(Registered, LightningModule, ABC, kind="denoisers"):
    """A module whose checkpoints say how to build it, and that refuses to predict before it is fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.fitted = False
        self._resumed: list[str] | None = None
        """The classes of the optimizer and the schedule whose state the checkpoint of a resumed fit holds."""

    @override
    def setup(self, stage: str) -> None:
        """Start a run that resumes no fit; a checkpoint is loaded later."""
        self._resumed = None

    @override
    def on_fit_start(self) -> None:
        """Refuse early what no checkpoint can hold."""
        self.recipe()

    @override
    def on_train_start(self) -> None:
        """Warn if a fit goes on where its schedule has come down to zero."""
        groups = [group for each in self.trainer.optimizers for group in each.param_groups]
        if self.global_step and not any(group["lr"] for group in groups):
            warnings.warn(
                f"the learning rate is 0 at step {self.global_step}, where this fit goes on: while it stays 0, no "
                "weight changes; a new fit from these weights begins with --init_from in place of --ckpt_path",
                stacklevel=1,
            )

    @override
    def on_train_end(self) -> None:
        """Note that the networks are fitted."""
        self.fitted = True

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store how to build this denoiser, and the class names of the optimizer and schedule beside their state."""
        checkpoint[KEY] = {"format": FORMAT, "recipe": self.recipe()}
        if self.trainer.optimizers:
            schedules = [each.scheduler for each in self.trainer.lr_scheduler_configs]
            checkpoint[KEY]["moved_by"] = class_names([*self.trainer.optimizers, *schedules])

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method or network by name; leave out the state of another readout.

        Of the state of a fit at an epoch's end, make that at the next one's beginning.
        """
        _verify(checkpoint, self.recipe())
        self._resumed = checkpoint[KEY].get("moved_by")
        begin_next_epoch(checkpoint.get("loops", {}))
        theirs, readout = checkpoint[KEY]["recipe"]["init_args"].get("readout"), getattr(self, "readout", None)
        if theirs is not None and isinstance(readout, torch.nn.Module) and _class(theirs) is not type(readout):
            kept = {name: value for name, value in checkpoint["state_dict"].items() if not name.startswith("readout.")}
            ours = {f"readout.{name}": value for name, value in readout.state_dict().items()}
            checkpoint["state_dict"] = kept | ours
        self.fitted = True

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights as PyTorch does.

        Raises:
            CheckpointError: they are not those of these networks.
        """
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except (RuntimeError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(f"the checkpoint's weights do not fit ({_short(error)}): {REMEDY}") from error

    def start_from(self, path: str | Path) -> None:
        """Take over the networks of a checkpoint, whose method may be another; the fit begins with the first step.

        Raises:
            CheckpointError: no such file, not one of our checkpoints, or its networks differ from those here.
            UserError: a class that is not imported here.
        """
        start = Checkpointed.load(path)
        theirs, ours = (dict(each.recipe()["init_args"]) for each in (start, self))
        parts = [name for name, _ in self.named_children() if _is_network(ours.get(name))]
        try:
            for part in parts:
                _verify_network(part, theirs.get(part), ours[part], ignored=("channels",))
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
        for part in parts:
            setattr(self, part, getattr(start, part))
        self.fitted = True

    def check_resumable(self, optimizer: Optimizer, scheduler: LRScheduler) -> None:
        """Refuse an optimizer or a schedule of another class than a resumed fit's.

        Raises:
            CheckpointError: it names both.
        """
        names = class_names([optimizer, scheduler])
        if self._resumed not in (None, names):
            raise CheckpointError(
                f"the checkpoint's fit had {' and '.join(self._resumed or ())}, this one has {' and '.join(names)}: "
                "resume with the same optimizer and scheduler: pass --config runs/version_N/config.yaml"
            )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the denoiser in a checkpoint, with its weights, on the CPU and ready to predict.

        Only classes that are already imported are built, and no code in the file is run.

        Raises:
            CheckpointError: no such file, not one of our checkpoints, or another class than this one.
            UserError: a class that is not imported here.
        """
        checkpoint = read_checkpoint(path)
        recipe = checkpoint[KEY]["recipe"]
        require_known(class_paths(recipe), f"{path}: ")
        check_size(located(path), recipe)
        try:
            denoiser = build(recipe)
            if not isinstance(denoiser, cls):
                raise CheckpointError(f"{path}: holds a {type(denoiser).__name__}, not a {cls.__name__}")
            denoiser.load_state_dict(checkpoint["state_dict"])
        except (RuntimeError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:  # edited
            raise CheckpointError(f"{path}: its model cannot be built ({_short(error)}): {REMEDY}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        denoiser.fitted = True
        return denoiser.eval()

    @override
    def on_predict_start(self) -> None:
        """Refuse to predict with an unfitted network."""
        self._need_weights()

    @override
    def on_test_start(self) -> None:
        """Refuse to score an unfitted network."""
        self._need_weights()

    @override
    def on_validation_start(self) -> None:
        """Refuse to score an unfitted network, except during a fit."""
        if self.trainer.state.fn != "fit":
            self._need_weights()

    def _need_weights(self) -> None:
        if not self.fitted and any(parameter.requires_grad for parameter in self.parameters()):
            raise UserError(
                f"{type(self).__name__} has no trained weights yet: give --ckpt_path FILE from an earlier fit"
            )


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _verify(checkpoint: dict[str, Any], recipe: Recipe) -> None:
    """Refuse a checkpoint whose method or networks differ from those of ``recipe``.

    Raises:
        CheckpointError: it names the first difference.
    """
    if KEY not in checkpoint:
        raise CheckpointError(f"this checkpoint is not one of torchdenoise: {REMEDY}")
    stored = checkpoint[KEY]["recipe"]
    if _class(stored) is not _class(recipe):
        raise CheckpointError(
            f"the checkpoint holds a {_name(stored)}, the model is a {_name(recipe)}: give --model {_name(stored)}, or "
            "begin a new fit from its weights with --init_from"
        )
    for part, theirs in stored["init_args"].items():
        ours = recipe["init_args"].get(part)
        if _is_network(theirs) or _is_network(ours):
            _verify_network(part, theirs, ours)


def _verify_network(part: str, theirs: Recipe | None, ours: Recipe | None, ignored: Sequence[str] = ()) -> None:
    """Refuse a network of another class or with other arguments."""
    if not theirs or not ours or _class(theirs) is not _class(ours):
        own = {name: value for name, value in theirs["init_args"].items() if name != "channels"} if theirs else {}
        remedy = f"add {_options(part, _name(theirs), own)}" if theirs else f"leave out --model.{part}"
        raise CheckpointError(f"the checkpoint's {part} is a {_name(theirs)}, the model's is a {_name(ours)}: {remedy}")
    arguments = {name: value for name, value in theirs["init_args"].items() if name not in ignored}
    differing = {name: value for name, value in arguments.items() if ours["init_args"].get(name) != value}
    if "channels" in differing:
        raise CheckpointError(
            f"the checkpoint's {part} was made for pictures of {differing['channels']} channel(s): give such pictures"
        )
    if differing:
        raise CheckpointError(
            f"the checkpoint's {part} was made with other arguments: add {_options(part, None, differing)}"
        )


def _options(part: str, name: str | None, arguments: Mapping[str, Any]) -> str:
    """Return the options that give a network its class, unless it has it, and its arguments."""
    chosen = [f"--model.{part} {name}"] if name else []
    return " ".join([*chosen, *(f"--model.{part}.{each} {value}" for each, value in arguments.items())])


def _class(recipe: Recipe) -> type | None:
    return resolve(recipe["class_path"])


def _is_network(value: Any) -> bool:
    cls = _class(dict(value)) if isinstance(value, Mapping) and "class_path" in value else None
    return cls is not None and issubclass(cls, Network)


def _name(recipe: Recipe | None) -> str:
    return recipe["class_path"].rpartition(".")[2] if recipe else "network that is not set"


def _check_packing(path: Path) -> None:
    """Raise CheckpointError for an archive that unpacks to more than it holds: torch.save does not compress."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
            raise CheckpointError(f"{path}: not a checkpoint of torchdenoise (it is compressed): {REMEDY}")


def _check_plain(path: Path, value: Any, depth: int = 0) -> None:
    """Raise CheckpointError for what ``recipe`` never writes: other types, descriptions without arguments, depths."""
    match value:
        case {"class_path": classes} if not isinstance(classes, str):
            found = "class_path is no text"
        case {"class_path": _, "init_args": arguments} if not isinstance(arguments, dict):
            found = "init_args is no mapping"
        case dict() if not all(isinstance(name, str) for name in value):
            found = "a key is no text"
        case dict() | list() if depth == _MAX_DEPTH:
            found = f"more than {_MAX_DEPTH} deep"
        case dict() | list():
            for each in value.values() if isinstance(value, dict) else value:
                _check_plain(path, each, depth + 1)
            return
        case None | bool() | int() | float() | str():
            return
        case _:
            found = f"it holds a {type(value).__name__}"
    raise CheckpointError(f"{path}: a checkpoint whose recipe is damaged ({found}): {REMEDY}")


def _unpickled(path: Path) -> Any:
    _check_packing(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about files that it then refuses
        return torch.load(path, map_location="cpu", weights_only=True)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's plain content, on the CPU; pickled code is refused, not run.

    Args:
        path: of a checkpoint or a safetensors file of weights, or the name of weights that come with the package.

    Raises:
        CheckpointError: no such file, or not one of our checkpoints.
    """
    path = located(path)
    if path.is_dir():
        inside = [file for file in (path / "last.ckpt", path / "checkpoints" / "last.ckpt") if file.is_file()]
        raise CheckpointError(f"{path}: a folder: give the file of a checkpoint{f', {inside[0]}' if inside else ''}")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint file")
    try:
        content = read_weights(path) if path.suffix == SUFFIX else _unpickled(path)
    except UserError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # the unpickler raises anything on arbitrary bytes
        reason = "it holds pickled code" if "GLOBAL" in str(error) else "it cannot be read as one"
        raise CheckpointError(f"{path}: not a checkpoint of torchdenoise ({reason}): {REMEDY}") from None
    match content:
        case {"torchdenoise": {"format": int(number)}} if number > FORMAT:
            raise CheckpointError(f"{path}: written by a newer torchdenoise (format {number}): upgrade torchdenoise")
        case {"torchdenoise": {"recipe": {"class_path": str(), "init_args": Mapping()}}, "state_dict": Mapping()}:
            ours = content[KEY]
            _check_plain(path, ours["recipe"])
            return {**content, KEY: {**ours, "recipe": with_public_paths(ours["recipe"])}}
    raise CheckpointError(f"{path}: a checkpoint, but not one of torchdenoise: {REMEDY}")
