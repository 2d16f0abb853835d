"""The scores of jobs, shared fits and stacks, and failures."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import recipe_with_loss, result_rows, row_scores, scene, write_png
from lightning import Trainer

from torchdenoise import DenoisingLoss, compare, denoise, from_spec, metrics
from torchdenoise.data import read_picture
from torchdenoise.noise import measure_noise, repeatable
from torchdenoise.recipes import load_recipe

SHORT = ("--max-steps", "3", "--threads", "1")


def test_a_row_holds_the_scores_of_denoise_on_the_same_noisy_crop(clean):
    options = {"max_steps": 5, "device": "cpu"}
    compared = compare("zsn2n", clean / "p0.png", "gaussian:25:clip", crop=16, threads=1, seeds=[3], **options)
    picture = read_picture(clean / "p0.png").image[..., 2:18, 3:19]
    noisy = repeatable(from_spec("gaussian:25:clip"), picture, 3)
    restored = denoise(noisy, "zsn2n", seed=3, data_range=1.0, **options)
    assert compared[0]["psnr"] == pytest.approx(metrics.psnr(restored, picture).item(), abs=1e-4)
    assert compared[0]["noisy_psnr"] == pytest.approx(metrics.psnr(noisy, picture).item(), abs=1e-4)
    assert compared[0]["removed"] == pytest.approx(255 * (noisy - restored).std().item(), abs=1e-2)


def test_a_row_keeps_what_the_method_found_about_the_noise(clean, tmp_path):
    options = {"images": clean / "p0.png", "noise": "gaussian:25", "max_steps": 1, "threads": 1}
    found = {row["recipe"]: row["noise_found"] for row in compare("fast,zsn2n", output=tmp_path / "res", **options)}
    noisy = repeatable(from_spec("gaussian:25"), read_picture(clean / "p0.png").image, 0)
    assert found == {"fast": measure_noise(noisy).describe(), "zsn2n": None}  # zsn2n makes no use of it
    rows = {row["recipe"]: row["noise_found"] for row in result_rows(tmp_path / "res")}
    assert rows == {"fast": found["fast"], "zsn2n": ""}


def test_the_default_without_trained_weights_names_none(tmp_path):
    write_png(tmp_path / "p.png", scene(24, 24))
    options = {"threads": 1, "device": "cpu", "output": tmp_path / "res"}
    compare("auto,pretrained-fast", tmp_path / "p.png", "gaussian:25", max_steps=1, **options)
    weights = {row["recipe"]: row["weights"] for row in result_rows(tmp_path / "res")}
    assert weights["auto"] == ""
    assert weights["pretrained-fast"]


def test_the_default_scores_like_the_recipe_that_it_chose(tmp_path, coffee):
    write_png(tmp_path / "p.png", coffee[0, :, :96, :96].permute(1, 2, 0).numpy())
    rows = compare("auto,pretrained-fast", tmp_path / "p.png", "gaussian:25", threads=1, device="cpu")
    auto, chosen = (next(row for row in rows if row["recipe"] == name) for name in ("auto", "pretrained-fast"))
    assert auto["noise_found"] == f"{chosen['noise_found']}; by pretrained-fast"
    assert auto["psnr"] == chosen["psnr"]


def test_both_pictures_of_a_pair_have_the_same_scale(run, tmp_path):
    """The clean picture has 12 bits and the noisy one slightly more, which alone would have another white level."""
    for name, shift in (("clean", 0.0), ("noisy", 100 / 65535)):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "a.png", 4050 / 65535 * scene() / scene().max() + shift, depth=16)
    [row] = compare("zsn2n", tmp_path / "clean", noisy=tmp_path / "noisy", max_steps=1, threads=1)
    assert row["noisy_psnr"] == pytest.approx(20 * np.log10(16383 / 100), abs=0.1)


def test_pictures_fitted_together_score_like_separate_fits(run, clean):
    words = ("compare", "--recipes", "zsn2n,tv", "--data", clean, "--noise", "gaussian:25", *SHORT)
    assert run(*words, "-o", "alone").code == 0
    outcome = run(*words, "--batch", "2", "-o", "together")
    assert outcome.code == 0, outcome.err
    assert "tv, one picture at a time: TotalVariation fits nothing" in outcome.out
    assert "up to 2 pictures fitted together" in outcome.out
    for one, other in zip(result_rows(Path("alone")), result_rows(Path("together")), strict=True):
        assert one["image"] == other["image"]
        assert float(one["psnr"]) == pytest.approx(float(other["psnr"]), abs=1e-2)
        assert (one["steps"], one["parameters"]) == (other["steps"], other["parameters"])
        assert (one["batch"], other["batch"]) == ("1", {"zsn2n": "2", "tv": "1"}[one["recipe"]])


def test_methods_that_differ_only_in_their_readout_share_a_fit(clean, monkeypatch):
    """Both readouts of Self2Self share a fit; a readout that accumulates outputs has a separate fit."""
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
    assert row_scores(together) == row_scores(alone)
    assert len({row["psnr"] for row in together}) == 4
    assert [trainer.max_steps for trainer in fits] == [2, 2, 2]
    seconds = {row["recipe"]: row["seconds"] for row in together}
    assert seconds["of-1"] < seconds["of-100"]


class FailingLoss(DenoisingLoss):
    """Raises an error for pictures whose height is even."""

    def forward(self, denoise, batch, draws, progress):
        if batch["noisy"].shape[-2] % 2 == 0:
            raise RuntimeError("cannot\ndo this")
        return {"fit": denoise(batch["noisy"]).square().mean()}


@pytest.mark.parametrize("batch", [1, 2])
def test_a_failing_job_is_a_row_and_the_others_continue(run, clean, batch):
    own = recipe_with_loss({"class_path": f"{__name__}.FailingLoss"})
    words = ("compare", "--recipes", f"zsn2n,{own}", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    outcome = run(*words, "--batch", batch)
    assert outcome.code == 1, outcome.err
    assert "1 of 4 jobs failed" in outcome.out
    by_key = {(row["recipe"], row["image"]): row for row in result_rows(Path("res"))}
    assert by_key["own", "p0"]["error"] == "RuntimeError: cannot do this"
    assert by_key["own", "p1"]["status"] == "done"
    assert "| zsn2n | 1 of 2 |" in outcome.out  # ranked by the picture that both have finished
    assert "own on p0, gaussian:25: RuntimeError" in Path("res/report.html").read_text()


def test_a_damaged_picture_fails_only_its_own_rows(run, clean):
    (clean / "p0.png").write_bytes((clean / "p0.png").read_bytes()[:-40])
    outcome = run("compare", "--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    assert outcome.code == 1, outcome.err
    assert {row["image"]: row["status"] for row in result_rows(Path("res"))} == {"p0": "failed", "p1": "done"}
    assert "zsn2n on p0, gaussian:25:" in Path("res/report.html").read_text()


def test_a_diverged_fit_is_a_failure(run, clean):
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e37}}
    Path("wild.yaml").write_text(yaml.safe_dump(recipe))
    words = ("--recipes", "wild.yaml,zsn2n", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    outcome = run("compare", *words, "--max-steps", "1")
    assert outcome.code == 1, outcome.err
    found = {(row["recipe"], row["status"], row["error"]) for row in result_rows(Path("res"))}
    assert found == {
        ("wild", "failed", "the result holds NaN or infinity: lower the learning rate"),
        ("zsn2n", "done", ""),
    }
