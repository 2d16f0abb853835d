"""Tiny comparisons through the command line and the Python call."""

import os
import re
from pathlib import Path

import pytest
import torch
import yaml
from helpers import noisy_scene, result_rows, row_scores, scene, write_pictures, write_png

from torchdenoise import UserError, compare
from torchdenoise.recipes import load_recipe

SHORT = ("--max-steps", "3", "--threads", "1")


def test_compare_returns_numbers_and_writes_no_files(clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    [row, _] = compare(["zsn2n"], clean, ["gaussian:25"], max_steps=2)
    assert isinstance(row["psnr"], float)
    assert isinstance(row["steps"], int)
    assert row["error"] is None
    assert torch.equal(torch.get_rng_state(), before)
    assert [path.name for path in tmp_path.iterdir()] == ["clean"]


def test_pairs_have_scores_and_noisy_pictures_without_partners_have_none(run, clean, tmp_path):
    noisy = write_pictures(tmp_path / "noisy", noisy_scene)
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", noisy, "--clean", clean, *SHORT, "-o", "pairs")
    assert outcome.code == 0, outcome.err
    assert {row["noise"] for row in result_rows(Path("pairs"))} == {"real"}
    assert all(float(row["psnr"]) > 10 for row in result_rows(Path("pairs")))
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", noisy, *SHORT, "-o", "alone")
    assert outcome.code == 0, outcome.err
    assert all(row["psnr"] == "" and float(row["removed"]) > 0 for row in result_rows(Path("alone")))
    assert "no clean pictures to compare with" in Path("alone/report.html").read_text()


def test_a_pair_of_different_types_is_refused(run, tmp_path):
    for name, depth in (("clean", 8), ("noisy", 16)):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "a.png", scene(), depth=depth)
    outcome = run("compare", "--recipes", "zsn2n", "--noisy", "noisy", "--clean", "clean", *SHORT, "-o", "res")
    assert outcome.code == 2
    assert re.search("a.png holds uint8, .*a.png uint16: write both with the same type", outcome.err), outcome.err
    assert not Path("res").exists()


def test_a_picture_given_twice_counts_once(clean):
    assert len(compare("zsn2n", [clean, clean / "p0.png"], "gaussian:25", max_steps=1, threads=1)) == 2


def test_a_file_name_that_is_not_utf8_is_refused(run, tmp_path):
    (tmp_path / "odd").mkdir()
    write_png(tmp_path / "a.png", scene())
    (tmp_path / "a.png").rename(tmp_path / "odd" / os.fsdecode(b"caf\xe9.png"))
    outcome = run("compare", "--recipes", "zsn2n", "--data", "odd", "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 2
    assert "its name is not UTF-8" in outcome.err
    assert not Path("res").exists()


def test_a_recipe_in_short_notation(run, clean):
    Path("own.yaml").write_text("model: ZSN2N\ndata: SingleImage\nckpt_path: null\n")
    outcome = run("compare", "--recipes", "own.yaml", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 0, outcome.err


def test_a_checkpoint_is_applied_or_initializes_a_fit(run, clean, noisy_png):
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
    table = result_rows(Path("res"))
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


def test_a_variant_is_the_recipe_with_its_overrides(run, clean):
    """Its rows equal those of a recipe with the changed values, also among other variants and with batches."""
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["network"]["init_args"]["width"] = 7
    Path("own.yaml").write_text(yaml.safe_dump(recipe))
    words = ("compare", "--data", clean, "--noise", "gaussian:25", "--threads", "1")
    assert run(*words, "--recipes", "own.yaml", "--max-steps", "3", "-o", "own").code == 0
    variants = "narrow=zsn2n:model.network.width=7,trainer.max_steps=3,plain=zsn2n:trainer.max_steps=2"
    outcome = run(*words, "--recipes", variants, "-o", "res")
    assert outcome.code == 0, outcome.err
    numbers = [
        [(row["psnr"], row["parameters"], row["steps"]) for row in result_rows(Path(name))] for name in ("own", "res")
    ]
    assert numbers[1][::2] == numbers[0]
    assert {row["steps"] for row in result_rows(Path("res")) if row["recipe"] == "plain"} == {"2"}
    assert "4 of 4 jobs were done before" in run(*words, "--recipes", variants, "-o", "res").out
    assert (
        "narrow: trainer.max_steps=3 and max_steps"
        in run(*words, "--recipes", variants, "--max-steps", "3", "-o", "res").err
    )
    other = variants.replace("=7", "=8")
    assert "2 of 4 jobs were done before" in run(*words, "--recipes", other, "-o", "res").out
    together = compare({"narrow": ("zsn2n", ["model.network.width=7"])}, clean, "gaussian:25", max_steps=3, batch=2)
    assert [row["psnr"] for row in together] == pytest.approx([float(each[0]) for each in numbers[0]], abs=1e-2)
    assert {row["batch"] for row in together} == {2}


def test_scores_do_not_depend_on_order_or_on_other_methods(clean):
    options = {"max_steps": 3, "threads": 1}
    many = compare("neighbor2neighbor-single,zsn2n", clean, "poisson:25,gaussian:25", seeds=[1, 0], **options)
    one = compare("zsn2n", clean / "p1.png", "gaussian:25", **options)
    assert set(row_scores(one)) < set(row_scores(many))


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("threads", 0), ("batch", 0), ("crop", 0)])
def test_numbers_below_one_are_refused(clean, name, value):
    with pytest.raises(UserError, match=f"{name} 0: must be at least 1"):
        compare("zsn2n", clean, "gaussian:25", **{name: value})
