"""Files that appear only when they are complete, and what killed processes leave of them."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_ABANDONED_SECONDS = 10
"""Age of an unfinished file without a lock that is removed; a younger one may just be made."""


@contextlib.contextmanager
def completed(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` when the block is done, and leaves nothing if it fails.

    The name is in the same folder, so that the last step is one of the file system that happens or does not.

    Raises:
        OSError: the folder cannot be written to.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "a.txt")
        >>> with completed(path) as partial:
        ...     _ = partial.write_text("whole")
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('whole', 1)
    """
    partial = path.with_name(f".torchdenoise-{secrets.token_hex(8)}.part")
    try:
        remove_abandoned(path.parent)
        with partial.open("xb") as held:
            with contextlib.suppress(OSError):  # a disk without locks
                _lock(held)
            yield partial
        partial.replace(path)
    finally:  # also after an interrupt
        partial.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files that killed processes left in a folder; those still being written are locked.

    Example:
        >>> import os
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
                with partial.open("rb") as file:
                    _lock(file)
                    partial.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock an open file while it stays open; BlockingIOError if it is locked, nothing where locks do not exist."""
    try:
        import fcntl
    except ImportError:  # Windows, which refuses to remove an open file
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
