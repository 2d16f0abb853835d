"""One job: a noisy picture made, denoised and scored, alone in its process, with the clock and the memory watched."""

import contextlib
import ctypes
import gc
import platform
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise import __version__, metrics
from torchdenoise.benchmarking.jobs import REAL, Job
from torchdenoise.data import read_picture
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.fitting import Fitted, Options, Result, apply_denoiser, fit_images
from torchdenoise.noise import from_spec, repeatable

FIELDS = [
    "recipe", "image", "noise", "seed", "status", "psnr", "ssim", "noisy_psnr", "noisy_ssim", "removed", "correlation",
    "seconds", "steps", "parameters", "memory_mb", "batch", "crop", "threads", "workers", "device", "torch",
    "lightning", "torchdenoise", "fingerprint", "warning", "error",
]  # fmt: skip
"""The columns of ``results.csv``; `removed` is the deviation of what was taken away on the 0-255 scale, `correlation`
that of neighbouring pixels of it, which is 0 for noise that is independent from pixel to pixel, `warning` what the
method found wrong with the noise. `batch` pictures were fitted together: the seconds are a share, the memory is all."""

Row = dict[str, str]
Curve = list[tuple[int, float]]
"""PSNR after steps of a fit."""


Key = tuple[str, str, str, str]


def row_key(row: Row) -> Key:
    """Return what names a row, as the key of a job does."""
    return (row["recipe"], row["image"], row["noise"], row["seed"])


WARM_UP = 64
"""Side of the corner on which a method takes a step before the clock runs."""
MARKS = 9
"""PSNR is looked at after all steps of a fit, after half of them, a quarter ..., so many times in all."""


@dataclass
class Outcome:
    """What a job leaves: its row, its picture in 8 bits, and how PSNR went."""

    row: Row
    picture: NDArray[np.uint8] | None = None
    curve: Curve = field(default_factory=list)


Pictures = tuple[Tensor, Tensor | None]
"""Noisy and, where there is one, clean image."""


def score(jobs: Sequence[Job], workers: int = 1) -> list[Outcome]:
    """Return the outcomes of jobs of one method, noise and seed, done together; a failure is a row too.

    The process has as many threads afterwards as before.
    """
    _baseline()
    threads = torch.get_num_threads()
    torch.set_num_threads(jobs[0].settings.threads)
    pictures: dict[Key, Pictures] = {}
    outcomes: dict[Key, Outcome] = {}
    try:
        for job in jobs:
            try:
                pictures[job.key] = images(job)
            except Exception as error:  # whatever a job raises is its own failure, and the others go on
                outcomes[job.key] = failed(job, workers, _one_line(error))
        ready = [job for job in jobs if job.key in pictures]
        made = _outcomes(ready, [pictures[job.key] for job in ready], workers) if ready else []
    finally:
        torch.set_num_threads(threads)
    outcomes |= {row_key(outcome.row): outcome for outcome in made}
    return [outcomes[job.key] for job in jobs]


def _outcomes(jobs: Sequence[Job], pictures: Sequence[Pictures], workers: int) -> list[Outcome]:
    noisy = [image for image, _ in pictures]
    watch = _Watch(*pictures[0]) if len(jobs) == 1 else _Watch(noisy[0], None)
    try:
        _warm_up(jobs[0], noisy[0])
        with _peak_memory() as memory:
            begin = time.perf_counter()
            results = _denoised(jobs[0], noisy, watch)
            seconds = (time.perf_counter() - begin - watch.spent) / len(jobs)
    except Exception as error:  # as above
        if len(jobs) > 1:  # one may fail where all would do by themselves
            return [_outcomes([job], [pair], workers)[0] for job, pair in zip(jobs, pictures, strict=True)]
        return [failed(jobs[0], workers, _one_line(error))]
    about = {
        "status": "done",
        "seconds": f"{seconds:.3f}",
        "steps": str(watch.steps),
        "parameters": str(watch.parameters),
        "memory_mb": f"{memory[0]:.0f}",
        "batch": str(len(jobs)),
    }
    made = []
    for job, (image, clean), result in zip(jobs, pictures, results, strict=True):
        if isinstance(result, UserError):
            made.append(failed(job, workers, _one_line(result)))
            continue
        row = _begun(job, workers) | about | {"warning": "; ".join(result.doubts)} | _scores(image, clean, result.image)
        made.append(Outcome(row, as_bytes(result.image), watch.curve))
    return made


def failed(job: Job, workers: int, error: str) -> Outcome:
    """Return the outcome of a job that came to nothing."""
    return Outcome(_begun(job, workers) | {"status": "failed", "error": error})


def _begun(job: Job, workers: int) -> Row:
    named = dict(zip(("recipe", "image", "noise", "seed"), job.key, strict=True))
    return dict.fromkeys(FIELDS, "") | named | _surroundings(job, workers) | {"fingerprint": job.fingerprint()}


def images(job: Job) -> tuple[Tensor, Tensor | None]:
    """Return the noisy and the clean image ``(1, C, H, W)`` of a job, cropped to its centre.

    Raises:
        UserError: a picture that cannot be read, is smaller than the crop, or differs from its partner in size.
    """
    clean, noisy = (_cropped(path, job.settings.crop) for path in (job.scene.clean, job.scene.noisy))
    if noisy is None:
        assert clean is not None
        return repeatable(from_spec(job.noise), clean, job.seed), clean
    if clean is not None and clean.shape != noisy.shape:
        raise UserError(f"{job.scene.name}: noisy {tuple(noisy.shape[1:])} and clean {tuple(clean.shape[1:])} differ")
    return noisy, clean


def _cropped(path: Path | None, crop: int | None) -> Tensor | None:
    if path is None:
        return None
    image = read_picture(path).image
    height, width = image.shape[-2:]
    if crop is None:
        return image
    if min(height, width) < crop:
        raise UserError(f"{path}: {width}x{height} pixels, smaller than the crop of {crop}: lower --crop")
    top, left = (height - crop) // 2, (width - crop) // 2
    return image[..., top : top + crop, left : left + crop]


def as_bytes(image: Tensor) -> NDArray[np.uint8]:
    """Return ``(1, C, H, W)`` in 0..1 as ``(H, W, C)`` in 8 bits, to be looked at."""
    array: NDArray[np.uint8] = image[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    return array


def _denoised(
    job: Job, noisy: Sequence[Tensor], watch: "_Watch | None", max_steps: int | None = None
) -> Sequence[Result]:
    """Return the method's results; nobody but the watch sees a clean image."""
    method, device = job.method, job.settings.device
    callbacks = () if watch is None else (watch,)
    start = None if method.checkpoint is None else Denoiser.load(method.checkpoint)
    if method.recipe is None:
        assert start is not None
        return [Fitted(apply_denoiser(start, image, device, callbacks)) for image in noisy]
    level = None if job.noise == REAL else from_spec(job.noise).level
    parts = {} if start is None else {"network": start.stages()[-1].network}
    steps = max_steps or job.settings.max_steps
    options = Options(max_steps=steps, device=device, callbacks=callbacks, level=level, seed=job.seed, parts=parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # it is in the row
        return fit_images(noisy, method.recipe, options)


_warm: set[str] = set()
"""The methods that this process has run already."""


def _warm_up(job: Job, noisy: Tensor) -> None:
    """Take a method's first step on a corner, so that imports and kernels are there before the clock runs."""
    if job.method.name in _warm:
        return
    _warm.add(job.method.name)
    with contextlib.suppress(UserError):  # what is wrong, the picture itself will tell
        _denoised(job, [noisy[..., :WARM_UP, :WARM_UP]], None, max_steps=1)


class _Watch(lightning.Callback):
    """Notes steps and parameters, and PSNR at a few steps; what that takes is not counted as the method's time."""

    def __init__(self, noisy: Tensor, clean: Tensor | None) -> None:
        self.noisy = noisy
        self.clean = clean
        self.curve: Curve = []
        self.spent = 0.0
        self.steps = 0
        self.parameters = 0
        self._marks: set[int] = set()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        steps = trainer.estimated_stepping_batches
        self._marks = {round(steps / 2**halvings) for halvings in range(MARKS)}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if self.clean is None or trainer.global_step not in self._marks:
            return
        begin = time.perf_counter()
        denoised = pl_module.glimpse(self.noisy.to(pl_module.device)).clamp(0, 1).cpu()
        self.curve.append((trainer.global_step, metrics.psnr(denoised, self.clean).item()))
        self.spent += time.perf_counter() - begin

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        self.steps = trainer.global_step
        together = len(getattr(pl_module, "denoisers", [pl_module]))
        self.parameters = sum(parameter.numel() for parameter in pl_module.parameters()) // together


@contextlib.contextmanager
def _peak_memory() -> Iterator[list[float]]:
    """Yield a list that holds, afterwards, how many MiB were in use at most beyond the imports, or on the GPU."""
    peak = [0.0]
    _give_memory_back()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    begin, stop = _baseline(), threading.Event()

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
        if torch.cuda.is_available():
            peak[0] = torch.cuda.max_memory_allocated() / 2**20


def _give_memory_back() -> None:
    """Return to the system what an earlier job has freed, or this one would be charged with it."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # a C library without malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _baseline() -> float:
    """Return what the process takes before its first job."""
    return _resident()


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def _scores(noisy: Tensor, clean: Tensor | None, result: Tensor) -> Row:
    removed = 255 * (noisy - result)
    row = {"removed": f"{removed.std():.3f}", "correlation": f"{_neighbours(removed):.3f}"}
    if clean is not None:
        for name, image in (("", result), ("noisy_", noisy.clamp(0, 1))):
            row[f"{name}psnr"] = f"{metrics.psnr(image, clean).item():.4f}"
            row[f"{name}ssim"] = f"{metrics.ssim(image, clean).item():.5f}"
    return row


def _neighbours(removed: Tensor) -> float:
    """Return the mean correlation of a pixel with its right and its lower neighbour."""
    centred = removed - removed.mean((-2, -1), keepdim=True)
    across = (centred[..., :-1] * centred[..., 1:]).mean()
    down = (centred[..., :-1, :] * centred[..., 1:, :]).mean()
    return float((across + down) / 2 / centred.square().mean().clamp(min=1e-12))


def _surroundings(job: Job, workers: int) -> Row:
    device = job.settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device.startswith("cuda") and torch.cuda.is_available() else _processor()
    return {
        "crop": str(job.settings.crop or ""),
        "threads": str(job.settings.threads),
        "workers": str(workers),
        "device": f"{device} ({name})",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "torchdenoise": __version__,
    }


def _processor() -> str:
    return platform.processor() or platform.machine()


def _one_line(error: Exception) -> str:
    told = " ".join(str(error).split())
    return told if isinstance(error, UserError) else f"{type(error).__name__}: {told}"
