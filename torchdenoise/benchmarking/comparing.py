"""``compare()``: from methods, pictures and noise specs to rows, a table and a report."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from typing_extensions import override

from torchdenoise.benchmarking.columns import columns, row_key
from torchdenoise.benchmarking.figures import figures as drawn_figures
from torchdenoise.benchmarking.jobs import REAL, Job, Settings, bundles, plan, scenes
from torchdenoise.benchmarking.latex import latex
from torchdenoise.benchmarking.measuring import unfrozen_afterwards
from torchdenoise.benchmarking.methods import Method, Recipes, methods
from torchdenoise.benchmarking.report import report
from torchdenoise.benchmarking.running import outcomes
from torchdenoise.benchmarking.scoring import VERSION, Outcome, starting_parts, starting_point
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import markdown
from torchdenoise.data.headers import header
from torchdenoise.data.partners import check_partners
from torchdenoise.errors import DataError, UserError
from torchdenoise.extras import plotting
from torchdenoise.fitting import Options, accelerator, build, recipe_stacking_obstacle
from torchdenoise.fitting.choosing import is_choice
from torchdenoise.fitting.options import check_steps
from torchdenoise.isolation import check_seed
from torchdenoise.noise import from_spec
from torchdenoise.paths import read_errors
from torchdenoise.registry import load_plugins
from torchdenoise.workers import Workers

Paths = str | Path | Sequence[str | Path]
_logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Callbacks of a running comparison."""

    def on_message(self, line: str) -> None:
        """Take an informational message."""

    def on_plan(self, jobs: Sequence[Job], done: int) -> None:
        """Take all jobs, and the number of those that were done before."""

    def on_start(self, job: Job) -> None:
        """Take a job that is handed to a worker."""

    def on_end(self, job: Job, outcome: Outcome) -> None:
        """Take a job's outcome."""


class Silent(Listener):
    """A listener that logs messages and does nothing else."""

    @override
    def on_message(self, line: str) -> None:
        """Log it."""
        _logger.info(line)

    @override
    def on_plan(self, jobs: Sequence[Job], done: int) -> None:
        """Do nothing."""

    @override
    def on_start(self, job: Job) -> None:
        """Do nothing."""

    @override
    def on_end(self, job: Job, outcome: Outcome) -> None:
        """Do nothing."""


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
    figures: bool = False,
    spread: bool = False,
    listener: Listener | None = None,
    command: str = "",
) -> list[dict[str, Any]]:
    """Return a row for each method, picture, noise and seed, with numbers as numbers; a failure is a row too.

    All methods get the same noisy pictures, and only the metrics see the clean ones. No number depends on the order of
    anything, on what else is compared, or on the number of workers.

    Args:
        recipes: names, patterns (``"zsn2*"``), YAML files, ``"NAME=CHECKPOINT"``, variants
            ``"NAME=RECIPE:KEY=VALUE,KEY=VALUE"``; one string with commas, or a list. Or a mapping of names to a recipe
            (name, file or dict), ``(recipe, ["KEY=VALUE"])`` or a checkpoint's path.
        images: clean pictures, files or folders; with ``noisy``, its partners of the same names.
        noise: specs of synthetic noise for the clean pictures.
        noisy: noisy pictures; without clean partners there is no PSNR.
        seeds: of noise and fits.
        crop: side of the centre crop that is compared; by default the whole picture.
        max_steps: replaces the number of steps of every recipe.
        threads: per job; by default as many as torch uses.
        workers: jobs at a time; above 1 they compete for the processor, and seconds grow.
        batch: number of pictures that are fitted together where the method can; numbers differ by rounding.
        dask: address of a Dask cluster that does the jobs.
        device: as in ``denoise``.
        output: folder for ``results.csv``, ``table.md``, ``table.tex``, ``report.html`` and the pictures. Jobs that are
            done there are not repeated.
        figures: whether to draw figures for papers there; needs the extra ``figures``.
        spread: whether ``table.tex`` has the standard deviation between pictures beside the mean of each score.
        listener: its methods are called as the comparison runs.
        command: printed in the table and the report.

    Raises:
        UserError: anything that the caller can fix; before any work where possible.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> from torchdenoise.data import Picture, write_picture
        >>> picture = Picture.from_array((255 * np.random.default_rng(0).random((16, 16, 3))).astype(np.uint8))
        >>> path = Path(mkdtemp(), "a.png")
        >>> write_picture(path, picture.image, picture)
        >>> variants = {"zsn2n": "zsn2n", "wide": ("zsn2n", ["model.network.width=64"])}
        >>> wide, plain = compare(variants, path, "gaussian:25", max_steps=2)
        >>> plain["recipe"], plain["status"], plain["psnr"] > 10, wide["parameters"] > plain["parameters"]
        ('zsn2n', 'done', True, True)
    """
    for name, number in (("workers", workers), ("batch", batch), ("threads", threads), ("crop", crop)):
        if number is not None and number < 1:
            raise UserError(f"{name} {number}: must be at least 1")
    for seed in seeds:
        check_seed(seed)
    if figures:
        _check_figures(output)
    accelerator(device)
    load_plugins()
    listener = listener or Silent()
    named = _methods(recipes, max_steps)
    pictures = scenes(_paths(images), _paths(noisy))
    specs = noise.split(",") if isinstance(noise, str) and noise else noise
    # Fixed here: by default, each of several workers would use fewer threads than one alone.
    settings = Settings(crop, max_steps, threads or torch.get_num_threads(), device, batch)
    traits = {method.name: _traits(method, settings) for method in named}
    jobs = _feasible(plan(named, pictures, list(specs), seeds, settings), traits, listener.on_message)
    unshared = {name for name, trait in traits.items() if trait.reads_in_fit}
    _check_pictures(jobs)
    with _folder(output) as folder:
        store = Store(folder, jobs)
        done = store.done(jobs)
        listener.on_plan(jobs, len(done))
        _report_versions(store, done, listener.on_message)
        by_key = {job.key: job for job in jobs}
        missing = bundles((job for job in jobs if job.key not in done), unshared)
        with unfrozen_afterwards():
            for outcome in outcomes(missing, Workers(workers, dask), listener.on_start):
                store.add(outcome)
                listener.on_end(by_key[row_key(outcome.row)], outcome)
        store.tidy()
        rows = store.rows_of(jobs)
        if output is not None:
            store.write_page("table.md", markdown(rows, command))
            store.write_page("table.tex", latex(rows, command, spread=spread))
            store.write_page("report.html", report(store, jobs, command))
        if figures:
            for name, content in drawn_figures(store, jobs):
                store.write_figure(name, content)
    known = columns()
    return [{name: known[name].typed(row[name]) for name in known} for row in rows]


def _methods(recipes: Recipes, max_steps: int | None) -> list[Method]:
    """Return the methods of a comparison; steps are stated for all of them, or by variants."""
    named = methods(recipes)
    for method in named if max_steps is not None else ():
        check_steps(method.overrides, method.name)
    return named


def _check_figures(output: str | Path | None) -> None:
    """Refuse early what would be found out when all jobs are done."""
    plotting()
    if output is None:
        raise UserError("figures need a folder: give output")


@dataclass(frozen=True)
class _Traits:
    """What is known of a method once it is built."""

    requires: tuple[str, ...] = ()
    """What it needs to know beyond the noisy image."""
    stacking_obstacle: str = ""
    """Why its fits are not stacked, if they should be and are not."""
    reads_in_fit: bool = False
    """Whether its readout takes part in the fit."""


def _feasible(jobs: Sequence[Job], traits: Mapping[str, _Traits], on_message: Callable[[str], None]) -> list[Job]:
    """Return the jobs whose noise has what their method requires; those that cannot be stacked get a batch of one.

    Raises:
        UserError: no noise has what a method requires.
    """
    for name, trait in traits.items():
        if trait.stacking_obstacle:
            on_message(f"{name}, one picture at a time: {trait.stacking_obstacle}")
    feasible = []
    for job in jobs:
        trait = traits[job.method.name]
        if "level" not in trait.requires or _has_level(job.noise):
            single = replace(job.settings, batch=1)
            feasible.append(replace(job, settings=single) if trait.stacking_obstacle else job)
    left = {job.method.name for job in feasible}
    for job in jobs:
        if job.method.name not in left:
            raise UserError(
                f"{job.method.name} needs the true noise level, which only Gaussian noise of one level has: "
                "add --noise gaussian:25, or leave it out"
            )
    return feasible


def _traits(method: Method, settings: Settings) -> _Traits:
    """Return the traits of a method; UserError if it cannot be built."""
    together = settings.batch > 1
    start = starting_point(method)
    if method.recipe is None:
        return _Traits(stacking_obstacle="a checkpoint is applied" if together else "")
    if is_choice(method.recipe):
        return _Traits()
    options = Options(max_steps=settings.max_steps, overrides=method.overrides, parts=starting_parts(start))
    with read_errors(Path(method.name)):
        model = build(method.recipe, options)
    return _Traits(
        model.requires,
        recipe_stacking_obstacle(method.recipe, options) if together else "",
        model.readout.needs_outputs or model.reads_in_fit,
    )


def _has_level(noise: str) -> bool:
    return noise != REAL and from_spec(noise).level is not None


def _report_versions(store: Store, done: set[tuple[str, ...]], on_message: Callable[[str], None]) -> None:
    """Report rows that another version of torchdenoise has computed; they count as done."""
    versions = [row["torchdenoise"] for row in store.rows() if row_key(row) in done]
    others = sorted(set(versions) - {VERSION})
    if others:
        count = sum(each != VERSION for each in versions)
        on_message(f"{count} rows were computed by torchdenoise {', '.join(others)}; a new folder computes them again")


def _check_pictures(jobs: Sequence[Job]) -> None:
    """Raise UserError for pictures smaller than the crop, or that differ from their partners in size or type."""
    crop = jobs[0].settings.crop
    for scene in {job.scene.name: job.scene for job in jobs}.values():
        paths = [path for path in (scene.clean, scene.noisy) if path is not None]
        check_partners(paths, same_channels=True)
        found = header(paths[0])
        if min(found.height, found.width) < (crop or 1):
            raise DataError(f"{paths[0]}: {found.width}x{found.height} pixels, smaller than --crop {crop}: lower it")


def _paths(given: Paths) -> list[Path]:
    return [Path(path) for path in ([given] if isinstance(given, (str, Path)) else given)]


@contextlib.contextmanager
def _folder(output: str | Path | None) -> Iterator[Path]:
    if output is not None:
        yield Path(output)
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)
