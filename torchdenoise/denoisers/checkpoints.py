"""Checkpoints: how a denoiser was built, beside Lightning's weights, and nothing that runs when it is read."""

import warnings
from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from lightning import LightningModule

from torchdenoise.denoisers.networks import Network
from torchdenoise.errors import UserError
from torchdenoise.registry import Recipe, Registered, build, class_paths, require_known, resolve, with_public_paths

KEY = "torchdenoise"
FORMAT = 1
"""Of what stands under ``KEY``; a checkpoint without this number was written before there was one."""
REMEDY = "give one that `torchdenoise fit` wrote"


class Checkpointed(Registered, LightningModule, ABC, kind="denoisers"):
    """A module whose checkpoints say how to build it again, and that shows nothing before it was fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.fitted = False

    def on_fit_start(self) -> None:
        """Find out early what could not be written into a checkpoint later."""
        self.recipe()

    def on_train_end(self) -> None:
        """Remember that there is a result."""
        self.fitted = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write how to build this denoiser beside its weights."""
        checkpoint[KEY] = {"format": FORMAT, "recipe": self.recipe()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method or network by name, before its weights fail to fit."""
        _verify(checkpoint, self.recipe())
        self.fitted = True

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the denoiser that a checkpoint holds, with its weights, on the CPU and ready to predict.

        Only classes that are already imported are built, and no code of the file is run.

        Raises:
            UserError: no such file, not one of our checkpoints, or a class that is not known here.
        """
        checkpoint = read_checkpoint(path)
        recipe = checkpoint[KEY]["recipe"]
        require_known(class_paths(recipe), f"{path}: ")
        try:
            denoiser = build(recipe)
            if not isinstance(denoiser, cls):
                raise UserError(f"{path}: holds a {type(denoiser).__name__}, not a {cls.__name__}")
            denoiser.load_state_dict(checkpoint["state_dict"])
        except (RuntimeError, TypeError, AttributeError, KeyError) as error:  # of a file that others have edited
            told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserError(f"{path}: what it says of its model does not work ({told}): {REMEDY}") from error
        denoiser.fitted = True
        return denoiser.eval()

    def on_predict_start(self) -> None:
        """Refuse to show what an unfitted network makes of a picture."""
        self._need_weights()

    def on_test_start(self) -> None:
        """Refuse to score an unfitted network."""
        self._need_weights()

    def on_validation_start(self) -> None:
        """Refuse to score an unfitted network, but for the validation inside a fit."""
        if self.trainer.state.fn != "fit":
            self._need_weights()

    def _need_weights(self) -> None:
        if not self.fitted and any(parameter.requires_grad for parameter in self.parameters()):
            raise UserError(
                f"{type(self).__name__} has no trained weights yet: give --ckpt_path FILE from an earlier fit"
            )


def _verify(checkpoint: dict[str, Any], recipe: Recipe) -> None:
    """Refuse a checkpoint whose method or networks differ from those of ``recipe``.

    Raises:
        UserError: it names the first difference.
    """
    if KEY not in checkpoint:
        raise UserError(f"this checkpoint is not one of torchdenoise: {REMEDY}")
    stored = checkpoint[KEY]["recipe"]
    if _class(stored) is not _class(recipe):
        raise UserError(f"the checkpoint holds a {_name(stored)}, the model is a {_name(recipe)}")
    for part, theirs in stored["init_args"].items():
        ours = recipe["init_args"].get(part)
        if not _is_network(theirs) and not _is_network(ours):
            continue
        if not theirs or not ours or _class(theirs) is not _class(ours):
            raise UserError(f"the checkpoint's {part} is a {_name(theirs)}, the model's is a {_name(ours)}")
        differing = {key: value for key, value in theirs["init_args"].items() if ours["init_args"].get(key) != value}
        if "channels" in differing:
            raise UserError(f"the checkpoint's {part} was made for pictures of {differing['channels']} channel(s)")
        if differing:
            remedy = " ".join(f"--model.{part}.{key} {value}" for key, value in differing.items())
            raise UserError(f"the checkpoint's {part} was made with other arguments: add {remedy}")


def _class(recipe: Recipe) -> type | None:
    return resolve(recipe["class_path"])


def _is_network(value: Any) -> bool:
    cls = _class(dict(value)) if isinstance(value, Mapping) and "class_path" in value else None
    return cls is not None and issubclass(cls, Network)


def _name(recipe: Recipe | None) -> str:
    return recipe["class_path"].rpartition(".")[2] if recipe else "network that is not set"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's plain content, on the CPU; pickled code is refused, not run.

    Raises:
        UserError: no such file, or not one of our checkpoints.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of files that it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # bytes that are no checkpoint can make the unpickler raise anything
        reason = "it holds pickled code" if "GLOBAL" in str(error) else "it cannot be read as one"
        raise UserError(f"{path}: not a checkpoint of torchdenoise ({reason}): {REMEDY}") from None
    match content:
        case {"torchdenoise": {"format": int(number)}} if number > FORMAT:
            raise UserError(f"{path}: written by a newer torchdenoise (format {number}): upgrade torchdenoise")
        case {"torchdenoise": {"recipe": {"class_path": str(), "init_args": Mapping()}}, "state_dict": Mapping()}:
            ours = content[KEY]
            return {**content, KEY: {**ours, "recipe": with_public_paths(ours["recipe"])}}
    raise UserError(f"{path}: a checkpoint, but not one of torchdenoise: {REMEDY}")
