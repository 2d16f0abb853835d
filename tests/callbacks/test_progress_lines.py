"""The lines of a fit without a progress bar."""

from types import SimpleNamespace

import pytest
import torch

from torchdenoise.callbacks.progress_lines import ProgressLines

MODEL = SimpleNamespace(plan=SimpleNamespace(steps=90))
SCORES = {"loss": 9.0, "val_loss": 0.25, "val_psnr": 28.125, "val_removed": 3.0}


def trainer(step, **changes):
    """Return a trainer after a step."""
    metrics = {name: torch.tensor(value) for name, value in SCORES.items()}
    usual = {
        "accumulate_grad_batches": 1,
        "is_global_zero": True,
        "progress_bar_callback": None,
        "sanity_checking": False,
    }
    return SimpleNamespace(global_step=step, callback_metrics=metrics, **usual | changes)


@pytest.fixture
def fit(capsys):
    """Return what takes (seconds, hook) events, one a step, and gives back the printed lines."""

    def call(*events, **changes):
        now = [100.0]
        callback = ProgressLines(30, lambda: now[0])
        callback.on_train_start(trainer(0, **changes), MODEL)
        for step, (seconds, hook) in enumerate(events, 1):
            now[0] = 100 + seconds
            if hook == "step":
                outputs = {"loss": torch.tensor(1 / step)}
                callback.on_train_batch_end(trainer(step, **changes), MODEL, outputs, None, 0)
            else:
                callback.on_validation_end(trainer(step - 1, **changes), MODEL)
        return capsys.readouterr().out.splitlines()

    return call


def test_a_line_every_so_often(fit):
    lines = fit((29, "step"), (30, "step"), (59, "step"), (61, "step"))
    assert lines == ["step 2 of 90, 30 s, loss 0.5", "step 4 of 90, 61 s, loss 0.25"]


def test_a_line_after_each_validation_and_the_next_one_so_long_after_it(fit):
    lines = fit((10, "step"), (20, "validation"), (49, "step"), (50, "step"))
    assert lines == [
        "step 1 of 90, 20 s, loss 1, val_loss 0.25, val_psnr 28.12",
        "step 4 of 90, 50 s, loss 0.25",
    ]


@pytest.mark.parametrize(
    "changes", [{"progress_bar_callback": object()}, {"is_global_zero": False}], ids=["bar", "other process"]
)
def test_nothing_beside_a_bar_or_in_another_process(fit, changes):
    assert fit((40, "step"), (80, "validation"), **changes) == []


def test_nothing_for_a_validation_that_is_only_a_check(fit):
    assert fit((10, "validation")) == []
    assert fit((1, "step"), (10, "validation"), sanity_checking=True) == []


def test_the_loss_is_that_of_a_batch_of_several_in_a_step(fit):
    assert fit((40, "step"), accumulate_grad_batches=4) == ["step 1 of 90, 40 s, loss 4"]
