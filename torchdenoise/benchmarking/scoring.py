"""Score jobs that share a fit or a stack: make the noisy images, denoise them, measure results and costs."""

import contextlib
import re
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import lightning
import torch
from torch import Tensor

from torchdenoise import __version__, metrics
from torchdenoise.benchmarking.columns import KEY, Key, Row, columns, row_key
from torchdenoise.benchmarking.jobs import REAL, Job
from torchdenoise.benchmarking.measuring import CostMeter, Curve, baseline, device_kind, device_name, peak_memory
from torchdenoise.benchmarking.methods import Method
from torchdenoise.data import Picture, read_partners
from torchdenoise.data.crops import cropped
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, DataError, UserError
from torchdenoise.fitting import Fitted, Options, Result, apply_denoiser, fit_images, fit_shared, unwrap
from torchdenoise.fitting.choosing import FITTED, ChosenFits, is_choice
from torchdenoise.isolation import torch_threads
from torchdenoise.metrics import MEASURED_LEVEL
from torchdenoise.noise import from_spec, measure_noise, repeatable
from torchdenoise.paths import read_errors

WARM_UP = 64
"""Side of the corner on which a method takes one step before the clock runs."""


def without_count(version: str) -> str:
    """Return a version without the number of commits since the last release, which no table should depend on.

    Example:
        >>> without_count("0.2.0.dev552"), without_count("0.2.0")
        ('0.2.0.dev', '0.2.0')
    """
    return re.sub(r"(?<=\.dev)\d+$", "", version)


VERSION = without_count(__version__)
"""Of the rows."""


@dataclass(frozen=True)
class ImagePair:
    """The images ``(1, C, H, W)`` of a job; only the metrics see the clean one."""

    noisy: Tensor
    clean: Tensor | None
    like: Picture
    """The picture whose type and metadata results have, cropped as they are."""


@dataclass
class Outcome:
    """What a job leaves: its row, its result and what that is stored like, and PSNR in the course of the fit."""

    row: Row
    result: tuple[Tensor, Picture] | None = None
    curve: Curve = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """The results of jobs that were done together, and what they cost."""

    results: Sequence[Result]
    seconds: Sequence[float]
    memory: float
    meter: CostMeter
    batch: int


def score(jobs: Sequence[Job], workers: int = 1) -> list[Outcome]:
    """Return the outcomes of jobs of one noise and seed, done together; a failure is a row too.

    They are one method on several pictures, or methods that share a fit to one picture. The process's number of threads
    is restored afterwards.
    """
    baseline()
    pairs: dict[Key, ImagePair] = {}
    outcomes: dict[Key, Outcome] = {}
    with torch_threads(jobs[0].settings.threads):
        for job in jobs:
            try:
                pairs[job.key] = read_images(job)
            except Exception as error:  # whatever a job raises is its own failure: the others go on
                outcomes[job.key] = failed(job, workers, error)
        ready = [job for job in jobs if job.key in pairs]
        made = _scored(ready, [pairs[job.key] for job in ready], workers) if ready else []
    outcomes |= {row_key(outcome.row): outcome for outcome in made}
    return [outcomes[job.key] for job in jobs]


def _scored(jobs: Sequence[Job], pairs: Sequence[ImagePair], workers: int) -> list[Outcome]:
    """Do jobs together, or one by one if that fails: one may have failed and the others not."""
    try:
        run = _run(jobs, pairs)
    except Exception as error:  # as above
        if len(jobs) == 1:
            return [failed(jobs[0], workers, error)]
        return [_scored([job], [pair], workers)[0] for job, pair in zip(jobs, pairs, strict=True)]
    each = zip(jobs, pairs, run.results, run.seconds, strict=True)
    return [_outcome(job, pair, result, seconds, run, workers) for job, pair, result, seconds in each]


def _run(jobs: Sequence[Job], pairs: Sequence[ImagePair]) -> Run:
    """Do jobs together, with the clock and the memory watched."""
    noisy = [pair.noisy for pair in pairs]
    stacked = _several_pictures(jobs)
    meter = CostMeter(noisy[0], None if stacked else pairs[0].clean)
    _warm_up(jobs, noisy[0])
    start = starting_point(jobs[0].method)
    with peak_memory(jobs[0].settings.device) as memory:
        begin = time.perf_counter()
        results = _denoised(jobs, noisy, start, (meter,))
        took = time.perf_counter() - begin - meter.spent
    if stacked:
        return Run(results, [took / len(jobs)] * len(jobs), memory[0], meter, len(jobs))
    fit = took - sum(meter.readings)  # each method that shares the fit is charged with all of it
    return Run(results, [fit + reading for reading in meter.readings], memory[0], meter, 1)


def _outcome(job: Job, pair: ImagePair, result: Result, seconds: float, run: Run, workers: int) -> Outcome:
    try:
        fitted = unwrap(result)
        if not torch.isfinite(fitted).all():
            raise UserError("the result holds NaN or infinity: lower the learning rate")
        scores = _scores(pair, fitted)
    except Exception as error:  # as above
        return failed(job, workers, error)
    row = _row(job, workers) | {
        "status": "done",
        **scores,
        "seconds": f"{seconds:.3f}",
        "steps": str(run.meter.steps),
        "parameters": str(run.meter.parameters),
        "memory_mb": f"{run.memory:.0f}",
        "batch": str(run.batch),
        "device": run.meter.device,
        "noise_found": result.noise if isinstance(result, Fitted) else "",
        "warning": "; ".join(result.assumption_warnings) if isinstance(result, Fitted) else "",
    }
    if isinstance(result, Fitted) and result.recipe == FITTED:
        row["weights"] = ""
    return Outcome(row, (fitted, pair.like), run.meter.curve)


def failed(job: Job, workers: int, error: Exception) -> Outcome:
    """Return the outcome of a job that raised an error."""
    line = " ".join(str(error).split())
    reason = line if isinstance(error, UserError) else f"{type(error).__name__}: {line}"
    return Outcome(_row(job, workers) | {"status": "failed", "error": reason})


def _row(job: Job, workers: int) -> Row:
    """Return what is known of a row before its job is done: all columns, most of them empty."""
    settings = job.settings
    return (
        dict.fromkeys(columns(), "")
        | dict(zip(KEY, job.key, strict=True))
        | {
            "crop": str(settings.crop or ""),
            "threads": str(settings.threads),
            "workers": str(workers),
            "device": device_name(device_kind(settings.device)),
            "torch": torch.__version__,
            "lightning": lightning.__version__,
            "torchdenoise": VERSION,
            "fingerprint": job.fingerprint(),
            "weights": " ".join(job.method.weights),
        }
    )


def _scores(pair: ImagePair, result: Tensor) -> Row:
    """Return all metrics of a result as text, and those of the noisy image that compare with the clean one.

    Without a clean image the noise is measured, so that a result can be compared with that.
    """
    level = _measured_level(pair.noisy) if pair.clean is None else 0.0
    batch = {"noisy": pair.noisy} | ({} if pair.clean is None else {"clean": pair.clean})
    batch |= {MEASURED_LEVEL: torch.tensor([level])} if level else {}
    found = metrics.scores(result, batch)
    found |= {f"noisy_{name}": value for name, value in metrics.scores(pair.noisy.clamp(0, 1), batch).items()}
    known = columns()
    texts = {name: f"{value.item():.{known[name].digits + 2}f}" for name, value in found.items() if name in known}
    return texts | ({MEASURED_LEVEL: f"{level:.4f}"} if level else {})


def _measured_level(noisy: Tensor) -> float:
    """Return the standard deviation of the noise on the 0-255 scale; 0 where there is none or it cannot be measured."""
    profile = measure_noise(noisy)
    return 0.0 if profile.unusable else 255 * profile.deviation(noisy).square().mean().sqrt().item()


def read_images(job: Job) -> ImagePair:
    """Return the images of a job, cropped to the centre.

    Raises:
        UserError: a picture that cannot be read, is smaller than the crop, or differs from its partner in size.
    """
    paths = {"clean": job.scene.clean, "noisy": job.scene.noisy}
    given = {name: path for name, path in paths.items() if path is not None}
    found = {}
    for (name, path), picture in zip(given.items(), read_partners(list(given.values())), strict=True):
        with read_errors(path):
            found[name] = cropped(picture, job.settings.crop)
    images = {name: picture.image for name, picture in found.items()}
    clean, noisy = images.get("clean"), images.get("noisy")
    if noisy is None:
        assert clean is not None
        return ImagePair(repeatable(from_spec(job.noise), clean, job.seed), clean, found["clean"])
    if clean is not None and clean.shape != noisy.shape:
        raise DataError(f"{job.scene.name}: noisy {tuple(noisy.shape[1:])} and clean {tuple(clean.shape[1:])} differ")
    return ImagePair(noisy, clean, found["noisy"])


def starting_point(method: Method) -> Denoiser | None:
    """Return the trained denoiser that a method applies or starts from, if any."""
    return None if method.checkpoint is None else Denoiser.load(method.checkpoint)


def starting_parts(start: Denoiser | None) -> dict[str, Any]:
    """Return the constructor arguments of a fit that starts from a trained denoiser."""
    return {} if start is None else {"network": start.result_network}


def _several_pictures(jobs: Sequence[Job]) -> bool:
    """Return whether jobs are one method on several pictures, and not methods that share a fit to one."""
    return len({job.scene for job in jobs}) > 1


def _denoised(
    jobs: Sequence[Job],
    noisy: Sequence[Tensor],
    start: Denoiser | None,
    callbacks: Sequence[lightning.Callback] = (),
    max_steps: int | None = None,
) -> Sequence[Result]:
    """Return the results of jobs that are done together."""
    job = jobs[0]
    device = job.settings.device
    if job.method.recipe is None:
        assert start is not None
        return [
            Fitted(apply_denoiser(start, image, device, callbacks, job.seed), noise=start.noise_line())
            for image in noisy
        ]
    options = Options(
        max_steps=max_steps or job.settings.max_steps,
        device=device,
        callbacks=callbacks,
        level=None if job.noise == REAL else from_spec(job.noise).level,
        seed=job.seed,
        parts=starting_parts(start),
    )
    methods = [each.method for each in jobs]
    fits = [(each.recipe, replace(options, overrides=each.overrides)) for each in methods if each.recipe]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # it is in the row
        if is_choice(fits[0][0]):
            return ChosenFits(options)(noisy)
        return fit_images(noisy, *fits[0]) if _several_pictures(jobs) else fit_shared(noisy[0], fits)


_warm: set[str] = set()
"""The fits that this process has warmed up."""


def _warm_up(jobs: Sequence[Job], noisy: Tensor) -> None:
    """Let each method take its first step on a corner: imports and the choice of kernels are no cost of a fit."""
    for job in jobs:
        if job.method.name not in _warm:
            _warm.add(job.method.name)
            with contextlib.suppress(UserError):  # the fit itself will raise it
                _denoised([job], [noisy[..., :WARM_UP, :WARM_UP]], starting_point(job.method), max_steps=1)
