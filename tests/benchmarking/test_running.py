"""Several processes: workers that are killed, user classes, and Dask."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import recipe_with_loss, result_rows, row_scores, scene, write_pictures
from lightning import Trainer

from torchdenoise import DenoisingLoss, NoiseModel, compare
from torchdenoise.data import SingleImage, read_picture
from torchdenoise.denoisers import ZSN2N, SmallCNN
from torchdenoise.fitting import HYGIENE

SHORT = ("--max-steps", "3", "--threads", "1")


@pytest.fixture
def importable_tests(monkeypatch):
    """Let workers import the modules of the tests."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parent.parent}")


class KillingLoss(DenoisingLoss):
    """Kills its process for pictures of one height: once if ``mark`` is a path, always if it is "never"."""

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
def test_jobs_of_a_killed_worker_are_retried_once(run, tmp_path, importable_tests, mark, failures):
    clean = write_pictures(tmp_path / "clean", scene, count=4)
    path = mark if mark == "never" else str(tmp_path / mark)
    own = recipe_with_loss({"class_path": f"{__name__}.KillingLoss", "init_args": {"height": 21, "mark": path}})
    words = ("compare", "--recipes", f"zsn2n,{own}", "--data", clean, "--noise", "gaussian:25", *SHORT, "-o", "res")
    outcome = run(*words, "--workers", "2")
    assert outcome.code == failures, outcome.out + outcome.err
    table = result_rows(Path("res"))
    assert len(table) == 8
    failed = [row for row in table if row["status"] == "failed"]
    assert [(row["recipe"], row["image"]) for row in failed] == [("own", "p1")] * failures
    assert all("killed twice" in row["error"] for row in failed)
    assert "seconds are contended" in outcome.out


@pytest.fixture
def two_threads():
    """Give torch two threads, as on a user's machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, None])
def test_scores_do_not_depend_on_the_number_of_workers(tmp_path, two_threads, threads):
    clean = write_pictures(tmp_path / "clean", scene, count=3)
    options = {"noise": "gaussian:25,poisson:25", "max_steps": 4, "threads": threads}
    alone = compare("zsn2n,zsn2m-star", clean, **options)
    parallel = compare("zsn2m-star,zsn2n", clean, workers=2, **options)
    assert row_scores(alone) == row_scores(parallel)
    assert {row["threads"] for row in [*alone, *parallel]} == {threads or 2}
    assert torch.get_num_threads() == 2


class MeanSquare(DenoisingLoss):
    """A loss in a module that no worker has imported."""

    def forward(self, denoise, batch, draws, progress):
        return {"fit": denoise(batch["noisy"]).square().mean()}


class Speckle(NoiseModel, name="speckle"):
    """Noise from a module that no worker has imported."""

    def __init__(self, share: float) -> None:
        self.share = share

    def forward(self, clean, generator=None):
        return clean * (1 + self.share * torch.randn(clean.shape, generator=generator))


@pytest.mark.slow
def test_workers_import_user_classes(tmp_path, importable_tests):
    clean = write_pictures(tmp_path / "clean", scene, count=2)
    checkpoint, data = tmp_path / "own.ckpt", SingleImage()
    data.use(read_picture(clean / "p1.png").image)
    trainer = Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 1})
    trainer.fit(ZSN2N(SmallCNN(3, width=4), loss=MeanSquare()), data)
    trainer.save_checkpoint(checkpoint)
    options = {"noise": f"{__name__}.Speckle:0.2", "max_steps": 2, "threads": 1}
    alone = compare(["zsn2n", f"mine={checkpoint}"], clean, **options)
    parallel = compare(["zsn2n", f"mine={checkpoint}"], clean, workers=2, **options)
    assert {row["status"] for row in alone} == {"done"}
    assert row_scores(alone) == row_scores(parallel)


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
def test_workers_have_the_classes_of_a_script(tmp_path):
    write_pictures(tmp_path / "clean", scene, count=2)
    (tmp_path / "own.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['done', 'done']\n", done.stderr


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_scores(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    clean = write_pictures(tmp_path / "clean", scene, count=2)
    options = {"noise": "gaussian:25", "max_steps": 3, "threads": 1}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = compare("zsn2n", clean, dask=cluster.scheduler_address, **options)
    assert row_scores(there) == row_scores(compare("zsn2n", clean, **options))
