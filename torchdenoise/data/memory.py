"""The memory that a picture needs, compared with what is free before any work is done."""

import contextlib
from pathlib import Path

import psutil

from torchdenoise.errors import PictureError

READ_BYTES = 9
"""Of memory for each value while a picture is read: as stored, as float32 and one copy."""
FIT_BYTES = 32
"""Of memory for each value during a fit; measured on pictures of 24 million pixels."""
_GIGABYTE = 10**9


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


def check_memory(width: int, height: int, channels: int, bytes_per_value: int = READ_BYTES) -> None:
    """Raise PictureError if a picture of this size does not fit into the free memory.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 or more.
        bytes_per_value: ``READ_BYTES`` to read the picture, ``FIT_BYTES`` to denoise it.

    Example:
        >>> check_memory(10**6, 10**6, 3)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: 1000000 x 1000000 pixels need about 2.7e+04 GB of memory, ... split it first
    """
    needed = width * height * channels * bytes_per_value
    if needed < _GIGABYTE // 4:  # asking the system costs more than it saves
        return
    free = free_memory()
    if needed > free:
        raise PictureError(
            f"{width} x {height} pixels need about {needed / _GIGABYTE:.2g} GB of memory, {free / _GIGABYTE:.2g} GB "
            "are free: crop or split it first"
        )
