"""Progress over pictures or jobs: bars on a terminal, plain lines elsewhere."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from torchdenoise.errors import printable
from torchdenoise.pacing import Pace

if TYPE_CHECKING:
    from torchdenoise.benchmarking.jobs import Job
    from torchdenoise.benchmarking.scoring import Outcome

EVERY = 10.0
"""Seconds between two lines about long work, where there is no bar."""
TICK = 1.0
"""Seconds between two looks at the clock."""
MOST = 3
"""How many other processes say how far they are; the others are counted."""


def _console() -> Console:
    """Return a console without emoji, or gaussian:100:clip would show one."""
    # FORCE_COLOR, which notebooks set, makes no terminal: bars need one.
    return Console(emoji=False, force_terminal=sys.stdout.isatty())


class PictureProgress:
    """Shows the current picture and step; on plain output, ``tick`` prints a line about long work every so often.

    Args:
        console: to print to.
        bars: on a terminal.
        pictures: their number.
        pace: of the lines about long work.
    """

    def __init__(self, console: Console, bars: Progress | None, pictures: int, pace: Pace | None = None) -> None:
        self._console = console
        self._pace = pace or Pace(EVERY)
        self._announced: list[str] = []
        self._pictures = pictures
        self._started = 0
        self._ended = 0
        self._place = ""
        self._elsewhere: Callable[[], Sequence[str]] = tuple
        self._bars = bars
        self._all = bars.add_task("pictures", total=pictures, visible=pictures > 1) if bars else None
        self._one = bars.add_task("", total=None) if bars else None

    def watch(self, elsewhere: Callable[[], Sequence[str]]) -> None:
        """Show how far other processes are, too: ``tick`` asks for a line of each that is at work."""
        self._elsewhere = elsewhere

    def announce(self, name: str) -> None:
        """Show the first picture before the slow imports; ``begin`` does not show it again."""
        self.begin([name])
        self._announced = [name]

    def begin(self, names: Sequence[str]) -> None:
        """Start a picture, or several that are fitted together."""
        if self._started == self._ended:  # beside others, the clock goes on
            self._pace.start()
        self._place = ""
        announced, self._announced = self._announced, []
        if announced == list(names):
            return
        several, name = len(names) > 1, in_short(names)
        first, self._started = self._started + 1, self._started + len(names)
        if self._bars is not None and self._one is not None:
            self._bars.reset(self._one, description=printable(name), total=None)
        else:
            self.say(f"[{f'{first}-' if several else ''}{self._started}/{self._pictures}] {name} ...")

    def step(self, step: int, steps: int) -> None:
        """Show the step of the current picture."""
        if self._bars is not None and self._one is not None:
            self._bars.update(self._one, completed=step, total=steps)
        self._place = f"step {step} of {steps}"

    def frame(self, done: int, frames: int) -> None:
        """Show how many frames of the current stack are done; on plain output, ten lines at most for this."""
        self._place = f"{done} of {frames} frames"
        if self._bars is not None and self._one is not None:
            self._bars.update(self._one, description=f"frame {done} of {frames}")
        elif done < frames and 10 * done // frames > 10 * (done - 1) // frames:
            self.say(f"  {self._place}")

    def end(self) -> None:
        """Count a finished picture."""
        self._ended += 1
        if self._bars is not None and self._all is not None:
            self._bars.advance(self._all)

    def tick(self) -> None:
        """Print how far the work is, if the last such line is long ago; a bar has the lines of other processes."""
        at_work = self._started - self._ended
        lines = self._elsewhere()
        elsewhere = [*lines[:MOST], *([f"{len(lines) - MOST} more"] if len(lines) > MOST else [])]
        if self._bars is not None and self._one is not None:
            if elsewhere:
                self._bars.update(self._one, description=printable("; ".join(elsewhere)))
        elif at_work and self._pace.due():
            counted = [f"{self._ended} of {self._pictures} pictures done"] if at_work > 1 else []
            place = self._place or "; ".join([*counted, *elsewhere]) or "at work"
            self.say(f"  {place}, {self._pace.printed():.0f} s")

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def shown_progress(pictures: int, first: str | None = None) -> Iterator[PictureProgress]:
    """Show bars while the block runs if standard output is a terminal, and the name of the first picture at once."""
    console = _console()
    if not console.is_terminal:
        progress = _begun(PictureProgress(console, None, pictures), first)
        with _ticking(progress):
            yield progress
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        progress = _begun(PictureProgress(console, bars, pictures), first)
        with _ticking(progress):
            yield progress


def in_short(names: Sequence[str]) -> str:
    """Return the name of a picture, or of the first of several that are fitted together.

    Example:
        >>> in_short(["a.png", "b.png", "c.png"])
        'a.png and 2 more'
    """
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _begun(progress: PictureProgress, first: str | None) -> PictureProgress:
    if first is not None:
        progress.announce(first)
    return progress


@contextlib.contextmanager
def _ticking(progress: PictureProgress) -> Iterator[None]:
    """Tick while the block runs, in a thread: the work may be one long call, or that of other processes."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(TICK):
            progress.tick()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class JobProgress:
    """Shows the number of finished jobs of a comparison, the running jobs and the time left."""

    def __init__(self, console: Console, bars: Progress | None) -> None:
        self._console = console
        self._bars = bars
        self._bar = bars.add_task("jobs", total=None) if bars else None
        self._running: dict[tuple[str, ...], str] = {}
        self._done = 0
        self._all = 0

    def on_message(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def on_plan(self, jobs: "Sequence[Job]", done: int) -> None:
        """Print how many jobs were done before, and size the bar for the rest."""
        self._done, self._all = done, len(jobs)
        if done:
            self.on_message(f"{done} of {len(jobs)} jobs were done before")
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, total=len(jobs) - done)

    def on_start(self, job: "Job") -> None:
        """Show a job as running."""
        self._running[job.key] = f"{job.method.name} {job.scene.name}"
        self._show()

    def on_end(self, job: "Job", outcome: "Outcome") -> None:
        """Count a job and print its result."""
        self._running.pop(job.key, None)
        self._done += 1
        row = outcome.row
        result = f"failed: {row['error']}" if row["status"] == "failed" else f"{row['seconds']} s"
        if row["psnr"]:
            result = f"{row['psnr']} dB, {result}"
        name, scene, noise, seed = job.key
        self.on_message(f"[{self._done}/{self._all}] {name} {scene} {noise} seed {seed}: {result}")
        if row["warning"]:
            self.on_message(f"warning: {row['warning']}")
        if self._bars is not None and self._bar is not None:
            self._bars.advance(self._bar)
        self._show()

    def _show(self) -> None:
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, description=", ".join(self._running.values()) or "jobs")


@contextlib.contextmanager
def shown_jobs() -> Iterator[JobProgress]:
    """Show a bar while the block runs if standard output is a terminal."""
    console = _console()
    if not console.is_terminal:
        yield JobProgress(console, None)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield JobProgress(console, bars)
