"""What a job costs: steps, seconds, memory, and where it ran."""

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

from torchdenoise import __version__, metrics
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.isolation import uninterrupted

Curve = list[tuple[int, float]]
"""PSNR after steps of a fit."""
MARKS = 9
"""PSNR is looked at after all steps of a fit, after half of them, a quarter ..., so many times in all."""


class CostMeter(lightning.Callback):
    """Notes steps and parameters, and PSNR at a few steps; what that takes is not counted as the method's time."""

    def __init__(self, noisy: Tensor, clean: Tensor | None) -> None:
        self.noisy = noisy
        self.clean = clean
        self.curve: Curve = []
        self.spent = 0.0
        self.readings: list[float] = []
        self.steps = 0
        self.parameters = 0
        self.device = ""
        self._marks: set[int] = set()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Choose the steps after which PSNR is looked at."""
        steps = trainer.estimated_stepping_batches
        self._marks = {round(steps / 2**halvings) for halvings in range(MARKS)}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Look at PSNR where it is time."""
        if self.clean is None or trainer.global_step not in self._marks:
            return
        begin = time.perf_counter()
        denoised = pl_module.preview(self.noisy.to(pl_module.device)).clamp(0, 1).cpu()
        self.curve.append((trainer.global_step, metrics.psnr(denoised, self.clean).item()))
        self.spent += time.perf_counter() - begin

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Note how long the fit was, and how large."""
        self.steps = trainer.global_step
        self.device = device_name(pl_module.device.type)
        together = len(getattr(pl_module, "denoisers", [pl_module]))
        self.parameters = sum(parameter.numel() for parameter in pl_module.parameters()) // together
        self._reading_since = time.perf_counter()

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Note how long the clean picture took to be read; there may be several readings of one fit."""
        self.readings.append(time.perf_counter() - self._reading_since)


@contextlib.contextmanager
def peak_memory(device: str) -> Iterator[list[float]]:
    """Yield a list that holds, afterwards, how many MiB were in use at most beyond the imports, or on the GPU."""
    peak = [0.0]
    on_gpu = _chosen(device) == "cuda"
    _give_memory_back()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    begin, stop = baseline(), threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], _resident() - begin)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        if on_gpu:
            peak[0] = torch.cuda.max_memory_allocated() / 2**20


def _give_memory_back() -> None:
    """Return to the system what an earlier job has freed, or this one would be charged with it."""
    with uninterrupted():
        gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # a C library without malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@cache
def baseline() -> float:
    """Return what the process takes before its first job."""
    return _resident()


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def surroundings(job: Job, workers: int) -> dict[str, str]:
    """Return the columns of a row that tell where the job runs."""
    return {
        "crop": str(job.settings.crop or ""),
        "threads": str(job.settings.threads),
        "workers": str(workers),
        "device": device_name(_chosen(job.settings.device)),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "torchdenoise": __version__,
    }


def device_name(kind: str) -> str:
    """Return a kind of device and which one it is."""
    known = kind == "cuda" and torch.cuda.is_available()
    return f"{kind} ({torch.cuda.get_device_name() if known else platform.processor() or platform.machine()})"


def _chosen(device: str) -> str:
    """Return the kind of device that a setting comes to, as far as that is known before the job."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device.partition(":")[0]
