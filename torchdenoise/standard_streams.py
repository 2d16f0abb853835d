"""Standard output and error as they really come: closed, full, or read by a program that has left."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Stream:
    """A text stream that drops what nobody can read, so that work goes on although its messages do not.

    Args:
        inner: the stream to write to.

    Example:
        >>> stream = Stream(io.StringIO())
        >>> stream.write("a line")
        6
        >>> stream.getvalue(), stream.error
        ('a line', None)
    """

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self.error: OSError | None = None
        """Why the rest was dropped; None while all was written."""

    def write(self, text: str) -> int:
        """Write, or drop."""
        if self.error is None:
            try:
                return self._inner.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Hand over what was written, or drop it."""
        if self.error is None:
            try:
                self._inner.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = error
        with contextlib.suppress(io.UnsupportedOperation):
            # What is still in a buffer would fail again when the process ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._inner.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextlib.contextmanager
def lasting_streams() -> Iterator[Stream]:
    """Make standard output and error streams that never fail while the block runs; gives that of the output.

    Example:
        >>> with lasting_streams() as output:
        ...     print("a line", file=output)
        a line
    """
    before = sys.stdout, sys.stderr
    _open_descriptors()
    output, errors = (Stream(_usable(each)) for each in before)
    sys.stdout, sys.stderr = output, errors
    try:
        yield output
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


def _open_descriptors() -> None:
    """Open those of the first three descriptors that are closed: a file that took one would get the messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free one


def _usable(stream: TextIO | None) -> TextIO:
    """Return the stream, with names that it cannot show escaped; one to nowhere if it is closed."""
    if stream is None or stream.closed:
        return io.StringIO()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
