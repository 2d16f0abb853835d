"""What a user's own file can hold: methods of every kind, without changes to the package."""

import csv
from itertools import pairwise
from pathlib import Path
from statistics import mean

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene, write_png
from lightning.pytorch.callbacks import ModelCheckpoint

from torchdenoise import denoise
from torchdenoise.data import SingleImage, read_picture
from torchdenoise.fitting import HYGIENE

STEPS, BOUND = 20, 10


@pytest.fixture
def foreign(monkeypatch):
    """Return the user's module, found as a file of the working folder would be."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import foreign

    return foreign


def tensor_of(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def data_of(image):
    data = SingleImage()
    data.use(image)
    return data


def trainer(**options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": STEPS, **options})


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# -- a method that is trained on a data set, from the command line ---------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Make folders of clean and of noisy pictures."""
    for number in range(8):
        for folder, picture in (("clean", scene), ("noisy", noisy_scene)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_png(tmp_path / folder / f"{number}.png", picture(24 + number % 3, 26))


def test_a_data_set_method_learns_scores_and_predicts(foreign, run, folders, tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "")  # seeding sets both: give them back afterwards
    monkeypatch.setenv("PL_SEED_WORKERS", "")
    model = "--model foreign.MyNoise2Noise --model.network SmallCNN --model.network.width 10"
    data = "--data ImageFolder --data.noise gaussian:40 --trainer.accelerator cpu"
    batches = "--data.train clean --data.target noisy --data.crop 16 --data.batch_size 4"
    steps = "--trainer.max_epochs 20 --trainer.log_every_n_steps 1"
    faster = "--model.optimizer Adam --model.optimizer.lr 0.01"
    fitted = run(*f"fit {model} {faster} {data} {batches} {steps}".split())
    assert fitted.code == 0, fitted.err
    with (tmp_path / "runs/version_0/metrics.csv").open() as file:
        losses = [float(row["train/copy"]) for row in csv.DictReader(file)]
    assert len(losses) == 40
    assert mean(losses[-8:]) < 0.8 * mean(losses[:8])

    last = "runs/version_0/checkpoints/last.ckpt"
    tested = run(*f"test {model} --ckpt_path {last} {data} --data.test clean".split())
    assert tested.code == 0, tested.err
    _, header, *rows = [line.split("\t") for line in tested.out.splitlines()]
    assert header[:3] == ["picture", "PSNR", "SSIM"]
    assert [row[0] for row in rows] == [*(f"clean/{number}.png" for number in range(8)), "mean of 8"]
    assert all(float(row[1]) > 18 for row in rows)  # noise of this level leaves 16.1 dB
    assert all(0 < float(row[2]) < 1 for row in rows)

    predicted = run(*f"predict --ckpt_path {last} {data} --data.predict noisy --output out".split())
    assert predicted.code == 0, predicted.err
    for number in range(8):
        noisy, clean = (read_picture(tmp_path / folder / f"{number}.png").image for folder in ("noisy", "out"))
        assert noisy.shape == clean.shape
        assert not torch.equal(noisy, clean)


# -- a method of two stages ------------------------------------------------------------------------------------------


class Kill(lightning.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise RuntimeError("the machine went down")


class Snapshots(lightning.Callback):
    """Keeps the weights before every step."""

    def __init__(self):
        self.kept = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.kept.append((weights(pl_module.first), weights(pl_module.second)))


def relay(foreign, **options):
    """Return a two-stage method fitted straight through, or as far as it gets."""
    torch.manual_seed(0)
    model = foreign.Relay()
    torch.manual_seed(1)
    return model, lambda: trainer(**options).fit(model, data_of(tensor_of(noisy_scene(16, 17))))


def test_the_stages_take_turns_and_the_guide_is_made_once(foreign):
    snapshots = Snapshots()
    model, fit = relay(foreign, callbacks=[snapshots])
    calls = []
    model.first.register_forward_hook(lambda module, args, output: calls.append(module.training))
    fit()
    assert calls == [True] * (2 * BOUND) + [False]  # two passes in each of its own steps, and one for the guide
    firsts, seconds = zip(*snapshots.kept, (weights(model.first), weights(model.second)), strict=True)
    moved = [[not same(*pair) for pair in pairwise(stage)] for stage in (firsts, seconds)]
    assert moved == [[True] * BOUND + [False] * BOUND, [False] * BOUND + [True] * BOUND]


@pytest.mark.parametrize("killed_at", [BOUND - 3, BOUND + 1, BOUND + 5])
def test_a_fit_that_was_killed_goes_on_to_the_same_weights(foreign, tmp_path, killed_at):
    straight, fit = relay(foreign)
    fit()

    def saver():
        return ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)

    _, killed = relay(foreign, callbacks=[saver(), Kill(killed_at)], enable_checkpointing=True)
    with pytest.raises(RuntimeError, match="the machine went down"):
        killed()

    torch.manual_seed(5)
    resumed = foreign.Relay()
    torch.manual_seed(1)
    again = trainer(callbacks=[saver()], enable_checkpointing=True)
    path = tmp_path / f"step={killed_at // 2 * 2}.ckpt"
    again.fit(resumed, data_of(tensor_of(noisy_scene(16, 17))), ckpt_path=path)
    assert same(weights(resumed), weights(straight))


@torch.no_grad()
def distance(model, noisy):
    return (model.second(noisy) - model.first(noisy)).abs().mean()


def test_the_second_network_is_the_result_and_came_nearer_to_the_first(foreign):
    noisy = tensor_of(noisy_scene(16, 17))
    model, fit = relay(foreign)
    fit()
    assert torch.equal(model.restore(noisy), model.second(noisy).clamp(0, 1))
    untouched, _ = relay(foreign)
    untouched.first = model.first
    assert distance(model, noisy) < distance(untouched, noisy)


def test_public_hooks_are_enough_for_a_stage_that_depends_on_an_earlier_result(foreign, tmp_path):
    noisy = tensor_of(noisy_scene(16, 17))

    def fitted(steps, **options):
        torch.manual_seed(0)
        model, used = foreign.Handover(), trainer(max_steps=steps)
        used.fit(model, data_of(noisy), **options)
        used.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return model, used

    model, used = fitted(STEPS)
    with torch.no_grad():
        assert model.removed == (model.network(noisy) - noisy).std() > 0
    assert [type(each).__name__ for each in used.optimizers[0].optimizers] == ["Adam", "Adam"]
    assert [group["lr"] for group in used.optimizers[0].param_groups] == [1e-3, 1e-3]
    assert torch.equal(foreign.Handover.load(tmp_path / f"{STEPS}.ckpt").removed, model.removed)


# -- a prior, whose network does not look at the picture -------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (13, 18), (5, 9)])
def test_a_prior_denoises(foreign, size):
    noisy = noisy_scene(*size).astype(np.float32)
    plan = {"model": {"class_path": "foreign.Prior"}, "data": {"class_path": "torchdenoise.data.SingleImage"}}
    clean = denoise(noisy, plan, max_steps=60, device="cpu", data_range=1, loss=foreign.JitterLoss(sigma=0.01))
    assert (clean.shape, clean.dtype) == (noisy.shape, noisy.dtype)
    assert np.square(clean - noisy).mean() < np.square(noisy - noisy.mean()).mean()
    plain = denoise(noisy, plan, max_steps=60, device="cpu", data_range=1, loss=foreign.JitterLoss(sigma=0))
    assert not np.array_equal(plain, clean)  # the jitter reaches the network


def test_a_method_s_parts_serve_in_another_one(foreign):
    noisy = noisy_scene(12, 13).astype(np.float32)
    parts = {"network": foreign.CodeToImage(), "loss": foreign.JitterLoss(), "readout": foreign.RunningMean()}
    assert denoise(noisy, "zsn2n", max_steps=3, device="cpu", **parts).shape == noisy.shape


class Outputs(lightning.Callback):
    """Works out the mean of the outputs without the readout."""

    def __init__(self):
        self.mean = None

    def on_train_start(self, trainer, pl_module):
        observe = pl_module.readout.observe

        def also(denoise, noisy, output):
            self.mean = output if self.mean is None else 0.9 * self.mean + (1 - 0.9) * output
            observe(denoise, noisy, output)

        pl_module.readout.observe = also


def test_what_a_readout_gathered_survives_the_checkpoint(foreign, tmp_path):
    noisy, outputs, path = tensor_of(noisy_scene(13, 18)), Outputs(), tmp_path / "prior.ckpt"
    torch.manual_seed(0)
    model, used = foreign.Prior(), trainer(callbacks=[outputs])
    used.fit(model, data_of(noisy))
    used.save_checkpoint(path)
    expected = model.restore(noisy)
    assert torch.equal(expected, outputs.mean.clamp(0, 1))
    assert not torch.equal(expected, model(noisy).clamp(0, 1))
    assert torch.equal(foreign.Prior.load(path).restore(noisy), expected)
    (predicted,) = trainer().predict(foreign.Prior(), data_of(noisy), ckpt_path=path)
    assert torch.equal(predicted, expected)


def test_a_resumed_prior_goes_on_gathering(foreign, tmp_path):
    noisy = tensor_of(noisy_scene(13, 18))

    def fitted(steps, **options):
        torch.manual_seed(0)
        model, used = foreign.Prior(), trainer(max_steps=steps)
        used.fit(model, data_of(noisy), **options)
        used.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return model.restore(noisy)

    straight = fitted(10)
    fitted(6)
    assert torch.equal(fitted(10, ckpt_path=tmp_path / "6.ckpt"), straight)
