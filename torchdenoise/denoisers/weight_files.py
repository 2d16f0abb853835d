"""Weights without the state of a fit: safetensors files with how to build the denoiser, and the shipped ones by name.

A name is ``torchdenoise:colour``; wherever a command takes a checkpoint, it takes a name or a safetensors file, too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from torchdenoise.bounded import load_json
from torchdenoise.errors import CheckpointError, UserError, did_you_mean
from torchdenoise.partial_files import completed
from torchdenoise.paths import SHIPPED

SUFFIX = ".safetensors"
KEY = "torchdenoise"
"""Of the description in a file's metadata."""
_FOLDER = Path(__file__).parent.parent / "weights"


def shipped_weights() -> dict[str, Path]:
    """Return the files of the weights that come with the package, by name.

    Example:
        >>> all(name.startswith("torchdenoise:") for name in shipped_weights())
        True
    """
    return {f"{SHIPPED}{path.stem}": path for path in sorted(_FOLDER.glob(f"*{SUFFIX}"))}


def located(path: str | Path) -> Path:
    """Return the file of a checkpoint, which may be the name of shipped weights.

    Raises:
        CheckpointError: no shipped weights have this name.

    Example:
        >>> located("runs/last.ckpt").name
        'last.ckpt'
    """
    name, shipped = str(path), shipped_weights()
    if not name.startswith(SHIPPED):
        return Path(path)
    if name not in shipped:
        known = ", ".join(shipped) or "none"
        raise CheckpointError(f"{name}: no such weights{did_you_mean(name, shipped)}; with this version come {known}")
    return shipped[name]


def read_weights(path: Path) -> dict[str, Any]:
    """Return the description and the weights of a file, as of a checkpoint; weights in half precision become float32.

    Raises:
        CheckpointError: it is damaged, or not one that ``write_weights`` wrote.
        OSError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            described = (file.metadata() or {}).get(KEY, "null")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged, or no safetensors file ({error}): get the file again") from None
    try:
        ours = load_json(described)
    except UserError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return {KEY: ours, "state_dict": {name: _whole(value) for name, value in weights.items()}}


def write_weights(
    path: Path, checkpoint: Mapping[str, Any], dtype: torch.dtype = torch.float16, **facts: str | float
) -> None:
    """Write the weights of a checkpoint, as ``read_checkpoint`` returns it, and how to build its denoiser.

    Args:
        path: of the file, which appears when it is complete.
        checkpoint: with the recipe under ``torchdenoise``.
        dtype: of floating-point weights in the file.
        facts: about the training, which are kept in the file.

    Raises:
        OSError: the place cannot be written to.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "a.safetensors")
        >>> write_weights(path, {"torchdenoise": {"format": 1}, "state_dict": {"w": torch.ones(2)}}, steps=5)
        >>> read_weights(path)["torchdenoise"]["training"], read_weights(path)["state_dict"]["w"].dtype
        ({'steps': 5}, torch.float32)
    """
    ours = {name: value for name, value in checkpoint[KEY].items() if name in ("format", "recipe")}
    weights = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in checkpoint["state_dict"].items()
    }
    with completed(path) as partial:
        partial.write_bytes(save(weights, {KEY: json.dumps({**ours, "training": facts})}))


def _whole(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
