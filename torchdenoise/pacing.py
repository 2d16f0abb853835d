"""When to print a line about work that takes long, where no progress bar can be."""

import time
from collections.abc import Callable


class Pace:
    """Tells when a line is due: so many seconds after the start, or after the last line.

    Args:
        every: seconds.
        clock: returns the present time in seconds.

    Example:
        >>> pace = Pace(10, iter([0, 100, 109, 111, 112, 115]).__next__)
        >>> pace.start()
        >>> pace.due(), pace.due(), pace.printed(), pace.due()
        (False, True, 12, False)
    """

    def __init__(self, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._started = self._last = clock()

    def start(self) -> None:
        """Start the clock."""
        self._started = self._last = self._clock()

    def due(self) -> bool:
        """Return whether the last line is so long ago."""
        return self._clock() - self._last >= self._every

    def printed(self) -> float:
        """Take that a line is printed now; return the seconds since the start."""
        self._last = self._clock()
        return self._last - self._started
