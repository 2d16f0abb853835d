"""Work that joblib does in this process, in others of this machine, or on a cluster."""

import contextlib
import importlib
import itertools
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import psutil
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from torchdenoise.errors import UserError
from torchdenoise.registry import all_classes

Item = TypeVar("Item")
Result = TypeVar("Result")
KILLED_TWICE = "its worker process was killed twice: it may lack memory; use fewer workers (--workers)"
_WAIT = "OMP_WAIT_POLICY"
_WATCH_SECONDS = 1


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Args:
        count: processes of this machine; with 1, this process does the work.
        dask: address of a Dask cluster that does the work instead.
    """

    count: int = 1
    dask: str | None = None


@dataclass(frozen=True)
class Work(Generic[Item, Result]):
    """What is done with a bundle of items that are done together.

    Args:
        do: returns the result of a bundle; other processes get a copy of it.
        lost: returns the result of an item whose worker was killed twice.
        on_start: called in this process with each bundle that is handed out.
    """

    do: Callable[[Sequence[Item]], Result]
    lost: Callable[[Item], Result]
    on_start: Callable[[Sequence[Item]], None]


def spread(
    bundles: Iterable[Sequence[Item]], work: Work[Item, Result], workers: Workers
) -> Iterator[tuple[Sequence[Item], Result]]:
    """Yield each bundle with its result when it is done, in any order.

    If a worker is killed, the bundles that ran at that time are done again, item by item. An item whose worker is
    killed a second time gets the result of ``work.lost``.

    Raises:
        UserError: the Dask cluster cannot be reached.

    Example:
        >>> work = Work(sum, lambda item: -1, lambda bundle: None)
        >>> list(spread([[1, 2], [3]], work, Workers()))
        [([1, 2], 3), ([3], 3)]
    """
    left = dict(enumerate(bundles))
    begun: list[int] = []
    with _engine(workers):
        try:
            for number, result in _run(list(left.items()), work, begun):
                yield left.pop(number), result
            return
        except TerminatedWorkerError:
            suspects = [left.pop(number) for number in begun if number in left]
    for item in itertools.chain(*suspects):
        yield [item], _retried(item, work)
    yield from spread(left.values(), work, workers)


def _run(
    bundles: Iterable[tuple[int, Sequence[Item]]], work: Work[Item, Result], begun: list[int]
) -> Iterator[tuple[int, Result]]:
    user_classes, folder = _user_classes(), Path.cwd()

    def handed_out() -> Iterator[Any]:
        for number, bundle in bundles:
            begun.append(number)
            work.on_start(bundle)
            yield delayed(_done)(number, bundle, work.do, folder, *user_classes)

    # One bundle at a time for each worker: those handed out and not back are those that ran when a worker was killed.
    yield from Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)(handed_out())


def _user_classes() -> tuple[Sequence[str], Sequence[type]]:
    """Return the modules of the user's classes, and the classes that a script or a notebook defines."""
    user = [cls for cls in all_classes() if cls.__module__.partition(".")[0] != "torchdenoise"]
    in_main = [cls for cls in user if cls.__module__ == "__main__"]
    modules = {cls.__module__ for cls in user} & sys.modules.keys()  # a class may outlive its module
    return sorted(modules - {"__main__"}), in_main


def _done(
    number: int,
    bundle: Sequence[Item],
    do: Callable[[Sequence[Item]], Result],
    folder: Path,
    modules: Sequence[str],
    in_main: Sequence[type],  # noqa: ARG001  # pickle brings them along
) -> tuple[int, Result]:
    """Do a bundle in a process that has the user's classes and working folder, which names of files start from."""
    try:
        os.chdir(folder)
    except OSError:
        raise UserError(f"{folder}: a worker does not see this folder; share it with all machines") from None
    for module in modules:
        if module not in sys.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                warnings.warn(f"a worker cannot import {module} ({error})", stacklevel=1)
    return number, do(bundle)


def _processes(count: int) -> parallel_config:
    """Return the context in which joblib uses processes of this machine."""
    return parallel_config("loky", n_jobs=count, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """End this process when the one that hands out the work is gone: killed, it cannot tell its workers to end."""

    def watch() -> None:
        while os.getppid() == parent and psutil.pid_exists(parent):  # Windows keeps the number of a parent
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _retried(item: Item, work: Work[Item, Result]) -> Result:
    try:
        with _processes(2):  # with 1, joblib would use this process
            _, result = next(_run([(0, [item])], work, []))
            return result
    except TerminatedWorkerError:
        return work.lost(item)


@contextlib.contextmanager
def _engine(workers: Workers) -> Iterator[None]:
    if workers.dask is None:
        chosen = _processes(workers.count) if workers.count > 1 else parallel_config("sequential", n_jobs=1)
        with _yielding_threads(), chosen:
            yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise UserError("--dask needs the extra: pip install torchdenoise[cluster]") from None
    try:
        client = Client(workers.dask, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(f"--dask {workers.dask}: no cluster answers ({error}); start one, or use --workers") from None
    with client, parallel_config("dask", wait_for_workers_timeout=10):
        yield


@contextlib.contextmanager
def _yielding_threads() -> Iterator[None]:
    """Let the threads of new processes sleep while they wait: with more threads than cores, they block each other."""
    if _WAIT in os.environ:
        yield
        return
    os.environ[_WAIT] = "PASSIVE"
    try:
        yield
    finally:
        os.environ.pop(_WAIT, None)
