"""LightningCLI as the experiment commands use it: recipes, defaults, help, and what it checks before a fit."""

import pytest
import torch

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import Denoiser

LAST = "runs/version_0/checkpoints/last.ckpt"


CPU = ("--trainer.accelerator", "cpu")


FEW = ("--trainer.max_steps", "3", *CPU)


def test_a_fit_without_a_number_of_steps_takes_the_published_one(run, noisy_png, monkeypatch):
    assert SingleImage.default_steps == 2000
    monkeypatch.setattr(SingleImage, "default_steps", 20)  # quicker
    words = ("--model", "ZSN2N", "--data", "SingleImage", "--data.path", "noisy.png")
    shown = run("fit", *words, "--model.network", "SmallCNN", "--model.network.width", "2", *CPU)
    assert shown.code == 0, shown.err
    assert torch.load(LAST, weights_only=True)["global_step"] == 20


def test_print_config_is_a_recipe(run, noisy_png):
    outcome = run_and_exit(run, "fit", "--config", "zsn2n", "--model.network.width", "8", "--print_config")
    noisy_png.with_name("mine.yaml").write_text(outcome)
    assert run("fit", "--config", "mine.yaml", "--data.path", "noisy.png", *FEW).code == 0
    assert Denoiser.load(LAST).network.arguments["width"] == 8
    for number, config in enumerate(("mine.yaml", "runs/version_0/config.yaml")):  # of denoise too
        assert run("denoise", "noisy.png", "-o", f"{number}.png", "--recipe", config, "--max-steps", "3").code == 0


def run_and_exit(run, *words):
    """Return what a command prints that leaves by itself, as argparse's ``--help`` does."""
    outcome = run(*words)
    assert outcome.code == 0
    return outcome.out


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_help_shows_examples(run, command):
    shown = run_and_exit(run, command, "--help")
    assert f"torchdenoise {command}" in shown
    assert "example" in shown


@pytest.mark.parametrize(
    ("option", "logger", "remedy"),
    [
        ("--trainer.logger", "TensorBoardLogger", "pip install torchdenoise[tensorboard]"),
        ("--trainer.logger", "WandbLogger", "pip install wandb"),
        ("--trainer.logger", "CometLogger", "pip install comet-ml"),
        ("--trainer.logger+", "WandbLogger", "pip install wandb"),
    ],
)
def test_a_logger_without_its_package_is_one_line(run, noisy_png, monkeypatch, option, logger, remedy):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, f"{option}={logger}")
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.err == f"torchdenoise: --trainer.logger {logger} needs a package: {remedy}\n"


def test_several_machines_that_nothing_starts_are_refused(run, noisy_png):
    outcome = run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, "--trainer.num_nodes", "3")
    assert outcome.code == 2
    assert "--trainer.num_nodes 3: nothing starts the other machines; run it by Slurm or torchrun" in outcome.err


def test_added_callbacks_and_loggers_keep_those_that_are_there(run, noisy_png, tmp_path):
    words = "--trainer.callbacks+=LearningRateMonitor --trainer.log_every_n_steps 1 --trainer.logger+=CSVLogger"
    words += " --trainer.logger.save_dir more --trainer.default_root_dir elsewhere"
    outcome = run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, *words.split())
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "elsewhere/version_0/checkpoints/last.ckpt").is_file()
    for folder in ("elsewhere/version_0", "more/lightning_logs/version_0"):
        assert "lr-Adam" in (tmp_path / folder / "metrics.csv").read_text().splitlines()[0]


def test_default_root_dir_holds_the_runs(run, noisy_png, tmp_path):
    outcome = run(
        "fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, "--trainer.default_root_dir", "elsewhere"
    )
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "elsewhere/version_0/checkpoints/last.ckpt").is_file()
    assert not (tmp_path / "runs").exists()
    assert "use it:     torchdenoise predict --ckpt_path elsewhere/version_0/checkpoints/last.ckpt" in outcome.out


def test_the_checkpoint_of_a_finished_fit_has_no_steps_left(run, noisy_png):
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW)
    assert run(*words).code == 0
    outcome = run(*words, "--ckpt_path", LAST)
    assert outcome.code == 2
    assert f"{LAST}: fitted for 3 steps already: raise --trainer.max_steps 3" in outcome.err
    assert torch.load(LAST, weights_only=True)["global_step"] == 3
    assert run(*words, "--ckpt_path", LAST, "--trainer.max_steps", "4").code == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--trainer.devices", "1000000"), "--trainer.devices 1000000: at most "),
        (("--trainer.devices", "-7"), "trainer: "),
        (("--trainer.accumulate_grad_batches", "0"), "--trainer.accumulate_grad_batches 0: must be at least 1"),
        (("--model.scheduler.step_size", "0"), "refused (ZeroDivisionError: "),
    ],
)
def test_values_that_lightning_and_torch_refuse_late_are_one_line(run, noisy_png, words, reason):
    outcome = run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert reason in outcome.err


CALLBACK = """
import lightning

class Divides(lightning.Callback):
    def on_train_batch_start(self, trainer, *_):
        1 / 0
"""


def test_an_error_in_the_users_callback_names_its_line(run, noisy_png, tmp_path):
    (tmp_path / "dividing.py").write_text(CALLBACK)
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW, "--trainer.callbacks", "dividing.Divides")
    outcome = run("--import", "dividing", *words)
    assert outcome.code == 2
    assert "dividing.py:6, in Divides.on_train_batch_start: ZeroDivisionError" in outcome.err


@pytest.mark.parametrize("damage", ["x", torch.zeros(1), -1])
def test_a_fit_whose_state_does_not_count_is_not_resumed(run, noisy_png, damage):
    words = ("fit", "--config", "zsn2n", "--data.path", "noisy.png", *FEW)
    assert run(*words).code == 0
    content = torch.load(LAST, weights_only=True)
    content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"] = damage
    torch.save(content, LAST)
    outcome = run(*words, "--trainer.max_steps", "5", "--ckpt_path", LAST)
    assert outcome.code == 2
    assert outcome.err.endswith("holds no state of a fit to go on with; start from its weights with --init_from\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "--ckpt_pat", "a.ckpt"), "ckpt_pat: no such option"),
        (("fit", "--trainer.max_step", "3"), "trainer.max_step: no such option (did you mean trainer.max_steps?)"),
    ],
)
def test_options_are_not_abbreviated(run, noisy_png, words, message):
    outcome = run(*words, "--config", "zsn2n", "--data.path", "noisy.png")
    assert outcome.code == 2
    assert outcome.err.startswith(f"torchdenoise: {message}")
    assert [path.name for path in noisy_png.parent.iterdir()] == ["noisy.png"]
