"""The Trainer of a fit: half precision where the machine has it."""

import random
import warnings

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, write_png

from torchdenoise import Stopped, UserError, denoise
from torchdenoise.cli import main
from torchdenoise.fitting import Options, fit_image
from torchdenoise.fitting.trainers import make_trainer, precision_here
from torchdenoise.recipes import load_recipe


class Precision(lightning.Callback):
    """Records the precision of a fit."""

    seen = ""

    def on_train_start(self, trainer, pl_module):
        Precision.seen = trainer.precision


def without_bf16():
    return {"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}


def with_bf16():
    return {"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}


@pytest.mark.parametrize(("machine", "expected"), [(without_bf16, "32-true"), (with_bf16, "bf16-mixed")])
def test_half_precision_is_left_out_where_the_machine_would_imitate_it(machine, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", machine, raising=False)
    options = Options(max_steps=1, device="cpu", callbacks=[Precision()])
    fit_image(torch.rand(1, 3, 24, 24), load_recipe("zsn2n-bf16"), options)
    assert Precision.seen == expected


@pytest.mark.parametrize(("instructions", "expected"), [("AVX2", "32-true"), ("AVX512", "bf16-mixed")])
def test_an_older_torch_names_only_the_instruction_set(instructions, expected, monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instructions)
    assert precision_here("bf16-mixed", "cpu") == expected


def test_the_fit_command_does_the_same(tmp_path, monkeypatch, noisy_png):
    monkeypatch.setattr(torch.cpu, "get_capabilities", without_bf16, raising=False)
    monkeypatch.chdir(tmp_path)
    callback = f"--trainer.callbacks+={Precision.__module__}.Precision"
    words = ["fit", "--config", "zsn2n-bf16", "--data.path", str(noisy_png), callback]
    assert main([*words, "--trainer.max_steps", "1", "--trainer.accelerator", "cpu"]) == 0
    assert Precision.seen == "32-true"


def test_another_precision_is_the_users_own_business(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", without_bf16, raising=False)
    assert precision_here("bf16-true", "cpu") == "bf16-true"
    assert precision_here(None, "cpu") is None


def test_a_recipe_starts_no_other_machines():
    trainer = make_trainer({"num_nodes": 3, "max_steps": 1}, Options(device="cpu"))
    assert trainer.num_nodes == 1


class After:
    """Asks to stop at a call, and counts the calls."""

    def __init__(self, last):
        self.last = last
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls >= self.last


def test_a_fit_that_is_asked_to_stop_ends_after_the_step_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(7)
    before = torch.get_rng_state(), random.getstate(), list(warnings.filters), torch.get_default_dtype()
    steps = []
    with pytest.raises(Stopped, match="stopped, as should_stop asked; there is no result"):
        denoise(
            noisy_scene(), max_steps=9, device="cpu", progress=lambda *step: steps.append(step), should_stop=After(3)
        )
    assert steps == [(1, 9), (2, 9), (3, 9)]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), list(warnings.filters), torch.get_default_dtype()) == before[1:]
    assert not list(tmp_path.iterdir())


def test_asking_changes_no_result():
    plain = denoise(noisy_scene(), max_steps=3, device="cpu")
    asked = After(99)
    assert np.array_equal(denoise(noisy_scene(), max_steps=3, device="cpu", should_stop=asked), plain)
    assert asked.calls == 4  # three steps, and the result


def test_a_stop_is_no_error_of_one_picture():
    assert not issubclass(Stopped, UserError)


@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 2},
        {"max_steps": 2, "batch": 3},
        {"max_steps": 2, "fit": "shared"},
        {"recipe": "tv"},
        {"recipe": "tv", "batch": 3},
    ],
)
def test_a_stack_stops_between_frames(options):
    frames = np.stack([noisy_scene(channels=1)[..., 0]] * 3)
    whole = After(99)
    denoise(frames, axes="TYX", device="cpu", should_stop=whole, **options)
    asked = After(whole.calls)
    with pytest.raises(Stopped):
        denoise(frames, axes="TYX", device="cpu", should_stop=asked, **options)
    assert asked.calls == whole.calls >= 3


def test_fits_together_a_budget_and_a_checkpoint_stop_too(tmp_path):
    pictures = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    asked = After(2)
    with pytest.raises(Stopped):
        denoise(pictures, "zsn2n", max_steps=5, batch=3, device="cpu", should_stop=asked)
    assert asked.calls == 2
    with pytest.raises(Stopped):
        denoise(noisy_scene(), "zsn2n", budget=30.0, device="cpu", should_stop=After(3))
    fit_words = ["fit", "--config", "zsn2n", "--data.path", str(write_png(tmp_path / "x.png", noisy_scene()))]
    assert main([*fit_words, "--trainer.max_steps", "1", "--trainer.default_root_dir", str(tmp_path)]) == 0
    (checkpoint,) = tmp_path.rglob("last.ckpt")
    with pytest.raises(Stopped):
        denoise(noisy_scene(), checkpoint=checkpoint, device="cpu", should_stop=After(1))
