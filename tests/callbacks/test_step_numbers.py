"""The step numbers in the log of a fit that is resumed several times."""

import csv
from pathlib import Path

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from torchdenoise.callbacks.step_numbers import StepNumbers


class Line(LightningModule):
    """A model of one weight that logs its loss."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch, batch_idx):
        loss = (self.weight * batch).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


class Save(Callback):
    """Saves a checkpoint before the step of a number, as Ctrl-C does."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.filterwarnings("ignore:.*dataloader is not resumable")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_log_counts_the_steps_of_the_optimizer_each_time_that_a_fit_goes_on(tmp_path, accumulated):
    def fit(saved, start=None):
        logger = CSVLogger(tmp_path, "")
        callbacks = [StepNumbers(), Save(saved, tmp_path / f"{saved}.ckpt")]
        trainer = Trainer(
            accelerator="cpu", max_epochs=3, logger=logger, log_every_n_steps=1, accumulate_grad_batches=accumulated,
            callbacks=callbacks, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        resumed = None if start is None else tmp_path / f"{start}.ckpt"
        trainer.fit(Line(), DataLoader(torch.ones(4 * accumulated, 1)), ckpt_path=resumed)
        with Path(logger.log_dir, "metrics.csv").open(newline="") as file:
            return [int(row["step"]) for row in csv.DictReader(file)]

    assert fit(2) == list(range(12))
    assert fit(3, 2) == list(range(2, 12))
    assert fit(6, 3) == list(range(3, 12))
    assert fit(99, 6) == list(range(6, 12))
