"""The judge of attempts: what a command may not do with a stranger's file."""

import os
from pathlib import Path

import pytest

from tests.strangers import attempts
from tests.strangers.attempts import GROWN, Case, Ended, make_attempts
from tests.strangers.damages import flips, no_files, writing

FINE = Ended(code=2, seconds=0.1, grown=0, out="", err="torchdenoise: damaged\n")


class Commands:
    """Stands for the runner: every command ends in one given way, and leaves one given file."""

    def __init__(self, ended, left=""):
        self.ended, self.left = ended, left

    def run(self, folder, words):
        if self.left:
            (folder / self.left).touch()
        return self.ended


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Return what tries one case and returns the count and the faults."""
    monkeypatch.setattr(attempts, "FULL", True)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "x.txt").write_text("whole")

    def call(ended, left="", codes=(2,), check=lambda folder, ended: ()):
        case = Case("cut", writing("x.txt", "cut"), ["denoise"], codes)
        return make_attempts("files", [case], tmp_path / "base", Commands(ended, left), check)

    return call


def test_what_is_right_is_counted(tried, tmp_path):
    assert tried(FINE) == ("files: 1 tried, 1 right, 0 wrong", [])
    assert not (tmp_path / "case").exists()
    assert (tmp_path / "base" / "x.txt").read_text() == "whole"


@pytest.mark.parametrize(
    ("change", "left", "fault"),
    [
        ({"code": 1}, "", "exit code 1"),
        ({"code": 0}, "", "exit code 0"),
        ({"code": None}, "", "not done after 20 s"),
        ({"grown": GROWN + 1}, "", "1024 MiB"),
        ({"err": "Traceback (most recent call last):"}, "", "traceback"),
        ({"err": "a\nb\nc\n"}, "", "3 lines on stderr"),
        ({"err": ""}, "", "0 lines on stderr"),
        ({"out": "\x1b[2J"}, "", "control characters"),
        ({}, "ran by os", "its code was run"),
        ({}, "out.png", "left behind: ['out.png']"),
        ({}, ".torchdenoise-00.part", "left behind: ['.torchdenoise-00.part']"),
    ],
)
def test_what_is_wrong_is_told(tried, change, left, fault):
    count, wrong = tried(Ended(**{**vars(FINE), **change}), left)
    assert count == "files: 1 tried, 0 right, 1 wrong"
    assert fault in wrong[0]


def test_results_are_looked_at(tried):
    accepted = Ended(**{**vars(FINE), "code": 0})
    assert tried(accepted, "out.png", (0,))[1] == []
    assert "it is grey" in tried(accepted, codes=(0,), check=lambda folder, ended: ["it is grey"])[1][0]
    assert (
        "cannot be read (FileNotFoundError"
        in tried(accepted, codes=(0,), check=lambda folder, ended: (folder / "no").read_text())[1][0]
    )


def test_damages_are_what_they_say(tmp_path):
    path = tmp_path / "x.txt"
    for _, damage in flips("x.txt", 5, 20):
        path.write_bytes(b"whole")
        damage(tmp_path)
        assert path.read_bytes() != b"whole"
        assert path.stat().st_size == 5
    for what, damage in no_files("x.txt"):
        path.write_bytes(b"whole")
        damage(tmp_path)
        assert os.path.lexists(path), what
        path.rmdir() if what.endswith("a folder") else Path.unlink(path)
