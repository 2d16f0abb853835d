"""The size of the model that a checkpoint describes, against that of its file: looked at before it takes memory."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from torchdenoise.errors import CheckpointError
from torchdenoise.stored_recipes import build

ALIGNED = 64
"""Bytes that the smallest tensor takes in a file: torch.save begins each at a multiple of them."""


def check_size(path: Path, recipe: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that describes a model with more values than its file has bytes.

    The model is built without memory, on torch's ``meta`` device, and no further than the file allows. One that cannot
    be built there is left to those who build it in earnest.

    Args:
        path: of the checkpoint.
        recipe: the plain recipe in it.

    Raises:
        CheckpointError: the file does not hold the weights of that model.
    """
    try:
        with torch.device("meta"), _Counted(path.stat().st_size):
            build(recipe)
    except _TooLargeError:
        raise CheckpointError(
            f"{path}: describes a model that is larger than the file: give one that `torchdenoise fit` wrote"
        ) from None
    except Exception:  # noqa: S110  building it in earnest raises the same, or succeeds
        pass


class _TooLargeError(Exception):
    """More tensors were made than fit into the file."""


class _Counted:
    """Raises _TooLargeError when the modules that this thread builds inside do not fit into ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.thread = threading.get_ident()

    def __enter__(self) -> None:
        registering = register_module_parameter_registration_hook, register_module_buffer_registration_hook
        self.hooks = [register(self._count) for register in registering]

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _count(self, _module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        """Count a tensor; a value takes a byte or more, whatever precision it has in the file."""
        if tensor is None or threading.get_ident() != self.thread:
            return
        self.left -= max(tensor.numel(), ALIGNED)
        if self.left < 0:
            raise _TooLargeError
