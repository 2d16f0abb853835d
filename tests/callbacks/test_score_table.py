"""The table of scores that ``test`` prints."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from torchdenoise.callbacks.score_table import ScoreTable
from torchdenoise.data import ImageFolder


@pytest.fixture
def printed(capsys):
    """Return what calls the callback with two batches and returns the printed lines."""
    data = ImageFolder()
    data.sources = [Path("a.png"), Path("a-longer-name.png"), Path("c.png")]
    trainer = SimpleNamespace(datamodule=data, world_size=1, is_global_zero=True)

    def call():
        table = ScoreTable()
        for indices, psnr, ssim in (([2], [30.0], [0.5]), ([1, 0], [9.0, 27.0], [0.1, 0.9])):
            outputs = {"psnr": torch.tensor(psnr), "ssim": torch.tensor(ssim)}
            table.on_test_batch_end(trainer, None, outputs, {"index": torch.tensor(indices)}, 0)
        table.on_test_end(trainer, None)
        return capsys.readouterr().out.splitlines()

    return call


def test_pictures_have_the_order_of_the_sources_and_their_mean_is_last(printed):
    assert printed() == [
        "picture\tPSNR\tSSIM",
        "a.png\t27.000\t0.9000",
        "a-longer-name.png\t9.000\t0.1000",
        "c.png\t30.000\t0.5000",
        "mean of 3\t22.000\t0.5000",
    ]


def test_columns_are_aligned_on_a_terminal(printed, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert printed() == [
        "picture              PSNR    SSIM",
        "a.png              27.000  0.9000",
        "a-longer-name.png   9.000  0.1000",
        "c.png              30.000  0.5000",
        "mean of 3          22.000  0.5000",
    ]
