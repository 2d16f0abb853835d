"""Checkpoints: how a denoiser was built, beside Lightning's weights, and nothing that runs when it is read."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from torchdenoise.denoisers.networks import Network
from torchdenoise.errors import UserError
from torchdenoise.registry import Recipe, all_classes, class_path

KEY = "torchdenoise"
REMEDY = "give one that `torchdenoise fit` wrote"


def stamp(checkpoint: dict[str, Any], recipe: Recipe) -> None:
    """Write a denoiser's recipe into a checkpoint that is about to be saved."""
    checkpoint[KEY] = {"recipe": recipe}


def verify(checkpoint: dict[str, Any], recipe: Recipe) -> None:
    """Refuse a checkpoint whose method or networks differ from those of ``recipe``.

    Raises:
        UserError: it names the first difference.
    """
    if KEY not in checkpoint:
        raise UserError(f"this checkpoint is not one of torchdenoise: {REMEDY}")
    stored = checkpoint[KEY]["recipe"]
    if stored["class_path"] != recipe["class_path"]:
        raise UserError(f"the checkpoint holds a {_name(stored)}, the model is a {_name(recipe)}")
    for part, theirs in stored["init_args"].items():
        ours = recipe["init_args"].get(part)
        if not _is_network(theirs) and not _is_network(ours):
            continue
        if not theirs or not ours or theirs["class_path"] != ours["class_path"]:
            raise UserError(f"the checkpoint's {part} is a {_name(theirs)}, the model's is a {_name(ours)}")
        differing = {key: value for key, value in theirs["init_args"].items() if ours["init_args"].get(key) != value}
        if "channels" in differing:
            raise UserError(f"the checkpoint's {part} was made for pictures of {differing['channels']} channel(s)")
        if differing:
            remedy = " ".join(f"--model.{part}.{key} {value}" for key, value in differing.items())
            raise UserError(f"the checkpoint's {part} was made with other arguments: add {remedy}")


def _is_network(value: Any) -> bool:
    known = {class_path(cls) for cls in all_classes() if issubclass(cls, Network)}
    return isinstance(value, Mapping) and value.get("class_path") in known


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
    if not isinstance(content, dict) or KEY not in content or "state_dict" not in content:
        raise UserError(f"{path}: a checkpoint, but not one of torchdenoise: {REMEDY}")
    return content
