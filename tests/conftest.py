"""Fixtures that the tests share: the command line called as a user calls it, and pictures."""

import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import skimage.data
import torch
from helpers import noisy_scene, write_png

from torchdenoise.cli import main

FIGURE = "figure"
"""The property of a test whose text stands at the end of pytest's output."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, as ``record_property("figure", "7 tried, 7 right")``."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [value for report in reports for name, value in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(sorted(map(str, figures))))


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what calls ``torchdenoise`` with words, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["torchdenoise"])
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what imports a script of benchmarks/ by name."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C be what it is at a terminal; jobs of a shell ignore it, and so do their tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def noisy_png(tmp_path: Path) -> Path:
    """Return a small noisy colour picture."""
    return write_png(tmp_path / "noisy.png", noisy_scene())


@pytest.fixture(scope="session")
def coffee() -> torch.Tensor:
    """Return a photograph (1, 3, 256, 256) in 0..1, its colours saturated."""
    return torch.from_numpy(skimage.data.coffee()[:256, 200:456].copy()).permute(2, 0, 1)[None] / 255
