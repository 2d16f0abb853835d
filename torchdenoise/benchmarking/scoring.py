"""Jobs that are done at once: noisy pictures made, denoised and scored, with the clock and the memory watched."""

import contextlib
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise import metrics
from torchdenoise.benchmarking.jobs import REAL, Job, Method
from torchdenoise.benchmarking.measuring import CostMeter, Curve, baseline, peak_memory, surroundings
from torchdenoise.data import read_partners
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.fitting import Fitted, Options, Result, apply_denoiser, fit_images, fit_shared
from torchdenoise.noise import from_spec, repeatable

FIELDS = [
    "recipe", "image", "noise", "seed", "status", "psnr", "ssim", "noisy_psnr", "noisy_ssim", "removed", "correlation",
    "seconds", "steps", "parameters", "memory_mb", "batch", "crop", "threads", "workers", "device", "torch",
    "lightning", "torchdenoise", "fingerprint", "warning", "error",
]  # fmt: skip
"""The columns of ``results.csv``; `removed` is the deviation of what was taken away on the 0-255 scale, `correlation`
that of neighbouring pixels of it, which is 0 for noise that is independent from pixel to pixel, `warning` what the
method found wrong with the noise. `batch` pictures were fitted together: the seconds are a share, the memory is all."""

WARM_UP = 64
"""Side of the corner on which a method takes a step before the clock runs."""

Row = dict[str, str]
Key = tuple[str, str, str, str]
Pictures = tuple[Tensor, Tensor | None]
"""Noisy and, where there is one, clean image."""


def row_key(row: Row) -> Key:
    """Return what names a row, as the key of a job does."""
    return (row["recipe"], row["image"], row["noise"], row["seed"])


@dataclass
class Outcome:
    """What a job leaves: its row, its picture in 8 bits, and how PSNR went."""

    row: Row
    picture: NDArray[np.uint8] | None = None
    curve: Curve = field(default_factory=list)


def score(jobs: Sequence[Job], workers: int = 1) -> list[Outcome]:
    """Return the outcomes of jobs of one noise and seed, done together; a failure is a row too.

    They are a method's on several pictures, or of methods that read one fit to one picture.
    The process has as many threads afterwards as before.
    """
    baseline()
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
    several = _several_pictures(jobs)
    watch = CostMeter(noisy[0], None) if several else CostMeter(*pictures[0])
    try:
        _warm_up(jobs, noisy[0])
        start = starting_point(jobs[0].method)
        with peak_memory(jobs[0].settings.device) as memory:
            begin = time.perf_counter()
            results = _denoised(jobs, noisy, start, watch)
            took = time.perf_counter() - begin - watch.spent
        # A method that shares its fit is charged with all of it, and with its own reading.
        readings = [took / len(jobs)] * len(jobs) if several else watch.readings
        fit = took - sum(readings)
    except Exception as error:  # as above
        if len(jobs) > 1:  # one may fail where all would do by themselves
            return [_outcomes([job], [pair], workers)[0] for job, pair in zip(jobs, pictures, strict=True)]
        return [failed(jobs[0], workers, _one_line(error))]
    about = {
        "status": "done",
        "steps": str(watch.steps),
        "parameters": str(watch.parameters),
        "memory_mb": f"{memory[0]:.0f}",
        "batch": str(len(noisy)) if several else "1",
        "device": watch.device,
    }
    made = []
    for job, (image, clean), result, reading in zip(jobs, pictures, results, readings, strict=True):
        if isinstance(result, UserError):
            made.append(failed(job, workers, _one_line(result)))
            continue
        if not torch.isfinite(result.image).all():
            made.append(failed(job, workers, "the result holds NaN or infinity: lower the learning rate"))
            continue
        own = {"seconds": f"{fit + reading:.3f}", "warning": "; ".join(result.assumption_warnings)}
        row = _begun(job, workers) | about | own | _scores(image, clean, result.image)
        made.append(Outcome(row, as_bytes(result.image), watch.curve))
    return made


def _several_pictures(jobs: Sequence[Job]) -> bool:
    """Return whether jobs are a method's on several pictures, or else what methods read out of a fit to one."""
    return len({job.scene for job in jobs}) > 1


def failed(job: Job, workers: int, error: str) -> Outcome:
    """Return the outcome of a job that came to nothing."""
    return Outcome(_begun(job, workers) | {"status": "failed", "error": error})


def _begun(job: Job, workers: int) -> Row:
    named = dict(zip(("recipe", "image", "noise", "seed"), job.key, strict=True))
    return dict.fromkeys(FIELDS, "") | named | surroundings(job, workers) | {"fingerprint": job.fingerprint()}


def images(job: Job) -> tuple[Tensor, Tensor | None]:
    """Return the noisy and the clean image ``(1, C, H, W)`` of a job, cropped to its centre.

    Raises:
        UserError: a picture that cannot be read, is smaller than the crop, or differs from its partner in size.
    """
    paths = {"clean": job.scene.clean, "noisy": job.scene.noisy}
    given = {name: path for name, path in paths.items() if path is not None}
    pictures = zip(given.items(), read_partners(list(given.values())), strict=True)
    found = {name: _cropped(path, picture.image, job.settings.crop) for (name, path), picture in pictures}
    clean, noisy = found.get("clean"), found.get("noisy")
    if noisy is None:
        assert clean is not None
        return repeatable(from_spec(job.noise), clean, job.seed), clean
    if clean is not None and clean.shape != noisy.shape:
        raise UserError(f"{job.scene.name}: noisy {tuple(noisy.shape[1:])} and clean {tuple(clean.shape[1:])} differ")
    return noisy, clean


def _cropped(path: Path, image: Tensor, crop: int | None) -> Tensor:
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


def starting_point(method: Method) -> Denoiser | None:
    """Return the trained denoiser that a method applies or begins with, if any."""
    return None if method.checkpoint is None else Denoiser.load(method.checkpoint)


def parts_of(start: Denoiser | None) -> dict[str, Any]:
    """Return with which parts a fit begins that starts there."""
    return {} if start is None else {"network": start.stages()[-1].network}


def _denoised(
    jobs: Sequence[Job],
    noisy: Sequence[Tensor],
    start: Denoiser | None,
    watch: CostMeter | None,
    max_steps: int | None = None,
) -> Sequence[Result]:
    """Return the results of jobs that are done at once; nobody but the watch sees a clean image."""
    job = jobs[0]
    method, device = job.method, job.settings.device
    callbacks = () if watch is None else (watch,)
    if method.recipe is None:
        assert start is not None
        return [Fitted(apply_denoiser(start, image, device, callbacks, job.seed)) for image in noisy]
    level = None if job.noise == REAL else from_spec(job.noise).level
    steps = max_steps or job.settings.max_steps
    options = Options(
        max_steps=steps, device=device, callbacks=callbacks, level=level, seed=job.seed, parts=parts_of(start)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # it is in the row
        if _several_pictures(jobs):
            return fit_images(noisy, method.recipe, options)
        return fit_shared(noisy[0], [(each.method.recipe, options) for each in jobs if each.method.recipe])


_warm: set[str] = set()
"""The methods that this process has run already."""


def _warm_up(jobs: Sequence[Job], noisy: Tensor) -> None:
    """Take the methods' first step on a corner, so that imports and kernels are there before the clock runs."""
    for job in jobs:
        if job.method.name not in _warm:
            _warm.add(job.method.name)
            with contextlib.suppress(UserError):  # what is wrong, the picture itself will tell
                _denoised([job], [noisy[..., :WARM_UP, :WARM_UP]], starting_point(job.method), None, max_steps=1)


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


def _one_line(error: Exception) -> str:
    told = " ".join(str(error).split())
    return told if isinstance(error, UserError) else f"{type(error).__name__}: {told}"
