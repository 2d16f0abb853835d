"""Runs the jobs of a comparison: in this process, in others of this machine, or on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.scoring import Outcome, failed, score
from torchdenoise.errors import UserError
from torchdenoise.workers import KILLED_TWICE, Work, Workers, spread


def outcomes(bundles: Sequence[Sequence[Job]], workers: Workers, on_start: Callable[[Job], None]) -> Iterator[Outcome]:
    """Yield the outcome of each job when its bundle ends; a job whose worker is killed twice is a failure.

    Args:
        bundles: groups of jobs that are done together.
        workers: who does them.
        on_start: called with each job that is handed out.

    Raises:
        UserError: the Dask cluster cannot be reached.
    """

    def start(bundle: Sequence[Job]) -> None:
        for job in bundle:
            on_start(job)

    def lost(job: Job) -> list[Outcome]:
        return [failed(job, workers.count, UserError(KILLED_TWICE))]

    for _, made in spread(bundles, Work(partial(score, workers=workers.count), lost, start), workers):
        yield from made
