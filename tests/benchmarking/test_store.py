"""The folder of a comparison: resuming, truncated files, and folders with other contents."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import recipe_with_loss, result_rows, row_scores, scene, write_pictures, write_png
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise import UserError, compare
from torchdenoise.benchmarking import store
from torchdenoise.benchmarking.comparing import Silent
from torchdenoise.data import read_picture
from torchdenoise.recipes import load_recipe

SHORT = ("--max-steps", "3", "--threads", "1")
NOISE = ("--noise", "gaussian:25,poisson:25")


def test_finished_jobs_are_skipped_and_changed_jobs_repeated(run, clean, tmp_path):
    own = load_recipe("zsn2n")
    Path("own.yaml").write_text(yaml.safe_dump(own))
    words = ("compare", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res", "--recipes")
    assert run(*words, "own.yaml").code == 0
    before = result_rows(Path("res"))
    outcome = run(*words, "own.yaml,zsn2m-star")
    assert "2 of 4 jobs were done before" in outcome.out
    assert [row for row in result_rows(Path("res")) if row["recipe"] == "own"] == before

    own["model"]["init_args"]["network"]["init_args"]["width"] = 7
    Path("own.yaml").write_text(yaml.safe_dump(own))
    outcome = run(*words, "own.yaml,zsn2m-star")
    assert "2 of 4 jobs were done before" in outcome.out
    assert {row["parameters"] for row in result_rows(Path("res"))} == {"668", "22275"}

    write_png(clean / "p0.png", scene(20, 22)[::-1])
    assert "2 of 4 jobs were done before" in run(*words, "own.yaml,zsn2m-star").out
    assert len(result_rows(Path("res"))) == 4
    assert "4 of 4 jobs were done before" in run(*words, "zsn2m-star,own.yaml").out


USER_LOSS = """
from torchdenoise import DenoisingLoss

class Own(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": WEIGHT * denoise(batch["noisy"]).mean()}
"""


def test_jobs_of_an_edited_user_class_are_repeated(run, clean, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "user_loss", raising=False)
    source = tmp_path / "user_loss.py"
    source.write_text(USER_LOSS.replace("WEIGHT", "1"))
    recipes = f"{recipe_with_loss('user_loss.Own')},zsn2n"
    words = ("--import", "user_loss", "compare", "--recipes", recipes, "--data", clean, "--noise", "gaussian:25")
    assert run(*words, *SHORT, "-o", "res").code == 0
    assert "4 of 4 jobs were done before" in run(*words, *SHORT, "-o", "res").out
    source.write_text(USER_LOSS.replace("WEIGHT", "-1"))
    assert "2 of 4 jobs were done before" in run(*words, *SHORT, "-o", "res").out


class StopAfter(Silent):
    """A listener that interrupts the run after some jobs."""

    def __init__(self, after):
        self.left = after

    def on_plan(self, jobs, done):
        self.done = done

    def on_end(self, job, outcome):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_a_run_interrupted_three_times_gives_the_same_scores(clean, tmp_path):
    options = {"noise": "gaussian:25,poisson:9", "max_steps": 2, "threads": 1}
    for times in range(3):
        stop = StopAfter(2)
        with pytest.raises(KeyboardInterrupt):
            compare("zsn2n,zsn2m-star", clean, output=tmp_path / "res", listener=stop, **options)
        assert stop.done == 2 * times
    with (tmp_path / "res" / "results.csv").open("a") as file:
        file.write("zsn2n,p0,gaus")  # cut off in the middle of a row
    ended = compare("zsn2n,zsn2m-star", clean, output=tmp_path / "res", **options)
    alone = compare("zsn2m-star,zsn2n", clean, **options)
    assert len(ended) == len(result_rows(tmp_path / "res")) == 8
    assert row_scores(ended) == row_scores(alone)


def test_a_truncated_row_does_not_affect_other_rows(tmp_path):
    fields = ["image", "warning"]
    for number in range(2):
        store._append(
            tmp_path / "rows.csv", fields, [{"image": str(number), "warning": "correlated (0.4), which is bad"}]
        )
    whole = (tmp_path / "rows.csv").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "rows.csv").write_bytes(whole[:cut])
        whole_rows = store._read(tmp_path / "rows.csv", lambda row: None)
        store._append(tmp_path / "rows.csv", fields, [{"image": "last", "warning": "a, b"}])
        found = store._read(tmp_path / "rows.csv", lambda row: None)
        assert found[:-1] == whole_rows
        assert found[-1] == {"image": "last", "warning": "a, b"}
        assert [row["image"] for row in found[:-1]] == ["0", "1"][: whole[:cut].count(b'bad"\r\n')]


def test_a_full_disk_is_one_line_and_finished_jobs_are_kept(run, clean, monkeypatch):
    words = ("compare", "--recipes", "zsn2n", "--data", clean, *NOISE, *SHORT, "-o", "res")
    append, calls = store._append, []

    def full(path, fields, added):
        calls.append(path)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        append(path, fields, added)

    monkeypatch.setattr(store, "_append", full)
    outcome = run(*words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "res: the disk is full" in outcome.err
    monkeypatch.undo()
    monkeypatch.chdir(clean.parent)
    assert "2 of 4 jobs were done before" in run(*words).out


def test_a_folder_with_other_contents_is_refused(run, clean, tmp_path):
    words = ("compare", "--recipes", "zsn2n", "--noise", "gaussian:25", *SHORT, "-o", "res", "--data")
    Path("res").mkdir()
    Path("res/diary.txt").write_text("dear diary")
    outcome = run(*words, clean)
    assert outcome.code == 2
    assert "res: holds other files than a comparison's; choose a new folder with -o" in outcome.err
    Path("res/diary.txt").unlink()
    assert run(*words, clean).code == 0
    for path in write_pictures(tmp_path / "other", scene).iterdir():
        path.rename(path.with_stem(f"other_{path.stem}"))
    outcome = run(*words, tmp_path / "other")
    assert outcome.code == 2
    assert "res: holds a comparison of other pictures (p0, p1 ...); choose a new folder" in outcome.err
    outcome = run(*words, clean, "--crop", "16")
    assert outcome.code == 2
    assert "res: holds a comparison of clean pictures, crop None; choose a new folder" in outcome.err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r" \(not a JSON file \(Expecting value: line 1 column 1 \(char 0\)\)\)"),
        ("[]", ""),
        ("{}", ""),
        ('{"pictures": "clean"}', ""),
        ('{"pictures": "clean", "crop": "x"}', ""),
    ],
)
def test_a_folder_with_a_broken_description_is_refused(clean, tmp_path, content, reason):
    (tmp_path / "res").mkdir()
    (tmp_path / "res/comparison.json").write_text(content)
    with pytest.raises(UserError, match=rf"res: comparison.json is not what a comparison writes{reason}; choose a new"):
        compare("zsn2n", clean, "gaussian:25", max_steps=1, output=tmp_path / "res")


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "recipe,image,noise,seed,psnr\nzsn2n,p0,gaussian:25,0,30\n"])
def test_a_table_that_compare_did_not_write_is_refused(run, clean, content):
    words = ("compare", "--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert run(*words).code == 0
    path = Path("res/results.csv")
    path.write_text(content)
    outcome = run(*words)
    assert outcome.code == 2
    assert "res: results.csv is not what a comparison writes; choose a new folder with -o" in outcome.err
    assert path.read_text() == content


def test_rows_of_another_version_are_kept_and_reported(run, clean):
    """The earlier version had fewer columns, and a metric that no longer exists."""
    words = ("compare", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res", "--recipes")
    assert run(*words, "zsn2n").code == 0
    table = result_rows(Path("res"))
    fields = ["lpips", *(name for name in table[0] if name not in ("correlation", "noise_found", "warning"))]
    with Path("res/results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "lpips": "0.1", "torchdenoise": "0.0.9"} for row in table)
    outcome = run(*words, "zsn2n,zsn2m-star")
    assert outcome.code == 0, outcome.err
    assert "2 of 4 jobs were done before" in outcome.out
    assert "2 rows were computed by torchdenoise 0.0.9" in outcome.out
    found = result_rows(Path("res"))
    assert list(found[0]) == [*table[0], "lpips"]
    assert {(row["recipe"], row["lpips"], row["correlation"] == "") for row in found} == {
        ("zsn2n", "0.1", True),
        ("zsn2m-star", "", False),
    }
    assert "| zsn2n | 2 |" in outcome.out


def test_stored_results_have_the_psnr_of_their_rows(clean, tmp_path):
    [row] = compare("zsn2n", clean / "p0.png", "gaussian:25", max_steps=2, output=tmp_path / "res")
    path = tmp_path / "res" / "pictures" / "p0_gaussian-25_0" / "zsn2n.png"
    clean_image = read_picture(clean / "p0.png").image
    error = np.square(read_picture(path).image.numpy() - clean_image.numpy()).mean()
    assert -10 * np.log10(error) == pytest.approx(row["psnr"], abs=0.1)


def test_long_picture_names_are_shortened_to_distinct_folders(run, tmp_path):
    (tmp_path / "long").mkdir()
    for last in "ab":
        write_png(tmp_path / "long" / f"{'ö' * 120}{last}.png", scene())
    words = ("--recipes", "zsn2n", "--data", "long", "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert run("compare", *words).code == 0
    folders = [path.name for path in Path("res/pictures").iterdir()]
    assert len(folders) == 2
    assert all(len(name.encode()) <= 200 and name.startswith("ööö") for name in folders)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("psnr", "thirty", "line 2: could not convert string to float: 'thirty'"),
        ("seed", "", "line 2: invalid literal for int()"),
        ("status", "perfect", "line 2: status 'perfect'"),
        ("batch", "1e3", "line 2: invalid literal for int()"),
        ("seconds", "-1", "line 2: -1 seconds"),
        ("seconds", "nan", "line 2: nan seconds"),
        ("error", '"', "unexpected end of data"),
    ],
)
def test_a_damaged_table_is_one_line(run, clean, column, cell, reason):
    words = ("--recipes", "tv", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "out")
    assert run("compare", *words).code == 0
    header, row, *_ = Path("out/results.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True)) | {column: cell}
    Path("out/results.csv").write_text(f"{header}\n{','.join(cells.values())}\n")
    outcome = run("compare", *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert reason in outcome.err


@pytest.mark.parametrize("content", [b"\xff\xfe", b"recipe,image,noise,seed,status,fingerprint,seed\n", b'"'])
def test_a_damaged_header_is_one_line(run, clean, content):
    words = ("--recipes", "tv", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "out")
    assert run("compare", *words).code == 0
    Path("out/results.csv").write_bytes(content)
    outcome = run("compare", *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


def test_names_that_look_like_formulas_are_text_in_a_spreadsheet_and_come_back(tmp_path):
    write_png(tmp_path / "=1+2.png", scene(16, 16))
    write_png(tmp_path / "'=x.png", scene(16, 16))
    rows = compare({"tv": "tv", "-@tv": "tv"}, tmp_path, "gaussian:25", output=tmp_path / "out")
    with (tmp_path / "out/results.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    assert {row["image"] for row in stored} == {"'=1+2", "''=x"}
    assert {row["recipe"] for row in stored} == {"tv", "'-@tv"}
    assert {row["image"] for row in rows} == {"=1+2", "'=x"}
    again = compare({"tv": "tv", "-@tv": "tv"}, tmp_path, "gaussian:25", output=tmp_path / "out")
    assert again == rows  # nothing is done again, seconds included


@given(st.text(max_size=4))
def test_every_cell_comes_back(cell):
    assert store._without_mark(store._marked(cell)) == cell
    assert not store._marked(cell).startswith(store._FORMULA) or store._is_number(cell)


TV = ("compare", "--recipes", "tv", "--noise", "gaussian:25", "--threads", "1", "-o", "out", "--data")


@pytest.mark.parametrize("name", ["results.csv", "curves.csv", "comparison.json"])
@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("no")]
)
def test_what_is_no_file_is_not_waited_for(run, clean, name, put):
    assert run(*TV, clean).code == 0
    path = Path("out") / name
    path.unlink(missing_ok=True)
    put(path)
    outcome = run(*TV, clean)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"out: {name} is not what a comparison writes (it is no file)" in outcome.err


def test_a_table_larger_than_any_is_not_read(run, clean):
    assert run(*TV, clean).code == 0
    os.truncate("out/results.csv", 64 << 30)
    outcome = run(*TV, clean)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "results.csv is not what a comparison writes (it is larger than 64 MiB)" in outcome.err


def test_pages_and_pictures_take_the_place_of_pipes_and_links(run, clean, tmp_path):
    assert run(*TV, clean).code == 0
    kept = tmp_path / "kept.txt"
    places = [f"out/{name}" for name in ("report.html", "table.md", "table.tex", "pictures/p0_gaussian-25_0/tv.png")]
    kept.write_text("mine")
    for put in (os.mkfifo, lambda path: path.symlink_to(kept)):
        for place in places:
            Path(place).unlink()
            put(Path(place))
        Path("out/results.csv").unlink()
        assert run(*TV, clean).code == 0
        assert all(Path(place).is_file() and not Path(place).is_symlink() for place in places)
    assert kept.read_text() == "mine"


def test_a_folder_in_the_place_of_a_page_is_kept(run, clean):
    Path("out/report.html").mkdir(parents=True)
    Path("out/report.html/mine.txt").touch()
    Path("out/comparison.json").write_text('{"pictures": "clean", "crop": null}')
    outcome = run(*TV, clean)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert Path("out/report.html/mine.txt").exists()


def test_a_step_that_no_fit_has_is_one_line(run, clean):
    assert run(*TV, clean).code == 0
    Path("out/curves.csv").write_text("fingerprint,step,psnr\nx,0,30\n")
    outcome = run(*TV, clean)
    assert outcome.code == 2
    assert "curves.csv is not what a comparison writes (line 2: step 0)" in outcome.err


def test_rows_without_seconds_have_a_report(run, clean):
    assert run(*TV, clean).code == 0
    rows = result_rows(Path("out"))
    with Path("out/results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "seconds"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    outcome = run(*TV, clean)
    assert outcome.code == 0, outcome.err
    assert "2 of 2 jobs were done before" in outcome.out
