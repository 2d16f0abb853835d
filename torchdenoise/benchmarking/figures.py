"""The figures of a comparison for papers."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from torchdenoise.benchmarking.crops import crops_figure
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.pictured import MAX_PICTURES, chosen, pictured
from torchdenoise.benchmarking.plots import level_plot, time_plot
from torchdenoise.benchmarking.printed import printed
from torchdenoise.benchmarking.series import against_level, against_time, kind_and_level, numbered
from torchdenoise.benchmarking.store import Store, noise_name, short_name
from torchdenoise.benchmarking.tables import contended, lines
from torchdenoise.noise import from_spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(store: Store, jobs: Sequence[Job]) -> Iterator[tuple[str, bytes]]:
    """Yield file name and content of each figure, as PDF and as SVG.

    They show details of the first pictures, PSNR against time for each noise, and PSNR against the level for each kind
    of noise with several levels.
    """
    for name, draw in _drawn(store, jobs):
        yield from printed(short_name(name), draw).items()


def _drawn(store: Store, jobs: Sequence[Job]) -> "Iterator[tuple[str, Callable[[], Figure]]]":
    rows = store.rows_of(jobs)
    table, numbers = lines(rows), numbered(jobs)
    seconds = "time for one picture (s)" + (", several jobs at a time" if contended(rows) else "")
    for noise in dict.fromkeys(line.noise for line in table):
        if points := against_time([line for line in table if line.noise == noise], numbers):
            yield f"time_{noise_name(noise)}", partial(time_plot, points, seconds)
    for kind, series in against_level(table, numbers).items():
        noise = next(line.noise for line in table if kind_and_level(line.noise)[0] == kind)
        yield f"levels_{kind.replace(' ', '-')}", partial(level_plot, series, _level_title(noise))
    for job in chosen(jobs, rows)[:MAX_PICTURES]:
        yield f"crops_{job.scene.name}_{noise_name(job.noise)}", partial(crops_figure, pictured(job, rows, store))


def _level_title(noise: str) -> str:
    """Return what the level of a noise is, as in "Gaussian noise, clipped: sigma"."""
    model = from_spec(noise.removesuffix(":clip"))
    clipped = ", clipped" if noise.endswith(":clip") else ""
    return f"{model.short_name.capitalize()} noise{clipped}: {next(iter(model.arguments))}"
