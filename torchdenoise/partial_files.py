"""Files and folders that appear only when they are complete, and what killed processes leave of them."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

_ABANDONED_SECONDS = 10
"""Age of an unfinished file without a lock that is removed; a younger one may just be made."""


@contextlib.contextmanager
def completed(path: Path, folder: bool = False) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` when the block is done, and leaves nothing if it fails.

    The name is in the same folder, so that the last step is one of the file system that happens or does not. Missing
    folders are made.

    Args:
        path: of the finished file.
        folder: whether it is a folder; the name is then that of an empty one.

    Raises:
        OSError: the place cannot be written to.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "new", "a.txt")
        >>> with completed(path) as partial:
        ...     _ = partial.write_text("whole")
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_name(path.parent)
    try:
        remove_abandoned(path.parent)
        with _locked(partial, folder):
            yield partial
        _move(partial, path)
    finally:  # also after an interrupt
        _remove(partial)


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """Make an empty folder within a folder, which is removed at the end; if this process is killed, by another one.

    Example:
        >>> from tempfile import mkdtemp
        >>> place = Path(mkdtemp())
        >>> with working_folder(place) as made:
        ...     made.parent == place
        True
        >>> list(place.iterdir())
        []
    """
    partial = _partial_name(folder)
    try:
        with _locked(partial, folder=True):
            yield partial
    finally:
        _remove(partial)


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished results that killed processes left in a folder; those still being written are locked.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / ".torchdenoise-00.part").touch()
        >>> os.utime(folder / ".torchdenoise-00.part", (0, 0))
        >>> remove_abandoned(folder)
        >>> list(folder.iterdir())
        []
    """
    for partial in folder.glob(".torchdenoise-*.part"):
        with contextlib.suppress(OSError):  # finished or removed at this moment, or locked
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                with _opened(partial) as held:
                    _lock(held)
                    _remove(partial)


def _partial_name(folder: Path) -> Path:
    return folder / f".torchdenoise-{secrets.token_hex(8)}.part"


@contextlib.contextmanager
def _locked(partial: Path, folder: bool) -> Iterator[None]:
    """Make a file or a folder, and hold a lock on it meanwhile."""
    with _made(partial, folder) as held:
        with contextlib.suppress(OSError):  # a disk without locks
            _lock(held)
        yield


@contextlib.contextmanager
def _made(partial: Path, folder: bool) -> Iterator[int | None]:
    """Make a file or a folder, and hold it open meanwhile; None where the system opens no folders."""
    if not folder:
        with partial.open("xb") as file:
            yield file.fileno()
        return
    partial.mkdir()
    with _opened(partial) as held:
        yield held


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file or a folder to lock it; None on Windows, which opens no folders."""
    if os.name == "nt" and path.is_dir():
        yield None
        return
    held = os.open(path, os.O_RDONLY)
    try:
        yield held
    finally:
        os.close(held)


def _move(partial: Path, path: Path) -> None:
    """Give a finished result its name, in the place of an earlier one."""
    if not path.is_dir():
        partial.replace(path)
        return
    earlier = _partial_name(path.parent)  # a folder cannot be replaced in one step
    path.rename(earlier)
    partial.rename(path)
    _remove(earlier)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(held: int | None) -> None:
    """Lock an open file while it stays open; BlockingIOError if it is locked, nothing where locks do not exist."""
    try:
        import fcntl
    except ImportError:  # Windows, which refuses to remove an open file
        return
    if held is not None:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
