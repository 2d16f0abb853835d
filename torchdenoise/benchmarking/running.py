"""Jobs on the workers that there are: this process, others of this machine, or a cluster's, by joblib."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.scoring import Outcome, failed, row_key, score
from torchdenoise.errors import UserError

Started = Callable[[Job], None]


def outcomes(jobs: Sequence[Job], workers: int, dask: str | None, started: Started) -> Iterator[Outcome]:
    """Yield the outcome of each job as it ends.

    A worker that is killed takes those beside it along. What they were at is done again, one by one: a job whose worker
    dies for the second time is a failure, and no other job is.

    Args:
        jobs: what to do.
        workers: processes of this machine; with 1 this process does the work.
        dask: address of a Dask cluster that does it instead, if any.
        started: told of each job that is handed out.

    Raises:
        UserError: a Dask cluster that is asked for and not there.
    """
    left = list(jobs)
    with _engine(workers, dask):
        begun: list[Job] = []
        try:
            for outcome in _run(left, workers, started, begun):
                left = [job for job in left if job.key != row_key(outcome.row)]
                yield outcome
            return
        except TerminatedWorkerError:
            suspects = [job for job in begun if job in left]
    for job in suspects:
        yield _alone(job, workers, started)
    yield from outcomes([job for job in left if job not in suspects], workers, dask, started)


def _run(jobs: Iterable[Job], workers: int, started: Started, begun: list[Job]) -> Iterator[Outcome]:
    def handed_out() -> Iterator[Any]:
        for job in jobs:
            begun.append(job)
            started(job)
            yield delayed(score)(job, workers)

    # One job at a time for each worker: what was handed out and is not back is what a dead worker was at.
    yield from Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)(handed_out())


def _alone(job: Job, workers: int, started: Started) -> Outcome:
    try:
        with parallel_config("loky", n_jobs=2):  # of two workers one has nothing to do; with one there is no process
            return next(_run([job], workers, started, []))
    except TerminatedWorkerError:
        return failed(job, workers, "its worker process was killed twice: is there memory enough?")


@contextlib.contextmanager
def _engine(workers: int, dask: str | None) -> Iterator[None]:
    if dask is None:
        backend = "loky" if workers > 1 else "sequential"
        with parallel_config(backend, n_jobs=workers):
            yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise UserError("--dask needs the extra: pip install torchdenoise[cluster]") from None
    try:
        client = Client(dask, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(f"--dask {dask}: no cluster answers there ({error}); start one, or use --workers") from None
    with client, parallel_config("dask", wait_for_workers_timeout=10):
        yield
