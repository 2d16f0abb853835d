"""``compare()``: methods, pictures and noises in, rows, a table and a report out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch

from torchdenoise.benchmarking.jobs import REAL, Job, Method, Recipes, Settings, bundles, methods, plan, scenes
from torchdenoise.benchmarking.report import report
from torchdenoise.benchmarking.running import outcomes
from torchdenoise.benchmarking.scoring import Outcome, Row, parts_of, row_key, starting_point
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import markdown
from torchdenoise.data.datasets import header
from torchdenoise.errors import UserError
from torchdenoise.fitting import Options, accelerator, build, recipe_stacking_obstacle
from torchdenoise.isolation import check_seed
from torchdenoise.noise import from_spec
from torchdenoise.paths import read_errors, write_errors

Paths = str | Path | Sequence[str | Path]


class Listener(Protocol):
    """What is told of a comparison while it runs."""

    def said(self, line: str) -> None:
        """Hear what is good to know."""

    def planned(self, jobs: Sequence[Job], done: int) -> None:
        """Hear of all jobs, and how many were done before."""

    def started(self, job: Job) -> None:
        """Hear that a job was handed to a worker."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Hear what became of it."""


class Silent:
    """A listener that says nothing."""

    def said(self, line: str) -> None:
        """Say nothing."""

    def planned(self, jobs: Sequence[Job], done: int) -> None:
        """Say nothing."""

    def started(self, job: Job) -> None:
        """Say nothing."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Say nothing."""


def compare(
    recipes: Recipes,
    images: Paths = (),
    noise: str | Sequence[str] = (),
    *,
    noisy: Paths = (),
    seeds: Sequence[int] = (0,),
    crop: int | None = None,
    max_steps: int | None = None,
    threads: int | None = None,
    workers: int = 1,
    batch: int = 1,
    dask: str | None = None,
    device: str = "auto",
    output: str | Path | None = None,
    listener: Listener | None = None,
    command: str = "",
) -> list[dict[str, Any]]:
    """Return a row for each method, picture, noise and seed, with numbers as numbers; a failure is a row too.

    All methods see the same noisy pictures, and nobody but the metric sees the clean ones. No number depends on the
    order of anything, on what else is compared, or on the number of workers.

    Args:
        recipes: names, patterns (``"zsn2*"``), YAML files, ``"NAME=CHECKPOINT"``, variants
            ``"NAME=RECIPE:KEY=VALUE,KEY=VALUE"``; one string with commas, or a list. Or a mapping of names to a recipe
            (name, file or dict), ``(recipe, ["KEY=VALUE"])`` or a checkpoint's path.
        images: clean pictures, files or folders; the partners of ``noisy`` where both are given.
        noise: specs of synthetic noise for the clean pictures.
        noisy: pictures with noise of their own; without clean partners there is no PSNR.
        seeds: of noise and fits.
        crop: side of the centre crop that is compared; the whole pictures unless given.
        max_steps: cuts every fit.
        threads: of each job; as many as torch takes unless given.
        workers: jobs at a time; above 1 the seconds are contended.
        batch: pictures that are fitted together where the method can, which rounds a little differently.
        dask: address of a Dask cluster that does the jobs.
        device: as in ``denoise``.
        output: folder for ``results.csv``, ``table.md``, ``report.html`` and the pictures; what is done there already
            is not done again.
        listener: told what happens.
        command: what the report says made it.

    Raises:
        UserError: whatever the caller can mend, before any work is done where it can be known before.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.data import Picture, write_picture
        >>> picture = Picture.from_array((255 * np.random.default_rng(0).random((16, 16, 3))).astype(np.uint8))
        >>> path = Path(mkdtemp(), "a.png")
        >>> write_picture(path, picture.image, picture)
        >>> [row] = compare("zsn2n", path, "gaussian:25", max_steps=2)
        >>> row["recipe"], row["status"], row["psnr"] > 10
        ('zsn2n', 'done', True)
    """
    for name, number in (("workers", workers), ("batch", batch), ("threads", threads), ("crop", crop)):
        if number is not None and number < 1:
            raise UserError(f"{name} {number}: must be at least 1")
    for seed in seeds:
        check_seed(seed)
    accelerator(device)
    listener = listener or Silent()
    named = methods(recipes)
    clean, own = (_paths(given) for given in (images, noisy))
    pictures = scenes(clean, own)
    specs = noise.split(",") if isinstance(noise, str) and noise else noise
    # Settled here: left to itself, each of several workers would take fewer threads than one alone.
    settings = Settings(crop, max_steps, threads or torch.get_num_threads(), device, batch)
    traits = {method.name: _traits(method, settings) for method in named}
    jobs = _suited(plan(named, pictures, list(specs), seeds, settings), traits, listener.said)
    gathering = {name for name, trait in traits.items() if trait.needs_outputs}
    _check_pictures(jobs)
    with _folder(output) as folder:
        store = Store(folder, jobs)
        done = store.done(jobs)
        listener.planned(jobs, len(done))
        by_key = {job.key: job for job in jobs}
        missing = bundles((job for job in jobs if job.key not in done), gathering)
        for outcome in outcomes(missing, workers, dask, listener.started):
            store.add(outcome)
            listener.ended(by_key[row_key(outcome.row)], outcome)
        store.tidy()
        rows = store.rows_of(jobs)
        if output is not None:
            with write_errors(folder):
                (folder / "table.md").write_text(markdown(rows, command), encoding="utf-8")
                (folder / "report.html").write_text(report(store, jobs, command), encoding="utf-8")
    return [_typed(row) for row in rows]


@dataclass(frozen=True)
class _Traits:
    """What is known of a method once it is built."""

    requires: tuple[str, ...] = ()
    """What it must be told."""
    alone: str = ""
    """Why its fits are not stacked, if they should be and are not."""
    needs_outputs: bool = False
    """Its readout accumulates outputs of the fit."""


def _suited(jobs: Sequence[Job], traits: Mapping[str, _Traits], say: Callable[[str], None]) -> list[Job]:
    """Return the jobs whose noise has what their method must be told, one by one where the method cannot be stacked.

    Raises:
        UserError: a method that none of the noises suits.
    """
    for name, trait in traits.items():
        if trait.alone:
            say(f"{name}, one picture at a time: {trait.alone}")
    fitting = []
    for job in jobs:
        trait = traits[job.method.name]
        if "level" not in trait.requires or _has_level(job.noise):
            fitting.append(replace(job, settings=replace(job.settings, batch=1)) if trait.alone else job)
    left = {job.method.name for job in fitting}
    for job in jobs:
        if job.method.name not in left:
            raise UserError(
                f"{job.method.name} is told the true level of the noise, which only Gaussian noise of one level has: "
                "add --noise gaussian:25, or leave it out"
            )
    return fitting


def _traits(method: Method, settings: Settings) -> _Traits:
    """Build a method and return what is known of it then; UserError if it cannot be built."""
    together = settings.batch > 1
    start = starting_point(method)
    if method.recipe is None:
        return _Traits(alone="a checkpoint is applied" if together else "")
    options = Options(max_steps=settings.max_steps, overrides=method.overrides, parts=parts_of(start))
    with read_errors(Path(method.name)):
        model = build(method.recipe, options)
    return _Traits(
        model.requires,
        recipe_stacking_obstacle(method.recipe, options) if together else "",
        model.readout.needs_outputs,
    )


def _has_level(noise: str) -> bool:
    return noise != REAL and from_spec(noise).level is not None


def _check_pictures(jobs: Sequence[Job]) -> None:
    """Raise UserError for pictures smaller than the crop, or that differ from their partners in size or type."""
    for scene in {job.scene.name: job.scene for job in jobs}.values():
        headers = {path: header(path) for path in (scene.clean, scene.noisy) if path is not None}
        if len({each.dtype for each in headers.values()}) > 1:
            told = ", ".join(f"{path} {each.dtype}" for path, each in headers.items())
            raise UserError(
                f"the pictures of a pair hold different types: {told}: write both with the same type and range"
            )
        sizes = {path: each[:3] for path, each in headers.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{path} {width}x{height}x{channels}" for path, (channels, height, width) in sizes.items())
            raise UserError(f"the pictures of a pair differ in size or kind: {told}")
        for path, (_, height, width) in sizes.items():
            if min(height, width) < (jobs[0].settings.crop or 1):
                raise UserError(
                    f"{path}: {width}x{height} pixels, smaller than --crop {jobs[0].settings.crop}: lower it"
                )


def _paths(given: Paths) -> list[Path]:
    return [Path(path) for path in ([given] if isinstance(given, (str, Path)) else given)]


@contextlib.contextmanager
def _folder(output: str | Path | None) -> Iterator[Path]:
    if output is not None:
        yield Path(output)
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


NUMBERS = {
    **dict.fromkeys(
        ("psnr", "ssim", "noisy_psnr", "noisy_ssim", "removed", "correlation", "seconds", "memory_mb"), float
    ),
    **dict.fromkeys(("seed", "steps", "parameters", "batch", "crop", "threads", "workers"), int),
}


def _typed(row: Row) -> dict[str, Any]:
    """Return a row with numbers as numbers, and None where there is nothing."""
    return {name: NUMBERS.get(name, str)(value) if value else None for name, value in row.items()}
