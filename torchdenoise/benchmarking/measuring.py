"""What a job costs: steps, seconds and memory, and on which device."""

import contextlib
import ctypes
import gc
import platform
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import lightning
import psutil
import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise import metrics
from torchdenoise.isolation import uninterrupted

Curve = list[tuple[int, float]]
"""PSNR after steps of a fit."""
CURVE_POINTS = 9
"""PSNR is computed after all steps of a fit, after half of them, after a quarter, and so on: this many times."""


class CostMeter(lightning.Callback):
    """Records steps, parameters and PSNR during a fit; the seconds that this takes are ``spent``, not the method's."""

    def __init__(self, noisy: Tensor, clean: Tensor | None) -> None:
        self.noisy = noisy
        self.clean = clean
        self.curve: Curve = []
        self.spent = 0.0
        self.readings: list[float] = []
        """Seconds of each readout of the fit."""
        self.steps = 0
        self.parameters = 0
        self.device = ""
        self._curve_steps: set[int] = set()

    @override
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Choose the steps after which PSNR is computed."""
        steps = trainer.estimated_stepping_batches
        self._curve_steps = {round(steps / 2**halvings) for halvings in range(CURVE_POINTS)}

    @override
    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Compute PSNR after the chosen steps."""
        if self.clean is None or trainer.global_step not in self._curve_steps:
            return
        begin = time.perf_counter()
        denoised = pl_module.preview(self.noisy.to(pl_module.device)).clamp(0, 1).cpu()
        self.curve.append((trainer.global_step, metrics.psnr(denoised, self.clean).item()))
        self.spent += time.perf_counter() - begin

    @override
    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Record the number of steps and parameters."""
        self.steps = trainer.global_step
        self.device = device_name(pl_module.device.type)
        stacked = len(getattr(pl_module, "denoisers", [pl_module]))
        self.parameters = sum(parameter.numel() for parameter in pl_module.parameters()) // stacked
        self._reading_since = time.perf_counter()

    @override
    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the seconds of this readout."""
        self.readings.append(time.perf_counter() - self._reading_since)


@contextlib.contextmanager
def peak_memory(device: str) -> Iterator[list[float]]:
    """Yield a list of one number: afterwards the largest MiB in use above ``baseline``, or in use on the GPU."""
    peak = [0.0]
    on_gpu = device_kind(device) == "cuda"
    _release_memory()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    begin, stop = baseline(), threading.Event()

    def poll() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], _resident() - begin)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        if on_gpu:
            peak[0] = torch.cuda.max_memory_allocated() / 2**20


@contextlib.contextmanager
def unfrozen_afterwards() -> Iterator[None]:
    """Let the garbage collector look at old objects again after many jobs: each froze what was there before it."""
    try:
        yield
    finally:
        gc.unfreeze()


def _release_memory() -> None:
    """Return to the system what an earlier job has freed; it would count as this job's."""
    with uninterrupted():
        gc.collect()
        gc.freeze()  # the next job collects only what is new, in a hundredth of the time
    with contextlib.suppress(OSError, AttributeError):  # a C library without malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@cache
def baseline() -> float:
    """Return the MiB that the process uses before its first job."""
    return _resident()


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def device_name(kind: str) -> str:
    """Return a kind of device with the name of this machine's."""
    known = kind == "cuda" and torch.cuda.is_available()
    return f"{kind} ({torch.cuda.get_device_name() if known else platform.processor() or platform.machine()})"


def device_kind(device: str) -> str:
    """Return the kind of device of a setting: ``"cuda"`` for ``"cuda:1"``, or for ``"auto"`` with a GPU."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device.partition(":")[0]
