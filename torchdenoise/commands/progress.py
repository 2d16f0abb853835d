"""Progress of a run over pictures: two bars on a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

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

    def picture(self, name: str) -> Callable[[int, int], None] | None:
        """Begin a picture and return what takes its (step, steps); None where nobody would see it."""
        if self._bars is None or self._one is None:
            self._begun += 1
            self.say(f"[{self._begun}/{self._pictures}] {name} ...")
            return None
        bars, task = self._bars, self._one
        bars.reset(task, description=name, total=None)
        return lambda step, steps: bars.update(task, completed=step, total=steps)

    def next_picture(self) -> None:
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
