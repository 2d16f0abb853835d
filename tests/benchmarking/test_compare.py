"""``compare`` by doing it: tiny pictures, a few steps, through the command line and the Python call."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers import correlated_noise, noisy_scene, scene, write_png
from lightning import Trainer

from torchdenoise import DenoisingLoss, NoiseModel, UserError, compare, denoise, from_spec, metrics
from torchdenoise.benchmarking import store
from torchdenoise.benchmarking.comparing import Silent
from torchdenoise.data import SingleImage, read_picture
from torchdenoise.denoisers import ZSN2N, SmallCNN
from torchdenoise.fitting import HYGIENE
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

SHORT = ("--max-steps", "3", "--threads", "1")
NOISE = ("--noise", "gaussian:25,poisson:25")


@pytest.fixture
def clean(tmp_path):
    """Return a folder of two clean pictures of different size."""
    return pictures(tmp_path / "clean", scene)


def pictures(folder, made, count=2):
    folder.mkdir()
    for number in range(count):
        write_png(folder / f"p{number}.png", made(20 + number, 22))
    return folder


def rows(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scores(table):
    """Return what must not depend on how a comparison was run."""
    return sorted(tuple(row[name] for name in ("recipe", "image", "noise", "seed", "psnr", "ssim")) for row in table)


# -- what it does ------------------------------------------------------------------------------------------------------


def test_rows_table_report_and_pictures(run, clean):
    words = ("compare", "--recipes", "zsn2n,zsn2m-star", "--data", clean, *NOISE, "--seeds", "0,1", *SHORT)
    outcome = run(*words, "-o", "res")
    assert outcome.code == 0, outcome.err
    table = rows(Path("res"))
    assert len(table) == 16
    assert {row["status"] for row in table} == {"done"}
    assert [row["noise"] for row in table] == ["gaussian:25"] * 8 + ["poisson:25"] * 8
    first = table[0]
    for name in ("psnr", "ssim", "seconds", "memory_mb", "torch", "lightning", "device", "fingerprint"):
        assert first[name]
    assert (first["steps"], first["parameters"], first["threads"], first["workers"]) == ("3", "22275", "1", "1")
    assert "## poisson:25" in outcome.out
    assert "| zsn2m-star | 4 |" in (Path("res") / "table.md").read_text()
    assert len(list(Path("res/pictures").glob("*/*.png"))) == 16
    html = Path("res/report.html").read_text()
    assert " ".join(["torchdenoise", *map(str, words)]) in html
    assert html.count("<table>") == 2
    assert html.count("data:image/webp;base64,") == 4 * (2 + 2 * 2)
    assert not re.search(r"(src|href)=\"?https?:", html)
    assert "<script src" not in html


def test_a_row_is_what_denoise_gives_on_the_same_noisy_crop(clean):
    how = {"max_steps": 5, "device": "cpu"}
    compared = compare("zsn2n", clean / "p0.png", "gaussian:25:clip", crop=16, threads=1, seeds=[3], **how)
    picture = read_picture(clean / "p0.png").image[..., 2:18, 3:19]
    noisy = repeatable(from_spec("gaussian:25:clip"), picture, 3)
    restored = denoise(noisy, "zsn2n", seed=3, data_range=1.0, **how)
    assert compared[0]["psnr"] == pytest.approx(metrics.psnr(restored, picture).item(), abs=1e-4)
    assert compared[0]["noisy_psnr"] == pytest.approx(metrics.psnr(noisy, picture).item(), abs=1e-4)
    assert compared[0]["removed"] == pytest.approx(255 * (noisy - restored).std().item(), abs=1e-2)


def test_the_python_call_gives_numbers_and_leaves_nothing(clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    [row, _] = compare(["zsn2n"], clean, ["gaussian:25"], max_steps=2)
    assert isinstance(row["psnr"], float)
    assert isinstance(row["steps"], int)
    assert row["error"] is None
    assert torch.equal(torch.get_rng_state(), before)
    assert [path.name for path in tmp_path.iterdir()] == ["clean"]


def test_pairs_and_noisy_pictures_alone(run, clean, tmp_path):
    noisy = pictures(tmp_path / "noisy", noisy_scene)
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", noisy, "--clean", clean, *SHORT, "-o", "pairs")
    assert outcome.code == 0, outcome.err
    assert {row["noise"] for row in rows(Path("pairs"))} == {"real"}
    assert all(float(row["psnr"]) > 10 for row in rows(Path("pairs")))
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", noisy, *SHORT, "-o", "alone")
    assert outcome.code == 0, outcome.err
    assert all(row["psnr"] == "" and float(row["removed"]) > 0 for row in rows(Path("alone")))
    assert "no clean pictures to compare with" in Path("alone/report.html").read_text()


def test_a_pair_is_on_one_scale(run, tmp_path):
    """Twelve bits and a little more: by itself the noisy picture would have another white than the clean one."""
    for name, shift in (("clean", 0.0), ("noisy", 100 / 65535)):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "a.png", 4050 / 65535 * scene() / scene().max() + shift, depth=16)
    [row] = compare("zsn2n", tmp_path / "clean", noisy=tmp_path / "noisy", max_steps=1, threads=1)
    assert row["noisy_psnr"] == pytest.approx(20 * np.log10(16383 / 100), abs=0.1)


def test_a_pair_of_two_types_is_refused(run, tmp_path):
    for name, depth in (("clean", 8), ("noisy", 16)):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "a.png", scene(), depth=depth)
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", "noisy", "--clean", "clean", *SHORT, "-o", "res")
    assert outcome.code == 2
    assert re.search("a.png holds uint8, .*a.png uint16: write both with the same type", outcome.err), outcome.err
    assert not Path("res").exists()


def test_a_damaged_picture_costs_its_own_rows_alone(run, clean):
    (clean / "p0.png").write_bytes((clean / "p0.png").read_bytes()[:-40])
    outcome = run("compare", "--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 1, outcome.err
    assert {row["image"]: row["status"] for row in rows(Path("res"))} == {"p0": "failed", "p1": "done"}
    assert "zsn2n on p0, gaussian:25:" in Path("res/report.html").read_text()


def test_a_perfect_result_has_a_report(run, tmp_path):
    (tmp_path / "black").mkdir()
    for name in "ab":
        write_png(tmp_path / "black" / f"{name}.png", 0 * scene())
    outcome = run(
        "compare", "--recipes", "zsn2n", "--data", "black", "--noise", "poisson:25,poisson:50", *SHORT, "-o", "res"
    )
    assert outcome.code == 0, outcome.err
    assert {row["noisy_psnr"] for row in rows(Path("res"))} == {"inf"}
    assert "PSNR" in Path("res/report.html").read_text()


def test_a_diverged_fit_is_a_failure(run, clean):
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e37}}
    Path("wild.yaml").write_text(yaml.safe_dump(recipe))
    words = ("--recipes", "wild.yaml,zsn2n", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    outcome = run("compare", *words, "--max-steps", "1")
    assert outcome.code == 1, outcome.err
    told = {(row["recipe"], row["status"], row["error"]) for row in rows(Path("res"))}
    assert told == {
        ("wild", "failed", "the result holds NaN or infinity: lower the learning rate"),
        ("zsn2n", "done", ""),
    }


def test_a_crop_of_three_pixels_has_a_report(run, clean):
    words = ("--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "--crop", "3", "-o", "res")
    assert run("compare", *words).code == 0
    assert Path("res/report.html").exists()


def test_a_picture_given_twice_is_one(clean):
    assert len(compare("zsn2n", [clean, clean / "p0.png"], "gaussian:25", max_steps=1, threads=1)) == 2


def test_long_names_of_pictures(run, tmp_path):
    (tmp_path / "long").mkdir()
    for last in "ab":
        write_png(tmp_path / "long" / f"{'ö' * 120}{last}.png", scene())
    words = ("--recipes", "zsn2n", "--data", "long", "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert run("compare", *words).code == 0
    folders = [path.name for path in Path("res/pictures").iterdir()]
    assert len(folders) == 2
    assert all(len(name.encode()) <= 200 and name.startswith("ööö") for name in folders)


def test_a_name_that_no_table_can_hold_is_refused(run, tmp_path):
    (tmp_path / "odd").mkdir()
    write_png(tmp_path / "a.png", scene())
    (tmp_path / "a.png").rename(tmp_path / "odd" / os.fsdecode(b"caf\xe9.png"))
    outcome = run("compare", "--recipes", "zsn2n", "--data", "odd", "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 2
    assert "its name is not UTF-8" in outcome.err
    assert not Path("res").exists()


def test_a_recipe_in_few_words(run, clean):
    Path("own.yaml").write_text("model: ZSN2N\ndata: SingleImage\nckpt_path: null\n")
    outcome = run("compare", "--recipes", "own.yaml", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 0, outcome.err


def test_a_row_that_was_cut_off_swallows_no_other(tmp_path):
    fields = ["image", "warning"]
    for number in range(2):
        store._append(
            tmp_path / "rows.csv", fields, [{"image": str(number), "warning": "correlated (0.4), which is bad"}]
        )
    whole = (tmp_path / "rows.csv").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "rows.csv").write_bytes(whole[:cut])
        whole_rows = store._read(tmp_path / "rows.csv")
        store._append(tmp_path / "rows.csv", fields, [{"image": "last", "warning": "a, b"}])
        found = store._read(tmp_path / "rows.csv")
        assert found[:-1] == whole_rows
        assert found[-1] == {"image": "last", "warning": "a, b"}
        assert [row["image"] for row in found[:-1]] == ["0", "1"][: whole[:cut].count(b'bad"\r\n')]


def test_a_checkpoint_is_applied_or_a_fit_starts_from_it(run, clean, noisy_png):
    fitted = run(
        "fit",
        *["--config", "zsn2n", "--trainer.max_steps", "2", "--trainer.accelerator", "cpu"],
        "--data.path",
        noisy_png,
    )
    assert fitted.code == 0, fitted.err
    last = "runs/version_0/checkpoints/last.ckpt"
    Path("own.yaml").write_text(yaml.safe_dump(load_recipe("zsn2n-finetune")))
    recipes = f"mine={last},zsn2n-finetune={last},own.yaml={last}"
    outcome = run("compare", "--recipes", recipes, "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 0, outcome.err
    table = rows(Path("res"))
    assert {(row["recipe"], row["steps"]) for row in table} == {("mine", "0"), ("zsn2n-finetune", "3"), ("own", "3")}
    assert len({row["psnr"] for row in table}) == 4
    words = ("--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "none")
    for recipe, message in (("bm3d", "BM3D takes no network"), ("x/y", "cannot name a method"), ("", "cannot name")):
        outcome = run("compare", "--recipes", f"zsn2n,{recipe}={last}", *words)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert message in outcome.err
        assert not Path("none").exists()
    content = torch.load(last, weights_only=True)
    content["torchdenoise"]["recipe"]["class_path"] = "my.Foo"
    torch.save(content, "foreign.ckpt")
    assert (
        "fitted with my.Foo, which is not known here; if you trust it, add --import my"
        in run("compare", "--recipes", "a=foreign.ckpt", *words).err
    )


def test_pictures_fitted_together_give_what_each_alone_gives(run, clean):
    words = ("compare", "--recipes", "zsn2n,tv", "--data", clean, "--noise", "gaussian:25", *SHORT)
    assert run(*words, "-o", "alone").code == 0
    outcome = run(*words, "--batch", "2", "-o", "together")
    assert outcome.code == 0, outcome.err
    assert "tv, one picture at a time: TotalVariation fits nothing" in outcome.out
    assert "up to 2 pictures fitted together" in outcome.out
    for one, other in zip(rows(Path("alone")), rows(Path("together")), strict=True):
        assert one["image"] == other["image"]
        assert float(one["psnr"]) == pytest.approx(float(other["psnr"]), abs=1e-2)
        assert (one["steps"], one["parameters"]) == (other["steps"], other["parameters"])
        assert (one["batch"], other["batch"]) == ("1", {"zsn2n": "2", "tv": "1"}[one["recipe"]])


def test_methods_that_differ_in_their_readout_alone_share_a_fit(clean, monkeypatch):
    """One fit for both readings of Self2Self's network; one of its own for a readout that accumulates outputs."""
    passes = {f"of-{count}": ("Self2SelfMean", {"passes": count}) for count in (1, 100)}
    others = {"watching": ("RunningMean", {"keep": 0.5}), "plain": ("OnePass", {})}
    recipes = []
    for name, (kind, arguments) in (passes | others).items():
        recipe = load_recipe("self2self" if name in passes else "zsn2n")
        recipe["model"]["init_args"]["network"]["init_args"]["width"] = 4
        readout = f"torchdenoise.denoisers.{kind}"  # other tests have readouts of these names
        recipe["model"]["init_args"]["readout"] = {"class_path": readout, "init_args": arguments}
        recipes.append(clean.parent / f"{name}.yaml")
        recipes[-1].write_text(yaml.safe_dump(recipe))
    options = {"images": clean / "p0.png", "noise": "gaussian:25", "max_steps": 2, "threads": 1}
    alone = [compare(recipe, **options)[0] for recipe in recipes]
    fits = []
    train = Trainer.fit
    monkeypatch.setattr(Trainer, "fit", lambda self, *given, **named: (fits.append(self), train(self, *given, **named)))
    together = compare(recipes, **options)
    assert scores(together) == scores(alone)
    assert len({row["psnr"] for row in together}) == 4
    assert [trainer.max_steps for trainer in fits] == [2, 2, 2]
    seconds = {row["recipe"]: row["seconds"] for row in together}
    assert seconds["of-1"] < seconds["of-100"]


def test_a_variant_is_the_recipe_with_its_overrides(run, clean):
    """As a row of the recipe that the overrides make, also beside others, and with pictures fitted together."""
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["network"]["init_args"]["width"] = 7
    Path("own.yaml").write_text(yaml.safe_dump(recipe))
    words = ("compare", "--data", clean, "--noise", "gaussian:25", "--threads", "1")
    assert run(*words, "--recipes", "own.yaml", "--max-steps", "3", "-o", "own").code == 0
    variants = "narrow=zsn2n:model.network.width=7,trainer.max_steps=3,plain=zsn2n:trainer.max_steps=2"
    outcome = run(*words, "--recipes", variants, "-o", "res")
    assert outcome.code == 0, outcome.err
    numbers = [[(row["psnr"], row["parameters"], row["steps"]) for row in rows(Path(name))] for name in ("own", "res")]
    assert numbers[1][::2] == numbers[0]
    assert {row["steps"] for row in rows(Path("res")) if row["recipe"] == "plain"} == {"2"}
    assert "4 of 4 jobs were done before" in run(*words, "--recipes", variants, "-o", "res").out
    other = variants.replace("=7", "=8")
    assert "2 of 4 jobs were done before" in run(*words, "--recipes", other, "-o", "res").out
    together = compare({"narrow": ("zsn2n", ["model.network.width=7"])}, clean, "gaussian:25", max_steps=3, batch=2)
    assert [row["psnr"] for row in together] == pytest.approx([float(each[0]) for each in numbers[0]], abs=1e-2)
    assert {row["batch"] for row in together} == {2}


def test_what_a_method_finds_wrong_with_the_noise_is_in_its_row(run, tmp_path):
    (tmp_path / "noisy").mkdir()
    write_png(tmp_path / "noisy" / "x.png", correlated_noise())
    outcome = run("compare", "--recipes", "fast,zsn2n", "--noisy", "noisy", *SHORT, "-o", "res")
    assert outcome.code == 0, outcome.err
    [fast, zsn2n] = rows(Path("res"))
    assert fast["warning"].startswith("the noise of neighbouring pixels is correlated")
    assert zsn2n["warning"] == ""
    assert outcome.err == ""
    assert f"## Warnings\n\n- fast, real, 1 of 1: {fast['warning']}" in Path("res/table.md").read_text()
    assert fast["warning"] in Path("res/report.html").read_text()


# -- going on ----------------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again_and_what_changed_is(run, clean, tmp_path):
    own = load_recipe("zsn2n")
    Path("own.yaml").write_text(yaml.safe_dump(own))
    words = ("compare", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res", "--recipes")
    assert run(*words, "own.yaml").code == 0
    before = rows(Path("res"))
    outcome = run(*words, "own.yaml,zsn2m-star")
    assert "2 of 4 jobs were done before" in outcome.out
    assert [row for row in rows(Path("res")) if row["recipe"] == "own"] == before

    own["model"]["init_args"]["network"]["init_args"]["width"] = 7
    Path("own.yaml").write_text(yaml.safe_dump(own))
    outcome = run(*words, "own.yaml,zsn2m-star")
    assert "2 of 4 jobs were done before" in outcome.out
    assert {row["parameters"] for row in rows(Path("res"))} == {"668", "22275"}

    write_png(clean / "p0.png", scene(20, 22)[::-1])
    assert "2 of 4 jobs were done before" in run(*words, "own.yaml,zsn2m-star").out
    assert len(rows(Path("res"))) == 4
    assert "4 of 4 jobs were done before" in run(*words, "zsn2m-star,own.yaml").out


OWN = """
from torchdenoise import DenoisingLoss

class Own(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": WEIGHT * denoise(batch["noisy"]).mean()}
"""


def test_an_edited_class_of_one_s_own_is_noticed(run, clean, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "an_own_loss", raising=False)
    source = tmp_path / "an_own_loss.py"
    source.write_text(OWN.replace("WEIGHT", "1"))
    words = ("--recipes", f"{own_recipe('an_own_loss.Own')},zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT)
    assert run("compare", *words, "-o", "res").code == 0
    assert "4 of 4 jobs were done before" in run("compare", *words, "-o", "res").out
    source.write_text(OWN.replace("WEIGHT", "-1"))
    assert "2 of 4 jobs were done before" in run("compare", *words, "-o", "res").out


class Stop(Silent):
    """A listener that ends the run after some jobs, as a kill would."""

    def __init__(self, after):
        self.left = after

    def on_plan(self, jobs, done):
        self.done = done

    def on_end(self, job, outcome):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_killed_three_times_ends_like_one_left_alone(clean, tmp_path):
    how = {"noise": "gaussian:25,poisson:9", "max_steps": 2, "threads": 1}
    for times in range(3):
        stop = Stop(2)
        with pytest.raises(KeyboardInterrupt):
            compare("zsn2n,zsn2m-star", clean, output=tmp_path / "res", listener=stop, **how)
        assert stop.done == 2 * times
    with (tmp_path / "res" / "results.csv").open("a") as file:
        file.write("zsn2n,p0,gaus")  # cut off in the middle of a row
    ended = compare("zsn2n,zsn2m-star", clean, output=tmp_path / "res", **how)
    alone = compare("zsn2m-star,zsn2n", clean, **how)
    assert len(ended) == len(rows(tmp_path / "res")) == 8
    assert scores(ended) == scores(alone)


def test_the_order_and_the_company_change_no_number(clean):
    how = {"max_steps": 3, "threads": 1}
    many = compare("zsn2m-star,zsn2n,neighbor2neighbor-single", clean, "poisson:25,gaussian:25", seeds=[1, 0], **how)
    one = compare("zsn2n", clean / "p1.png", "gaussian:25", **how)
    assert set(scores(one)) < set(scores(many))


def test_a_full_disk_ends_with_one_line_and_what_was_done_stays(run, clean, monkeypatch):
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


# -- failures ----------------------------------------------------------------------------------------------------------


class Fragile(DenoisingLoss):
    """Fails on pictures whose height is even."""

    def forward(self, denoise, batch, draws, progress):
        if batch["noisy"].shape[-2] % 2 == 0:
            raise RuntimeError("cannot\ndo this")
        return {"fit": denoise(batch["noisy"]).square().mean()}


def own_recipe(loss, name="own.yaml"):
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["loss"] = loss
    Path(name).write_text(yaml.safe_dump(recipe))
    return name


@pytest.mark.parametrize("batch", [1, 2])
def test_a_failing_job_is_a_row_and_the_others_go_on(run, clean, monkeypatch, batch):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parent.parent}")
    own = own_recipe({"class_path": f"{__name__}.Fragile"})
    words = ("compare", "--recipes", f"zsn2n,{own}", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    outcome = run(*words, "--batch", batch)
    assert outcome.code == 1, outcome.err
    assert "1 of 4 jobs failed" in outcome.out
    by_key = {(row["recipe"], row["image"]): row for row in rows(Path("res"))}
    assert by_key["own", "p0"]["error"] == "RuntimeError: cannot do this"
    assert by_key["own", "p1"]["status"] == "done"
    assert "| zsn2n | 1 of 2 |" in outcome.out  # ranked by the picture that both have finished
    assert "own on p0, gaussian:25: RuntimeError" in Path("res/report.html").read_text()


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
        ("--recipes zsn2n --data clean --noise gaussian:25 --workers 0", "--workers: must be at least 1"),
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
def test_bad_words_are_one_line_before_any_work(run, clean, tmp_path, words, message):
    pictures(tmp_path / "more", scene, count=3)
    outcome = run("compare", *words.split(), "-o", "res")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert re.search(message, outcome.err), outcome.err
    assert not list(Path("res").glob("results.csv"))


def test_a_folder_of_other_things_is_left_alone(run, clean, tmp_path):
    words = ("compare", "--recipes", "zsn2n", "--noise", "gaussian:25", *SHORT, "-o", "res", "--data")
    Path("res").mkdir()
    Path("res/diary.txt").write_text("dear diary")
    outcome = run(*words, clean)
    assert outcome.code == 2
    assert "res: holds other files than a comparison's; choose a new folder with -o" in outcome.err
    Path("res/diary.txt").unlink()
    assert run(*words, clean).code == 0
    for path in pictures(tmp_path / "other", scene).iterdir():
        path.rename(path.with_stem(f"other_{path.stem}"))
    outcome = run(*words, tmp_path / "other")
    assert outcome.code == 2
    assert "res: holds a comparison of other pictures (p0, p1 ...); choose a new folder" in outcome.err
    outcome = run(*words, clean, "--crop", "16")
    assert outcome.code == 2
    assert "res: holds a comparison of clean pictures, crop None; choose a new folder" in outcome.err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pictures": "clean"}'])
def test_a_folder_whose_description_is_broken_is_left_alone(clean, tmp_path, content):
    (tmp_path / "res").mkdir()
    (tmp_path / "res/comparison.json").write_text(content)
    with pytest.raises(UserError, match=r"res: comparison.json is not what a comparison writes; choose a new folder"):
        compare("zsn2n", clean, "gaussian:25", max_steps=1, output=tmp_path / "res")


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
def test_what_is_wrong_with_a_recipe_is_one_line_with_its_name(run, clean, text, message):
    Path("own.yaml").write_text(text)
    outcome = run("compare", "--recipes", "own.yaml", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert not Path("res").exists()


def test_rows_of_another_version_are_kept_and_reported(run, clean):
    """An earlier version had fewer columns, and a metric that is not there now."""
    words = ("compare", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res", "--recipes")
    assert run(*words, "zsn2n").code == 0
    table = rows(Path("res"))
    fields = ["lpips", *(name for name in table[0] if name not in ("correlation", "warning"))]
    with Path("res/results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "lpips": "0.1", "torchdenoise": "0.0.9"} for row in table)
    outcome = run(*words, "zsn2n,zsn2m-star")
    assert outcome.code == 0, outcome.err
    assert "2 of 4 jobs were done before" in outcome.out
    assert "2 rows were computed by torchdenoise 0.0.9" in outcome.out
    found = rows(Path("res"))
    assert list(found[0]) == [*table[0], "lpips"]
    assert {(row["recipe"], row["lpips"], row["correlation"] == "") for row in found} == {
        ("zsn2n", "0.1", True),
        ("zsn2m-star", "", False),
    }
    assert "| zsn2n | 2 |" in outcome.out


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "recipe,image,noise,seed,psnr\nzsn2n,p0,gaussian:25,0,30\n"])
def test_a_table_that_is_no_comparison_s_is_left_alone(run, clean, content):
    words = ("compare", "--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert run(*words).code == 0
    path = Path("res/results.csv")
    path.write_text(content)
    outcome = run(*words)
    assert outcome.code == 2
    assert "res: results.csv is not what a comparison writes; choose a new folder with -o" in outcome.err
    assert path.read_text() == content


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("threads", 0), ("batch", 0), ("crop", 0)])
def test_numbers_below_one_are_refused(clean, name, value):
    with pytest.raises(UserError, match=f"{name} 0: must be at least 1"):
        compare("zsn2n", clean, "gaussian:25", **{name: value})


# -- several processes -------------------------------------------------------------------------------------------------


class Deadly(DenoisingLoss):
    """Kills its process on one picture: for the first time alone, or always."""

    def __init__(self, height: int, mark: str) -> None:
        self.height, self.mark = height, mark

    def forward(self, denoise, batch, draws, progress):
        if batch["noisy"].shape[-2] == self.height and not Path(self.mark).exists():
            if self.mark != "never":
                Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"fit": denoise(batch["noisy"]).square().mean()}


@pytest.mark.slow
@pytest.mark.parametrize(("mark", "failures"), [("once", 0), ("never", 1)])
def test_a_killed_worker_costs_its_own_job_one_retry(run, tmp_path, monkeypatch, mark, failures):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parent.parent}")
    monkeypatch.chdir(tmp_path)
    clean = pictures(tmp_path / "clean", scene, count=4)
    path = mark if mark == "never" else str(tmp_path / mark)
    own = own_recipe({"class_path": f"{__name__}.Deadly", "init_args": {"height": 21, "mark": path}})
    words = ("compare", "--recipes", f"zsn2n,{own}", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    outcome = run(*words, "--workers", "2")
    assert outcome.code == failures, outcome.out + outcome.err
    table = rows(Path("res"))
    assert len(table) == 8
    failed = [row for row in table if row["status"] == "failed"]
    assert [(row["recipe"], row["image"]) for row in failed] == [("own", "p1")] * failures
    assert all("killed twice" in row["error"] for row in failed)
    assert "seconds are contended" in outcome.out


@pytest.fixture
def two_threads():
    """Let torch have two threads, as on a user's machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, None])
def test_workers_change_no_number(tmp_path, two_threads, threads):
    clean = pictures(tmp_path / "clean", scene, count=3)
    how = {"noise": "gaussian:25,poisson:25", "max_steps": 4, "threads": threads}
    alone = compare("zsn2n,zsn2m-star", clean, **how)
    beside = compare("zsn2m-star,zsn2n", clean, workers=2, **how)
    assert scores(alone) == scores(beside)
    assert {row["threads"] for row in [*alone, *beside]} == {threads or 2}
    assert torch.get_num_threads() == 2


class Speckle(NoiseModel, name="speckle"):
    """Noise of one's own, from a module that no worker has imported."""

    def __init__(self, share: float) -> None:
        self.share = share

    def forward(self, clean, generator=None):
        return clean * (1 + self.share * torch.randn(clean.shape, generator=generator))


@pytest.mark.slow
def test_workers_know_one_s_own_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parent.parent}")
    clean = pictures(tmp_path / "clean", scene, count=2)
    checkpoint, data = tmp_path / "own.ckpt", SingleImage()
    data.use(read_picture(clean / "p1.png").image)
    trainer = Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 1})
    trainer.fit(ZSN2N(SmallCNN(3, width=4), loss=Fragile()), data)
    trainer.save_checkpoint(checkpoint)
    how = {"noise": f"{__name__}.Speckle:0.2", "max_steps": 2, "threads": 1}
    alone = compare(["zsn2n", f"mine={checkpoint}"], clean, **how)
    beside = compare(["zsn2n", f"mine={checkpoint}"], clean, workers=2, **how)
    assert {row["status"] for row in alone} == {"done"}
    assert scores(alone) == scores(beside)


SCRIPT = """
import torch
from torchdenoise import NoiseModel, compare

class Speckle(NoiseModel, name="speckle"):
    def __init__(self, share: float) -> None:
        self.share = share

    def forward(self, clean, generator=None):
        return clean * (1 + self.share * torch.randn(clean.shape, generator=generator))

rows = compare("tv", "clean", Speckle(0.2).spec, threads=1, workers=2)
print([row["status"] for row in rows])
"""


@pytest.mark.slow
def test_workers_know_the_classes_of_a_script(tmp_path):
    pictures(tmp_path / "clean", scene, count=2)
    (tmp_path / "own.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['done', 'done']\n", done.stderr


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_numbers(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    clean = pictures(tmp_path / "clean", scene, count=2)
    how = {"noise": "gaussian:25", "max_steps": 3, "threads": 1}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = compare("zsn2n", clean, dask=cluster.scheduler_address, **how)
    assert scores(there) == scores(compare("zsn2n", clean, **how))


def test_the_arrays_of_pictures_are_written_as_they_are(clean, tmp_path):
    [row] = compare("zsn2n", clean / "p0.png", "gaussian:25", max_steps=2, output=tmp_path / "res")
    path = tmp_path / "res" / "pictures" / "p0_gaussian-25_0" / "zsn2n.png"
    clean_image = read_picture(clean / "p0.png").image
    error = np.square(read_picture(path).image.numpy() - clean_image.numpy()).mean()
    assert -10 * np.log10(error) == pytest.approx(row["psnr"], abs=0.1)
