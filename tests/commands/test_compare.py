"""``torchdenoise compare``: what it writes, and one line for each error."""

import re
from pathlib import Path

import pytest
from helpers import result_rows, scene, write_pictures

SHORT = ("--max-steps", "3", "--threads", "1")
NOISE = ("--noise", "gaussian:25,poisson:25")


@pytest.fixture
def clean(tmp_path):
    """Return a folder of two clean pictures of different size."""
    return write_pictures(tmp_path / "clean", scene)


def test_compare_writes_rows_table_report_and_pictures(run, clean):
    words = ("compare", "--recipes", "zsn2n,zsn2m-star", "--data", clean, *NOISE, "--seeds", "0,1", *SHORT)
    outcome = run(*words, "-o", "res")
    assert outcome.code == 0, outcome.err
    table = result_rows(Path("res"))
    assert len(table) == 16
    assert {row["status"] for row in table} == {"done"}
    assert [row["noise"] for row in table] == ["gaussian:25"] * 8 + ["poisson:25"] * 8
    first = table[0]
    for name in ("psnr", "ssim", "seconds", "memory_mb", "torch", "lightning", "device", "fingerprint"):
        assert first[name]
    assert (first["steps"], first["parameters"], first["threads"], first["workers"]) == ("3", "22275", "1", "1")
    assert "## poisson:25" in outcome.out
    assert "| zsn2m-star | 4 |" in (Path("res") / "table.md").read_text()
    assert "zsn2m-star & " in Path("res/table.tex").read_text()
    assert len(list(Path("res/pictures").glob("*/*.png"))) == 16
    html = Path("res/report.html").read_text()
    assert " ".join(["torchdenoise", *map(str, words)]) in html
    assert html.count("<table>") == 2
    assert html.count("data:image/webp;base64,") == 4 * (2 + 2 * 2)
    assert not re.search(r"(src|href)=\"?https?:", html)
    assert "<script src" not in html


def test_spread_changes_the_table_for_papers_and_repeats_no_job(run, clean):
    words = ("compare", "--recipes", "tv", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert run(*words).code == 0
    table, rows = Path("res/table.tex").read_text(), Path("res/results.csv").read_bytes()
    assert r"$\pm$" not in table
    assert run(*words, "--spread").code == 0
    assert re.search(r"^tv & \d+\.\d\d \$\\pm\$ \d+\.\d\d & ", Path("res/table.tex").read_text(), re.MULTILINE)
    assert Path("res/results.csv").read_bytes() == rows


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--recipes zsn3n --data clean --noise gaussian:25", r"zsn3n: unknown recipe \(did you mean zsn2n\?\)"),
        (
            "--recipes wide=zsn2n:model.netwrok.width=64 --data clean --noise gaussian:25",
            r"torchdenoise: wide: model.netwrok.width: no such option \(did you mean model.network.width\?\)$",
        ),
        ("--recipes zsn2n,zsn2n --data clean --noise gaussian:25", "zsn2n is named twice"),
        ("--recipes q* --data clean --noise gaussian:25", r"q\*: no recipe for single pictures matches"),
        ("--recipes n2n --data clean --noise gaussian:25", "n2n is trained on a data set: .* n2n=FILE.ckpt"),
        ("--recipes n2n=no.ckpt --data clean --noise gaussian:25", "no.ckpt: no such checkpoint file"),
        ("--recipes zsn2n --data clean --noise gausian:25", r"unknown noise 'gausian' \(did you mean gaussian"),
        ("--recipes zsn2n --data clean", "clean pictures need a noise: give --noise"),
        (
            "--recipes zsn2n --noisy clean --noise gaussian:25",
            "--noise is for clean pictures, and these are noisy: leave it out",
        ),
        ("--recipes zsn2n --data nowhere --noise gaussian:25", "nowhere: no such file"),
        ("--recipes zsn2n", "no pictures: give --data DIR"),
        ("--recipes zsn2n --noisy clean --clean more", "no picture of the same name for more/p2.png"),
        ("--recipes zsn2n --noisy clean --data clean", "use one or the other"),
        ("--recipes zsn2n --clean clean", "--clean needs the noisy pictures"),
        ("--recipes zsn2n --data clean --noise gaussian:25 --workers 0", "--workers: give a whole number from 1 on"),
        ("--recipes zsn2n --data clean --noise gaussian:25 --seeds 0,x", "--seeds 0,x: give whole numbers"),
        ("--recipes zsn2n --data clean --noise gaussian:25 --seeds=-1", "seed -1: must lie in 0 to 4294967295"),
        (
            "--recipes zsn2n --data clean --noise gaussian:25 --crop 21",
            "p0.png: 22x20 pixels, smaller than --crop 21",
        ),
        ("--recipes zsn2n --data clean --noise gaussian:25 --device gpu", "device gpu: not one of"),
        ("--recipes zsn2n --data clean more --noise gaussian:25", "have the same name: rename one"),
        ("--recipes zsn2n --data clean --noise gaussian:25 --dask tcp://127.0.0.1:1", "--dask"),
    ],
)
def test_invalid_arguments_are_one_line_before_any_work(run, clean, tmp_path, words, message):
    write_pictures(tmp_path / "more", scene, count=3)
    outcome = run("compare", *words.split(), "-o", "res")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert re.search(message, outcome.err), outcome.err
    assert not list(Path("res").glob("results.csv"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n", "own.yaml: a recipe needs at least a `model`"),
        ("model: ZSN2N\ndata: [SingleImage]\n", "own: data"),
        ("model: ZSN2N\ndata: 5\n", "own: data"),
        ("model: ZSN2N\ndata: {class_path: null}\n", "own: data"),
        ("model:\n  class_path: ZSN2N\n  init_args: {netwrk: 3}\n", "own: model.netwrk"),
    ],
)
def test_recipe_errors_are_one_line_with_the_name_of_the_recipe(run, clean, text, message):
    Path("own.yaml").write_text(text)
    outcome = run("compare", "--recipes", "own.yaml", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert not Path("res").exists()
