"""The memory that a picture needs, compared with what is free before any work is done, and given back afterwards."""

import contextlib
import ctypes
import gc
from collections.abc import Iterator
from pathlib import Path

import psutil

from torchdenoise.errors import PictureError
from torchdenoise.isolation import uninterrupted

READ_BYTES = 9
"""Of memory for each value while a picture is read: as stored, as float32 and one copy."""
FIT_BYTES = 32
"""Of memory for each value during a fit, and"""
FIT_BASE = 300 * 10**6
"""bytes for a fit of any size; both measured by ``benchmarks/picture_memory.py``, see ``docs/results/memory.md``."""
_GIGABYTE = 10**9
_SMALL = _GIGABYTE // 4
"""Bytes that are worth no question to the system, which costs more than it saves."""


def free_memory() -> int:
    """Return the bytes of memory that this process can still use.

    Example:
        >>> free_memory() > 0
        True
    """
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(ImportError, AttributeError, OSError, psutil.Error):
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free = min(free, limit - psutil.Process().memory_info().vms)
    with contextlib.suppress(OSError, ValueError):  # the limit of a container, which is "max" if there is none
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        free = min(free, limit - int((group / "memory.current").read_text()))
    return max(free, 0)


def check_memory(width: int, height: int, channels: int) -> None:
    """Raise PictureError if a picture of this size cannot be read into the free memory.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 or more.

    Example:
        >>> check_memory(10**6, 10**6, 3)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: 1000000 x 1000000 pixels need about 2.7e+04 GB of memory, ... split it first
    """
    needed = width * height * channels * READ_BYTES
    if needed >= _SMALL:
        _compare(needed, f"{width} x {height} pixels need")


def fit_memory(values: int, at_once: int = 1) -> int:
    """Return the bytes of memory that fits to images of so many values need, beyond those of an idle process.

    Example:
        >>> fit_memory(24_000_000 * 3) < 3.2e9
        True
    """
    return at_once * (FIT_BASE + FIT_BYTES * values)


def check_fit_memory(width: int, height: int, channels: int, at_once: int = 1) -> None:
    """Raise PictureError if fits to images of this size do not go into the free memory.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 or more.
        at_once: the number of images that are fitted at the same time, together or by several processes.

    Example:
        >>> check_fit_memory(10**6, 10**6, 3)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: 1000000 x 1000000 pixels need about 9.6e+04 GB of memory, ... split it first
    """
    values = width * height * channels
    if FIT_BYTES * values >= _SMALL:
        several = f", {at_once} at a time," if at_once > 1 else ""
        remedy = "fewer at a time (--workers, --batch), or " if at_once > 1 else ""
        _compare(fit_memory(values, at_once), f"{width} x {height} pixels{several} need", remedy)


@contextlib.contextmanager
def freed_afterwards() -> Iterator[None]:
    """Free what the work inside leaves behind, and give the memory back to the system.

    A fit leaves cycles of objects behind, with its tensors, which Python collects late; and the C library (glibc) keeps
    freed memory, whose gaps differ from picture to picture. Without this, a process that denoises a folder grows.

    Example:
        >>> with freed_afterwards():
        ...     size = len(list(range(1000)))
    """
    gc.freeze()  # so that the collection looks at nothing older than the work, which takes a millisecond, not a second
    try:
        yield
    finally:
        with uninterrupted():
            gc.collect()
            gc.unfreeze()
        with contextlib.suppress(AttributeError, TypeError, OSError):  # another C library; no such library on Windows
            ctypes.CDLL(None).malloc_trim(0)


def _compare(needed: int, subject: str, remedy: str = "") -> None:
    free = free_memory()
    if needed > free:
        raise PictureError(
            f"{subject} about {needed / _GIGABYTE:.2g} GB of memory, {free / _GIGABYTE:.2g} GB are free: "
            f"{remedy}crop or split it first"
        )
