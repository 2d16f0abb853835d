"""Progress bars on a terminal, and plain lines elsewhere."""

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from torchdenoise.commands.progress import JobProgress, PictureProgress
from torchdenoise.pacing import Pace

FEW = ("--max-steps", "3", "--device", "cpu")


def test_the_bar_changes_nothing(run, noisy_png, monkeypatch):
    assert run("denoise", "noisy.png", "-o", "plain.png", *FEW).code == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    outcome = run("denoise", "noisy.png", "-o", "bar.png", *FEW)
    assert "3/3" in outcome.out
    assert (noisy_png.parent / "plain.png").read_bytes() == (noisy_png.parent / "bar.png").read_bytes()


def test_colours_alone_make_no_terminal(run, noisy_png, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as notebooks do
    outcome = run("denoise", "noisy.png", *FEW)
    assert "[1/1] noisy.png ..." in outcome.out
    assert "\x1b" not in outcome.out


@pytest.fixture
def console():
    """Return a console that is no terminal and keeps what it prints."""
    return Console(file=io.StringIO(), emoji=False, force_terminal=False, width=40)


def test_pictures_are_counted_in_plain_lines(console):
    progress = PictureProgress(console, None, 4)
    for names in (["a.png"], ["b.png", "c.png"], ["d.png"]):
        progress.begin(names)
        progress.step(1, 2)
        progress.end()
    progress.say("[bold] gaussian:100:clip " + 40 * "x")  # neither markup, nor an emoji, nor wrapped
    assert console.file.getvalue().splitlines() == [
        "[1/4] a.png ...",
        "[2-3/4] b.png and 1 more ...",
        "[4/4] d.png ...",
        "[bold] gaussian:100:clip " + 40 * "x",
    ]


def test_a_picture_announced_before_the_imports_is_shown_once(console):
    progress = PictureProgress(console, None, 2)
    progress.announce("a.png")
    for name in ("a.png", "b.png"):
        progress.begin([name])
    assert console.file.getvalue().splitlines() == ["[1/2] a.png ...", "[2/2] b.png ..."]


@pytest.fixture
def now():
    """Return the time of a clock, which a test sets."""
    return [0.0]


@pytest.fixture
def progress(console, now):
    """Return the progress of three pictures on plain output, with a line every 10 s of the clock."""
    return PictureProgress(console, None, 3, Pace(10, lambda: now[0]))


def test_a_long_fit_has_a_line_every_so_often(progress, console, now):
    for name, times in (("a.png", (5, 12, 15, 21, 23)), ("b.png", (9,))):
        begin = now[0]
        progress.begin([name])
        for step, seconds in enumerate(times, 1):
            now[0] = begin + seconds
            progress.step(step, 900)
            progress.tick()
        progress.end()
    assert console.file.getvalue().splitlines() == [
        "[1/3] a.png ...",
        "  step 2 of 900, 12 s",
        "  step 5 of 900, 23 s",
        "[2/3] b.png ...",
    ]


def test_long_work_without_steps_has_a_line_every_so_often(progress, console, now):
    progress.begin(["a.png"])
    for now[0] in (5, 11):
        progress.tick()
    progress.frame(3, 200)
    for now[0] in (12, 22, 24):
        progress.tick()
    progress.end()
    now[0] = 50
    progress.tick()  # nothing is at work
    assert console.file.getvalue().splitlines() == ["[1/3] a.png ...", "  at work, 11 s", "  3 of 200 frames, 22 s"]


def test_work_of_other_processes_is_counted_by_pictures(progress, console, now):
    for now[0], name in enumerate(("a.png", "b.png", "c.png")):
        progress.begin([name])
    now[0] = 10
    progress.tick()
    progress.end()
    now[0] = 21
    progress.tick()
    assert console.file.getvalue().splitlines()[3:] == ["  0 of 3 pictures done, 10 s", "  1 of 3 pictures done, 21 s"]


def test_other_processes_say_how_far_they_are(progress, console, now):
    progress.watch(lambda: ["a.tif: 3 of 40 frames", "b.png: step 7 of 90"])
    progress.begin(["a.tif"])
    now[0] = 11
    progress.tick()
    progress.begin(["b.png"])
    now[0] = 22
    progress.tick()
    assert [line for line in console.file.getvalue().splitlines() if line.startswith("  ")] == [
        "  a.tif: 3 of 40 frames; b.png: step 7 of 90, 11 s",
        "  0 of 3 pictures done; a.tif: 3 of 40 frames; b.png: step 7 of 90, 22 s",
    ]


def test_a_bar_shows_how_far_other_processes_are(console):
    bars = Progress(console=console)
    progress = PictureProgress(console, bars, 2)
    progress.begin(["a.tif"])
    progress.tick()
    assert bars.tasks[1].description == "a.tif"
    progress.watch(lambda: ["a.tif: 3 of 40 frames"])
    progress.tick()
    assert bars.tasks[1].description == "a.tif: 3 of 40 frames"
    progress.watch(lambda: ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5"])
    progress.tick()
    assert bars.tasks[1].description == "a: 1; b: 2; c: 3; 2 more"


def test_lines_come_while_the_work_is_one_long_call(run, noisy_png, monkeypatch):
    monkeypatch.setattr("torchdenoise.commands.progress.EVERY", 0.0)
    monkeypatch.setattr("torchdenoise.commands.progress.TICK", 0.01)
    outcome = run("denoise", noisy_png, "--recipe", "bm3d", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "  at work, 0 s" in outcome.out.splitlines()


def test_the_first_line_comes_before_the_slow_imports(noisy_png):
    """Asked in a new process, because this one has imported torch."""
    code = (
        "import sys; from torchdenoise.commands import progress; from torchdenoise.cli import main\n"
        "say = progress.PictureProgress.say\n"
        "def spied(self, line): say(self, f'{line} torch: {\"torch\" in sys.modules}')\n"
        "progress.PictureProgress.say = spied\n"
        "main(['denoise', 'noisy.png', '--recipe', 'tv', '--device', 'cpu'])"
    )
    words = [sys.executable, "-c", code]
    found = subprocess.run(words, cwd=noisy_png.parent, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[0] == "[1/1] noisy.png ... torch: False"
    assert "torch: True" in found.stdout


def test_jobs_are_counted_with_their_results(console):
    progress = JobProgress(console, None)
    scene = SimpleNamespace(name="1.png")
    jobs = [SimpleNamespace(key=(name, "1", "real", "0"), method=SimpleNamespace(name=name), scene=scene)
            for name in "abc"]  # fmt: skip
    rows = [
        {"status": "failed", "error": "no memory", "psnr": "", "warning": "", "seconds": ""},
        {"status": "done", "psnr": "30.1", "seconds": "2.5", "warning": "the noise is correlated"},
    ]
    progress.on_plan(jobs, 1)
    for job, row in zip(jobs[1:], rows, strict=True):
        progress.on_start(job)
        progress.on_end(job, SimpleNamespace(row=row))
    assert console.file.getvalue().splitlines() == [
        "1 of 3 jobs were done before",
        "[2/3] b 1 real seed 0: failed: no memory",
        "[3/3] c 1 real seed 0: 30.1 dB, 2.5 s",
        "warning: the noise is correlated",
    ]
