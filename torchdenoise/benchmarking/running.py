"""Runs jobs by joblib: in this process, in others of this machine, or on a cluster."""

import contextlib
import importlib
import itertools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from torchdenoise.benchmarking.columns import row_key
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.scoring import Outcome, failed, score
from torchdenoise.errors import UserError
from torchdenoise.registry import all_classes

OnStart = Callable[[Job], None]


def outcomes(bundles: Sequence[Sequence[Job]], workers: int, dask: str | None, on_start: OnStart) -> Iterator[Outcome]:
    """Yield the outcome of each job when its bundle ends.

    If a worker is killed, the bundles that ran at that time are done again, job by job. A job whose worker is killed a
    second time is a failure.

    Args:
        bundles: groups of jobs that are done together.
        workers: processes of this machine; with 1, this process does the work.
        dask: address of a Dask cluster that does the work instead.
        on_start: called with each job that is handed out.

    Raises:
        UserError: the Dask cluster cannot be reached.
    """
    left = list(bundles)
    with _engine(workers, dask):
        begun: list[Sequence[Job]] = []
        try:
            for made in _run(left, workers, on_start, begun):
                left = [bundle for bundle in left if bundle[0].key != row_key(made[0].row)]
                yield from made
            return
        except TerminatedWorkerError:
            suspects = [bundle for bundle in begun if bundle in left]
    for job in itertools.chain(*suspects):
        yield _retried(job, workers, on_start)
    yield from outcomes([bundle for bundle in left if bundle not in suspects], workers, dask, on_start)


def _run(
    bundles: Iterable[Sequence[Job]], workers: int, on_start: OnStart, begun: list[Sequence[Job]]
) -> Iterator[list[Outcome]]:
    user_classes = _user_classes()

    def handed_out() -> Iterator[Any]:
        for bundle in bundles:
            begun.append(bundle)
            for job in bundle:
                on_start(job)
            yield delayed(_score)(bundle, workers, *user_classes)

    # One bundle at a time for each worker: those handed out and not back are those that ran when a worker was killed.
    yield from Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)(handed_out())


def _user_classes() -> tuple[Sequence[str], Sequence[type]]:
    """Return the modules of the user's classes, and the classes that a script or a notebook defines."""
    user = [cls for cls in all_classes() if cls.__module__.partition(".")[0] != "torchdenoise"]
    in_main = [cls for cls in user if cls.__module__ == "__main__"]
    modules = {cls.__module__ for cls in user} & sys.modules.keys()  # a class may outlive its module
    return sorted(modules - {"__main__"}), in_main


def _score(bundle: Sequence[Job], workers: int, modules: Sequence[str], in_main: Sequence[type]) -> list[Outcome]:  # noqa: ARG001
    """Score jobs in a process that has the user's classes: pickle brings along those of ``__main__``."""
    for module in modules:
        if module not in sys.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                warnings.warn(f"a worker cannot import {module} ({error})", stacklevel=1)
    return score(bundle, workers)


def _retried(job: Job, workers: int, on_start: OnStart) -> Outcome:
    try:
        with parallel_config("loky", n_jobs=2):  # with 1, joblib would use this process
            (outcome,) = next(_run([[job]], workers, on_start, []))
            return outcome
    except TerminatedWorkerError:
        return failed(job, workers, UserError("its worker process was killed twice: it may lack memory"))


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
        raise UserError(f"--dask {dask}: no cluster answers ({error}); start one, or use --workers") from None
    with client, parallel_config("dask", wait_for_workers_timeout=10):
        yield
