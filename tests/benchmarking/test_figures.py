"""The figures of a comparison for papers: which there are, and what their files are like."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from helpers import scene, write_png

from torchdenoise import UserError, compare
from torchdenoise.benchmarking.printed import ONE_COLUMN, TWO_COLUMNS, printed

CLIPPED = ("gaussian:25:clip", "gaussian:50:clip")


def files(folder):
    """Return name -> content of the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_figures_of_every_picture_noise_and_kind_of_noise(run, clean):
    words = ("compare", "--recipes", "tv,a$b$=tv", "--data", clean, "--noise", ",".join([*CLIPPED, "poisson:9"]))
    assert run(*words, "-o", "res").code == 0
    assert not Path("res/figures").exists()
    outcome = run(*words, "-o", "res", "--figures")
    assert (outcome.code, outcome.err) == (0, "")
    assert "12 of 12 jobs were done before" in outcome.out
    assert "figures: res/figures" in outcome.out
    noises = ["gaussian-25-clip", "gaussian-50-clip", "poisson-9"]
    names = ["levels_gaussian-clipped", *(f"time_{noise}" for noise in noises)]
    names += [f"crops_{picture}_{noise}" for picture in ("p0", "p1") for noise in noises]
    made = files(Path("res/figures"))
    assert sorted(made) == sorted(f"{name}.{suffix}" for name in names for suffix in ("pdf", "svg"))
    for name, content in made.items():
        width = TWO_COLUMNS if name.startswith("crops") else ONE_COLUMN
        if name.endswith("pdf"):
            assert float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)[1]) == pytest.approx(72 * width)
            assert b"/FontFile2" in content
            assert b"/Type3" not in content
            assert b"CreationDate" not in content
        else:
            assert float(re.search(rb'<svg [^>]*width="([\d.]+)pt"', content)[1]) == pytest.approx(72 * width)
            assert b"<dc:date>" not in content
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "pdf.fonttype": 3}):  # of a user's own plots
        assert run(*words, "-o", "res", "--figures").code == 0
        assert matplotlib.rcParams["font.size"] == 30
    assert files(Path("res/figures")) == made


def test_without_clean_pictures_there_are_details_and_nothing_to_plot(tmp_path):
    write_png(tmp_path / "x.png", scene(channels=1))
    compare("tv", noisy=tmp_path / "x.png", output=tmp_path / "res", figures=True)
    assert sorted(files(tmp_path / "res/figures")) == ["crops_x_real.pdf", "crops_x_real.svg"]


def test_without_the_extra_it_is_one_line_before_any_work(run, clean, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("compare", "--recipes", "tv", "--data", clean, "--noise", "gaussian:25", "-o", "res", "--figures")
    assert outcome.code == 2
    assert outcome.err == "torchdenoise: figures need an extra: pip install 'torchdenoise[figures]'\n"
    assert not Path("res").exists()


def test_figures_need_a_folder(clean):
    with pytest.raises(UserError, match=r"^figures need a folder: give output$"):
        compare("tv", clean, "gaussian:25", figures=True)


DRAW = """
import hashlib
from torchdenoise.benchmarking.plots import level_plot
from torchdenoise.benchmarking.printed import printed
from torchdenoise.charts import Series
files = printed("x", lambda: level_plot([Series("one", 0, [(1, 2), (9, 3)]), Series("two", 11, [(1, 3)])], "level"))
print({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes():
    made = [
        subprocess.run(
            [sys.executable, "-c", DRAW], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        for seed in ("1", "2")
    ]
    assert [each.returncode for each in made] == [0, 0], made[0].stderr
    assert made[0].stdout == made[1].stdout


def test_the_two_files_of_a_figure():
    from matplotlib.figure import Figure

    assert [(name, content[:4]) for name, content in printed("x", Figure).items()] == [
        ("x.pdf", b"%PDF"),
        ("x.svg", b"<?xm"),
    ]
