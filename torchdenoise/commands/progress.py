"""Progress of a run over pictures: two bars on a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class PictureProgress:
    """Shows which picture of all, and which step of all, a run has come to."""

    def __init__(self, console: Console, bars: Progress | None, pictures: int) -> None:
        self._console = console
        self._pictures = pictures
        self._begun = 0
        self._bars = bars
        self._all = bars.add_task("pictures", total=pictures, visible=pictures > 1) if bars else None
        self._one = bars.add_task("", total=None) if bars else None

    def begin(self, name: str) -> None:
        """Begin a picture."""
        self._begun += 1
        if self._bars is not None and self._one is not None:
            self._bars.reset(self._one, description=name, total=None)
        else:
            self.say(f"[{self._begun}/{self._pictures}] {name} ...")

    def step(self, step: int, steps: int) -> None:
        """Show how far the present picture is."""
        if self._bars is not None and self._one is not None:
            self._bars.update(self._one, completed=step, total=steps)

    def end(self) -> None:
        """Count a picture as done."""
        if self._bars is not None and self._all is not None:
            self._bars.advance(self._all)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def shown_progress(pictures: int) -> Iterator[PictureProgress]:
    """Show bars while the block runs if standard output is a terminal."""
    console = Console()
    if not console.is_terminal:
        yield PictureProgress(console, None, pictures)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield PictureProgress(console, bars, pictures)
