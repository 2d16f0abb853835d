"""What the studies in benchmarks/ share."""

import sys

import numpy as np
import pytest

from torchdenoise.data import Picture, write_picture


@pytest.fixture
def studies(script, tmp_path, monkeypatch):
    """The module, with results in a temporary folder."""
    module = script("studies")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return module


@pytest.fixture
def clean(tmp_path):
    picture = Picture.from_array(np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8))
    write_picture(tmp_path / "a.png", picture.image, picture)
    return tmp_path / "a.png"


def test_part_runs_what_has_no_row(studies, clean, capsys):
    steps = "trainer.max_steps=1"
    variants = {"plain": ("zsn2n", (steps,)), "narrow": ("zsn2n", ("model.network.width=4", steps))}
    part = studies.Part("study", variants, [clean], ("gaussian:25",), crop=16, device="cpu")
    part.run()
    assert {row["recipe"]: row["crop"] for row in part.rows()} == {"plain": "16", "narrow": "16"}
    assert [row["recipe"] for row in part.rows("narrow")] == ["narrow"]
    assert studies.Part("study", variants, [clean], ("poisson:25",), crop=16).rows() == []
    assert studies.setting(part.rows()).startswith("seed 0, 1 thread")
    capsys.readouterr()
    part.run()
    assert "2 of 2 jobs were done before" in capsys.readouterr().out


def test_parts_are_chosen_on_the_command_line(studies, monkeypatch):
    calls = []
    parts = {name: lambda name=name: calls.append(name) for name in ("a", "b")}

    def chosen(*words, default=None):
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["study.py", *words])
        studies.run_parts(parts, lambda: calls.append("page"), default)
        return calls

    assert chosen() == ["a", "page", "b", "page"]
    assert chosen(default=["b"]) == ["b", "page"]
    assert chosen("a") == ["a", "page"]
    assert chosen("page") == ["page"]
    with pytest.raises(SystemExit, match="unknown part c; choose from a, b, page"):
        chosen("c")


def test_missing_data_folder_is_one_line(studies, monkeypatch):
    monkeypatch.delenv("TORCHDENOISE_DATA", raising=False)
    with pytest.raises(SystemExit, match="TORCHDENOISE_DATA is not set"):
        studies.kodak24()
