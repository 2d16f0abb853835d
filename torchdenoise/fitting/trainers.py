"""The Trainer of a zero-shot fit: silent, on the requested device, writing no files."""

from collections.abc import Callable, Mapping
from typing import Any

import lightning
import torch
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from typing_extensions import override

from torchdenoise.errors import RecipeError, Stopped, UserError
from torchdenoise.fitting.budget import Progress
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.step_graphs import StepGraphs

HYGIENE: Mapping[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
}
"""Trainer arguments that keep a zero-shot fit silent and write no files."""


def accelerator(device: str) -> dict[str, Any]:
    """Return the Trainer's arguments for a device name.

    Raises:
        UserError: not a device, or not available.

    Example:
        >>> accelerator("cpu")
        {'accelerator': 'cpu', 'devices': 1}
    """
    if device == "auto":
        return {"accelerator": "auto", "devices": 1}
    try:
        requested = torch.device(device)
    except RuntimeError:
        raise UserError(f"device {device}: not one of auto, cpu, cuda, cuda:N, mps") from None
    if requested.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    present = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(requested.type, 0)
    if (requested.index or 0) >= present:
        raise UserError(f"device {device}: PyTorch finds {present or 'none'} of this kind here; use --device cpu")
    return {"accelerator": requested.type, "devices": 1 if requested.type == "mps" else [requested.index or 0]}


def on_cuda(device: str) -> bool:
    """Return whether fits on a device of this name run on a CUDA GPU.

    Example:
        >>> on_cuda("cpu")
        False
    """
    return device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())


def make_trainer(arguments: Mapping[str, Any], options: Options) -> lightning.Trainer:
    """Return the Trainer of a recipe's arguments and a caller's options.

    Raises:
        UserError: the device is not available.
        RecipeError: the Trainer refuses an argument of the recipe.
    """
    given = {**arguments, **HYGIENE, **accelerator(options.device), "num_nodes": 1}
    given["precision"] = precision_here(given.get("precision"), given["accelerator"])
    for name, value in given.items():
        if any(isinstance(each, Namespace) for each in (value if isinstance(value, list) else [value])):
            raise RecipeError(f"trainer.{name}: an object of the Trainer is for `torchdenoise fit`: leave it out here")
    callbacks = [*(given.pop("callbacks", None) or []), *options.callbacks]
    if options.progress is not None:
        callbacks.append(_ProgressCallback(options.progress))
    callbacks += [*stop_callbacks(options), *([StepGraphs()] if options.graphs else [])]
    try:
        return lightning.Trainer(**given, callbacks=callbacks)
    except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
        raise RecipeError(f"trainer: {' '.join(str(error).split())}") from error


def stop_callbacks(options: Options) -> list[lightning.Callback]:
    """Return the callback that asks the caller's ``should_stop``, if there is one."""
    return [] if options.should_stop is None else [_StopCallback(options.should_stop)]


def precision_here(requested: Any, accelerator: str) -> Any:
    """Return the requested precision, but full precision for ``bf16-mixed`` if the machine only emulates it.

    Example:
        >>> precision_here("32-true", "cpu")
        '32-true'
    """
    return requested if requested != "bf16-mixed" or _has_bf16(accelerator) else "32-true"


def _has_bf16(accelerator: str) -> bool:
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not capabilities:  # an older torch, which only names the instruction set
        return torch.backends.cpu.get_cpu_capability() != "AVX2"
    return any(present for name, present in capabilities.items() if "bf16" in name)


class _ProgressCallback(lightning.Callback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    @override
    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        self.progress(trainer.global_step, pl_module.plan.steps)


class _StopCallback(lightning.Callback):
    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop

    def _ask(self) -> None:
        if self.should_stop():
            raise Stopped("stopped, as should_stop asked; there is no result")

    @override
    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        self._ask()

    @override
    def on_predict_batch_start(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        self._ask()  # between frames, and for methods that fit nothing
