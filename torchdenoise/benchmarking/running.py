"""Jobs on the workers that there are: this process, others of this machine, or a cluster's, by joblib."""

import contextlib
import importlib
import itertools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.scoring import Outcome, failed, row_key, score
from torchdenoise.errors import UserError
from torchdenoise.registry import all_classes

Started = Callable[[Job], None]


def outcomes(bundles: Sequence[Sequence[Job]], workers: int, dask: str | None, started: Started) -> Iterator[Outcome]:
    """Yield the outcome of each job as its bundle ends.

    A worker that is killed takes those beside it along. What they were at is done again, job by job: one whose worker
    dies for the second time is a failure, and no other is.

    Args:
        bundles: what to do; the jobs of each are done together.
        workers: processes of this machine; with 1 this process does the work.
        dask: address of a Dask cluster that does it instead, if any.
        started: told of each job that is handed out.

    Raises:
        UserError: a Dask cluster that is asked for and not there.
    """
    left = list(bundles)
    with _engine(workers, dask):
        begun: list[Sequence[Job]] = []
        try:
            for made in _run(left, workers, started, begun):
                left = [bundle for bundle in left if bundle[0].key != row_key(made[0].row)]
                yield from made
            return
        except TerminatedWorkerError:
            suspects = [bundle for bundle in begun if bundle in left]
    for job in itertools.chain(*suspects):
        yield _alone(job, workers, started)
    yield from outcomes([bundle for bundle in left if bundle not in suspects], workers, dask, started)


def _run(
    bundles: Iterable[Sequence[Job]], workers: int, started: Started, begun: list[Sequence[Job]]
) -> Iterator[list[Outcome]]:
    own = _own_classes()

    def handed_out() -> Iterator[Any]:
        for bundle in bundles:
            begun.append(bundle)
            for job in bundle:
                started(job)
            yield delayed(_score)(bundle, workers, *own)

    # One bundle at a time for each worker: what was handed out and is not back is what a dead worker was at.
    yield from Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)(handed_out())


def _own_classes() -> tuple[Sequence[str], Sequence[type]]:
    """Return the modules of the classes that are not ours, and those classes that a script or a notebook defines."""
    own = [cls for cls in all_classes() if cls.__module__.partition(".")[0] != "torchdenoise"]
    written = [cls for cls in own if cls.__module__ == "__main__"]
    return sorted({cls.__module__ for cls in own if cls not in written}), written


def _score(bundle: Sequence[Job], workers: int, modules: Sequence[str], written: Sequence[type]) -> list[Outcome]:  # noqa: ARG001
    """Score jobs where the classes that are not ours are known, too: those written have come along."""
    for module in modules:
        if module not in sys.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                warnings.warn(f"a worker cannot import {module} ({error})", stacklevel=1)
    return score(bundle, workers)


def _alone(job: Job, workers: int, started: Started) -> Outcome:
    try:
        with parallel_config("loky", n_jobs=2):  # of two workers one has nothing to do; with one there is no process
            (outcome,) = next(_run([[job]], workers, started, []))
            return outcome
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
