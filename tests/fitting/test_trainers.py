"""The Trainer of a fit: half precision where the machine has it."""

import lightning
import pytest
import torch

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
