"""``fit``, ``validate``, ``test`` and ``predict`` doing tiny real work."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from helpers import clipped_noise, correlated_noise, noisy_scene, scene, write_png

from torchdenoise.denoisers import ZSN2N, Denoiser

LAST = "runs/version_0/checkpoints/last.ckpt"
CPU = ("--trainer.accelerator", "cpu")
FEW = ("--trainer.max_steps", "3", *CPU)


@pytest.fixture
def clean_folder(tmp_path):
    folder = tmp_path / "clean"
    folder.mkdir()
    for number in range(2):
        write_png(folder / f"{number}.png", scene(16 + number, 20))
    return folder


@pytest.fixture
def fitted(run, noisy_png):
    """Return the command line after a short fit whose checkpoint is LAST."""
    outcome = run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW)
    assert outcome.code == 0, outcome.err
    assert f"checkpoint: {LAST}" in outcome.out
    return run


def test_fit_and_predict_give_the_bytes_of_denoise(fitted, noisy_png):
    outcome = fitted("predict", "--ckpt_path", LAST, "--data.path", "noisy.png", "--output", "by_predict.png", *CPU)
    assert outcome.code == 0, outcome.err
    words = ("denoise", "noisy.png", "--recipe", "zsn2n", "-o", "by_denoise.png", "--max-steps", "3", "--device", "cpu")
    assert fitted(*words).code == 0
    by_predict, by_denoise = (noisy_png.with_name(f"by_{name}.png").read_bytes() for name in ("predict", "denoise"))
    assert by_predict == by_denoise


def test_predict_after_a_fit_at_several_scales(run, tmp_path):
    write_png(tmp_path / "noisy.png", correlated_noise())
    options = ("--model.network.width", "4", "--trainer.precision", "32-true", *FEW)
    outcome = run("fit", "--config", "fast", "--data.path", "noisy.png", *options)
    assert outcome.code == 0, outcome.err
    assert len(Denoiser.load(tmp_path / LAST).stages()) == 2
    options = ("--trainer.precision", "32-true", *CPU)
    words = ("predict", "--ckpt_path", LAST, "--data.path", "noisy.png", "--output", "by_predict.png", *options)
    assert run(*words).code == 0
    words = ("denoise", "noisy.png", "--ckpt", LAST, "-o", "by_checkpoint.png", "--device", "cpu")
    assert run(*words).code == 0
    sets = ("--set", "model.network.width=4", "--set", "trainer.precision=32-true", "--max-steps", "3")
    words = ("denoise", "noisy.png", "--recipe", "fast", "-o", "by_denoise.png", "--device", "cpu", *sets)
    assert run(*words).code == 0
    results = {(tmp_path / f"by_{name}.png").read_bytes() for name in ("predict", "checkpoint", "denoise")}
    assert len(results) == 1


def test_predict_with_the_recipe_writes_beside_the_input_and_replaces_only_when_asked(fitted, noisy_png):
    words = ("predict", "--config", "zsn2n", "--ckpt_path", LAST, "--data.path", "noisy.png", *CPU)
    assert fitted(*words).code == 0
    assert noisy_png.with_name("noisy_denoised.png").is_file()
    again = fitted(*words)
    assert again.code == 2
    assert "exists already" in again.err
    assert fitted(*words, "--overwrite").code == 0


def test_predict_a_folder(fitted, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        write_png(folder / f"{number}.png", noisy_scene(16 + number, 20, seed=number))
    words = ("--data", "ImageFolder", "--data.predict", "in", "--output", "out", *CPU)
    assert fitted("predict", "--ckpt_path", LAST, *words).code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]


def test_earlier_results_in_a_folder_are_no_pictures_to_predict(fitted, tmp_path):
    (tmp_path / "in").mkdir()
    for name, shade in (("a", 0.2), ("b", 0.8)):
        write_png(tmp_path / "in" / f"{name}.png", np.full((16, 20, 3), shade))
    words = ("predict", "--ckpt_path", LAST, "--data", "ImageFolder", "--data.predict", "in", *CPU)
    assert fitted(*words).code == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    assert sorted(first) == ["a.png", "a_denoised.png", "b.png", "b_denoised.png"]
    outcome = fitted(*words, "--overwrite")
    assert outcome.code == 0, outcome.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()} == first


def test_test_prints_every_picture_and_the_mean(fitted, clean_folder):
    words = ("--data", "ImageFolder", "--data.test", "clean", "--data.noise", "gaussian:25:clip", *CPU)
    outcome = fitted("test", "--ckpt_path", LAST, *words)
    noise, *rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert outcome.code == 0, outcome.err
    assert noise == ["noise: gaussian:25:clip, seed 0"]
    assert [row[0] for row in rows] == ["picture", "clean/0.png", "clean/1.png", "mean of 2"]
    first, second, mean = (float(row[1]) for row in rows[1:])
    assert mean == pytest.approx((first + second) / 2, abs=0.002)
    assert fitted("test", "--ckpt_path", LAST, *words).out == outcome.out


def test_validate(fitted, clean_folder):
    words = ("--data", "ImageFolder", "--data.val", "clean", "--data.seed", "3", *CPU)
    outcome = fitted("validate", "--ckpt_path", LAST, *words)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("noise: gaussian:25, seed 3\n")
    assert "val_psnr" in outcome.out
    assert "val_loss" in outcome.out


def test_options_reach_every_part(run, noisy_png):
    words = ("--model.network.width", "8", "--model.loss.consistency_weight", "0.5", "--model.optimizer.lr", "0.01")
    words += ("--model.scheduler.step_size", "7", "--model.readout", "EightTurns")
    assert run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *words, *FEW).code == 0
    model = ZSN2N.load(LAST)
    assert model.network.arguments["width"] == 8
    assert model.loss.consistency_weight == 0.5
    assert type(model.readout).__name__ == "EightTurns"
    checkpoint = torch.load(LAST, weights_only=True)
    assert checkpoint["lr_schedulers"][0]["step_size"] == 7
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == 0.01
    kept = yaml.safe_load(noisy_png.with_name("runs").joinpath("version_0/config.yaml").read_text())
    assert kept["model"]["init_args"]["network"]["init_args"]["width"] == 8


def test_without_a_recipe(run, noisy_png):
    words = ("--model", "ZSN2N", "--model.network", "SmallCNN", "--model.network.width", "12")
    assert run("fit", *words, "--data", "SingleImage", "--data.path", "noisy.png", *FEW).code == 0
    assert Denoiser.load(LAST).network.arguments["width"] == 12


def test_a_users_own_loss_needs_no_edit_in_the_package(run, noisy_png):
    noisy_png.with_name("my_loss.py").write_text(
        "from torchdenoise import DenoisingLoss\n"
        "class MyLoss(DenoisingLoss):\n"
        "    def __init__(self, weight: float = 1.0):\n"
        "        self.weight = weight\n"
        "    def forward(self, denoise, batch, draws, progress):\n"
        "        return {'mine': self.weight * denoise(batch['noisy']).square().mean()}\n"
    )
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", "--model.loss", "my_loss.MyLoss")
    outcome = run(*words, "--model.loss.weight", "2", *FEW)
    assert outcome.code == 0, outcome.err
    assert Denoiser.load(LAST).loss.weight == 2
    sys.modules.pop("my_loss")


@pytest.mark.slow
@pytest.mark.parametrize("trusted", ["--model.loss my_loss.MyLoss", "--model.loss=my_loss.MyLoss"])
def test_a_class_that_is_trusted_is_as_it_was_fitted(run, noisy_png, trusted):
    test_a_users_own_loss_needs_no_edit_in_the_package(run, noisy_png)
    words = f"fit --ckpt_path {LAST} --data.path noisy.png --trainer.max_steps 9 --trainer.accelerator cpu".split()
    command = [sys.executable, "-m", "torchdenoise", *words]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=noisy_png.parent)
    assert refused.returncode == 2
    assert (
        "fitted with my_loss.MyLoss, which is not known here; if you trust it, add --import my_loss" in refused.stderr
    )
    done = subprocess.run([*command, *trusted.split()], capture_output=True, text=True, cwd=noisy_png.parent)
    assert done.returncode == 0, done.stderr
    content = torch.load("runs/version_1/checkpoints/last.ckpt", weights_only=True)
    assert content["torchdenoise"]["recipe"]["init_args"]["loss"]["init_args"] == {"weight": 2.0}


def test_noise_by_spec_and_by_class_is_the_same(run, noisy_png):
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, "--data.noise")
    assert run(*words, "gaussian:30").code == 0
    assert run(*words, "GaussianNoise", "--data.noise.sigma", "30").code == 0
    assert run(*words, "gaussian:31").code == 0
    states = [
        torch.load(f"runs/version_{number}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for number in range(3)
    ]
    weights = [state["network.layers.0.weight"] for state in states]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--config", "zsn2"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["fit", "--config", "zsn2n"], "SingleImage has no picture: give --data.path"),
        (["fit", "--config", "zsn2n", "--data.path", "nope.png"], "nope.png: no such file"),
        (["fit", "--config", "zsn2n", "--model.network.widht", "64"], "did you mean model.network.width?"),
        (["fit", "--config", "zsn2n", "--model", "ZSN2X"], "did you mean ZSN2N?"),
        (["fit", "--config", "zsn2n", "--data.noise", "gausian:25", "--data.path", "noisy.png"], "mean gaussian?"),
        (["fit", "--config", "zsn2n", "--data.noise", "poisson:0", "--data.path", "noisy.png"], "must be above 0"),
        (["fit", "--config", "zsn2n", "--trainer.accelerator", "gpuu", "--data.path", "noisy.png"], "trainer: "),
        (["fit", "--config", "zsn2n", "--seed_everything", "-1", "--data.path", "noisy.png"], "seed -1: must lie in 0"),
        (
            ["fit", "--config", "zsn2n", "noisy.png"],
            "noisy.png: no option; a picture is given by --data.path noisy.png",
        ),
        (["fit", "--config", "zsn2n-finetune", "--data.path", "noisy.png"], "a trained network: add --init_from FILE"),
        (["fit", "--config", "zsn2n", "-o", "x"], "o: no such option"),
        (["fit", "--config", "zsn2n", "--lr", "1"], "lr: no such option (did you mean model.optimizer.lr?)"),
        (["fit", "--config", "zsn2n", "--data.train", "x"], "data.train: no such option of these data: put --data Im"),
        (["fit", "--config", "zsn2n", "--model.optimizer", "Sgd"], "no class Sgd fits here (did you mean SGD?)"),
        (["fit", "--config", "bad.yaml"], "bad.yaml: "),
        (["fit"], "fit needs a model: give --config RECIPE"),
        (["fit", "--data.train", "x"], "fit needs a model: give --config RECIPE"),
        (["fit", "--model", "ZSN2N", "--data.train", "x"], "data.train: give the class first, --data NAME"),
        (["fit", "--config=zsn2n", "--model.network.widht", "64"], "did you mean model.network.width?"),
        (["predict", "--config", "zsn2n", "--data.path", "noisy.png"], "ZSN2N has no trained weights yet"),
        (["test", "--config", "zsn2n", "--data.path", "noisy.png"], "nothing to score against"),
        (["predict", "--ckpt_path", "nope.ckpt", "--data.path", "noisy.png"], "nope.ckpt: no such checkpoint"),
        (["predict", "--ckpt_path", "noisy.png", "--data.path", "noisy.png"], "noisy.png: not a checkpoint"),
        (["predict", "--ckpt_path", "foreign.ckpt", "--data.path", "noisy.png"], "not one of torchdenoise"),
        (["predict", "--ckpt_path", "evil.ckpt", "--data.path", "noisy.png"], "pickled code"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(run, noisy_png, words, message):
    noisy_png.with_name("bad.yaml").write_text("model: [unclosed\n")
    torch.save({"state_dict": {}}, noisy_png.with_name("foreign.ckpt"))
    torch.save({"state_dict": print}, noisy_png.with_name("evil.ckpt"))
    before = sorted(noisy_png.parent.iterdir())
    outcome = run(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2
    assert sorted(noisy_png.parent.iterdir()) == before


def test_a_checkpoint_of_another_network_names_the_difference(fitted):
    words = ("--config", "zsn2n", "--model.network.width", "8", "--data.path", "noisy.png", *CPU)
    outcome = fitted("predict", "--ckpt_path", LAST, *words)
    assert outcome.code == 2
    assert "add --model.network.width 48" in outcome.err


def test_a_picture_with_other_channels_than_the_checkpoint(fitted, noisy_png):
    write_png(noisy_png.with_name("grey.png"), noisy_scene(channels=1))
    outcome = fitted("predict", "--ckpt_path", LAST, "--data.path", "grey.png", *CPU)
    assert outcome.code == 2
    assert "channel(s)" in outcome.err


@pytest.mark.filterwarnings("default::torchdenoise.errors.AssumptionWarning")
def test_a_broken_noise_assumption_is_one_line(run, tmp_path):
    write_png(tmp_path / "x.png", clipped_noise())
    words = ("--data.path", "x.png", "--trainer.max_steps", "1", "--trainer.accelerator", "cpu")
    outcome = run("fit", "--config", "fast", *words)
    assert outcome.code == 0, outcome.err
    assert "of the values are cut off at black or white, so recorruption does not apply" in outcome.out
    assert outcome.out.count("warning: ") == 1
    assert "AssumptionWarning" not in outcome.out + outcome.err
