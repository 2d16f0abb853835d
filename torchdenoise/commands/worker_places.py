"""How far the workers of a command are: each leaves a line in a folder, and the process that shows them reads it."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from torchdenoise.workers import Workers


@dataclass(frozen=True)
class Places:
    """The lines of several processes of this machine.

    Args:
        folder: has a file for each process, named by its number.

    Example:
        >>> with TemporaryDirectory() as folder:
        ...     places = Places(Path(folder))
        ...     places.leave("a.tif: 3 of 40 frames")
        ...     places.lines()
        ['a.tif: 3 of 40 frames']
    """

    folder: Path

    def leave(self, line: str) -> None:
        """Replace the line of this process by another one, or by none."""
        with contextlib.suppress(OSError):  # a full disk, or the folder of a command that has ended: no work stops
            (self.folder / str(os.getpid())).write_text(line, encoding="utf-8")

    def lines(self) -> Sequence[str]:
        """Return the lines of the processes that are alive, always in the same order."""
        try:
            alive = [path for path in sorted(self.folder.iterdir()) if psutil.pid_exists(int(path.name))]
            return list(filter(None, (path.read_text(encoding="utf-8") for path in alive)))
        except OSError:  # the command is ending, and the folder is gone
            return []


@contextlib.contextmanager
def shared_places(workers: Workers) -> Iterator[Places | None]:
    """Give a place for the lines of workers; None if this process does the work, or machines that see other folders."""
    if workers.count == 1 or workers.dask is not None:
        yield None
        return
    with TemporaryDirectory(prefix="torchdenoise-", ignore_cleanup_errors=True) as folder:
        yield Places(Path(folder))
