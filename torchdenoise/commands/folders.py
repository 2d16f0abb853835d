"""Options for folders of pictures, and the summary at the end."""

import argparse
import time
from dataclasses import dataclass, field

from torchdenoise.commands.arguments import Parser
from torchdenoise.plans import Search


def add_search_options(options: Parser) -> None:
    """Add the options that say which files of folders count."""
    options.add_argument("-r", "--recursive", action="store_true", help="folders within folders, too")
    options.add_argument(
        "--pattern", default="*", metavar="GLOB", help="only files of folders whose name fits: '*.tif'"
    )


def search_of(options: argparse.Namespace) -> Search:
    """Return how to look for pictures."""
    return Search(options.recursive, options.pattern)


@dataclass
class Summary:
    """Counts what became of pictures.

    Example:
        >>> summary = Summary(skipped=2)
        >>> summary.count(done=2, failed=1)
        >>> summary.line(seconds=6.2)
        '2 done, 2 skipped, 1 failed; 2.1 s a picture'
    """

    skipped: int = 0
    done: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def count(self, done: int, failed: int) -> None:
        """Count pictures that were worked on."""
        self.done += done
        self.failed += failed

    def line(self, seconds: float | None = None) -> str:
        """Return the summary; ``seconds`` for all pictures, by default since the start."""
        tried = self.done + self.failed
        spent = time.monotonic() - self.started if seconds is None else seconds
        each = f"; {spent / tried:.1f} s a picture" if tried else ""
        return f"{self.done} done, {self.skipped} skipped, {self.failed} failed{each}"
