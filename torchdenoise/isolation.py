"""What a fit must not leave behind: random states, warnings, signal handlers."""

import contextlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator

import torch
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.utilities.seed import isolate_rng

from torchdenoise.errors import KILLED, UserError

LARGEST_SEED = 2**32 - 1
"""NumPy takes no larger one."""
NO_ROOM = ("DefaultCPUAllocator", "could not create a primitive", "out of memory")
"""What torch's errors say where a CPU has no memory left."""


def check_seed(seed: int) -> None:
    """Raise UserError for a seed that not every random state takes."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed {seed}: must lie in 0 to {LARGEST_SEED}")


def seed_all(seed: int) -> None:
    """Seed every random state there is, workers' too; UserError as ``check_seed``."""
    check_seed(seed)
    seed_everything(seed, workers=True, verbose=False)


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Say in a line that a picture does not fit into memory; there are many ways to find out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(text in str(error) for text in NO_ROOM)
        if not told:
            raise
        raise UserError("not enough memory for it: fit fewer pictures together, or cut it into smaller ones") from error


@contextlib.contextmanager
def torch_as_it_is() -> Iterator[None]:
    """Compute as in a fresh process, whatever modes the caller is in: with gradients, in float32 unless said."""
    with _alone, torch.inference_mode(mode=False), torch.enable_grad():
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


_alone = threading.RLock()
"""Held by who changes what belongs to the whole process."""


@contextlib.contextmanager
def own_random_state() -> Iterator[None]:
    """Give the caller's random states and seed variables back, also after a failure; threads wait for each other."""
    with _alone, _kept_random_state():
        yield


@contextlib.contextmanager
def _kept_random_state() -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")}
    isolated = isolate_rng()
    isolated.__enter__()
    try:
        yield
    finally:
        isolated.__exit__(None, None, None)
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's talk about devices and data loaders; other warnings still show."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the block is over: an exception inside a destructor would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))  # noqa: ARG005
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if asked:
        signal.raise_signal(signal.SIGINT)  # to whoever listens, or nobody in the background


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Keep Ctrl-C and `kill` what they are: Lightning ignores the key from then on, and leaves as if all was done."""
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    killed: list[int] = []
    if in_main and handlers[signal.SIGTERM] is signal.SIG_DFL:
        # Lightning's own handler calls this one, and ends the fit with the step.
        signal.signal(signal.SIGTERM, lambda number, frame: killed.append(number))  # noqa: ARG005
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        if not killed:
            raise
    finally:
        for number, handler in handlers.items():
            if in_main and handler is not None:
                signal.signal(number, handler)
    if killed:
        raise SystemExit(KILLED)
