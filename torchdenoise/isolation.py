"""Keeps a fit from changing its caller's process: random states, torch modes, warnings, signal handlers."""

import contextlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from numbers import Integral

import torch
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.utilities.seed import isolate_rng

from torchdenoise.errors import KILLED, OutOfMemoryError, UserError

MAX_SEED = 2**32 - 1
"""NumPy's limit."""
AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
"""Kinds of devices for which a caller may have switched autocast on."""
OUT_OF_MEMORY_MESSAGES = ("DefaultCPUAllocator", "could not create a primitive", "out of memory")
"""Parts of the RuntimeError messages that torch raises if memory runs out."""


def check_seed(seed: int) -> None:
    """Raise UserError for a seed that not every random number generator accepts."""
    if not isinstance(seed, Integral) or not 0 <= seed <= MAX_SEED:  # a recipe may hold anything
        raise UserError(f"seed {seed}: must lie in 0 to {MAX_SEED}")


def seed_all(seed: int) -> None:
    """Seed all global random number generators, also those of workers; UserError as ``check_seed``."""
    check_seed(seed)
    seed_everything(seed, workers=True, verbose=False)


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn any of the out-of-memory errors inside into an OutOfMemoryError of one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        out_of_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not out_of_memory and not any(text in str(error) for text in OUT_OF_MEMORY_MESSAGES):
            raise
        remedy = "fit fewer pictures together, or cut the picture into parts"
        raise OutOfMemoryError(f"not enough memory: {remedy}") from error


@contextlib.contextmanager
def default_torch_modes() -> Iterator[None]:
    """Run with gradients, float32 and the CPU as in a new process, whatever modes the caller has set."""
    with contextlib.ExitStack() as modes:
        modes.enter_context(_process_lock)
        modes.enter_context(torch.inference_mode(mode=False))
        modes.enter_context(torch.enable_grad())
        for kind in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device() != torch.device("cpu"):  # only then, because this mode slows every call down
            modes.enter_context(torch.device("cpu"))
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


_process_lock = threading.RLock()
"""Held while global state of the process is changed."""


@contextlib.contextmanager
def restored_random_state() -> Iterator[None]:
    """Restore the caller's random states and seed variables at the end, also after an error; one thread at a time."""
    with _process_lock, _restored_random_state():
        yield


@contextlib.contextmanager
def _restored_random_state() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")}
    isolated = isolate_rng()
    isolated.__enter__()
    try:
        yield
    finally:
        isolated.__exit__(None, None, None)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress Lightning's messages about devices and data loaders; other warnings still show."""
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
def torch_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads while the block runs; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the block ends, because an exception inside a destructor would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))  # noqa: ARG005
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received:
        signal.raise_signal(signal.SIGINT)  # ignored if the caller ignores it, as shells do in the background


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and `kill` end a fit as they end any program.

    On Ctrl-C, Lightning ignores further key presses and raises SystemExit; on SIGTERM, it ends the fit after the step
    as if it were finished. Here they raise KeyboardInterrupt and SystemExit, and the caller's handlers are restored.
    """
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    killed: list[int] = []
    if in_main and handlers[signal.SIGTERM] is signal.SIG_DFL:
        # Lightning's own handler calls this one, then ends the fit after the step.
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
