"""``fit`` on folders as people train: checkpoints, logs, going on after a stop, several processes, half precision."""

import csv
import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import noisy_scene, scene, write_png

from torchdenoise.denoisers import Denoiser

MODEL = "--model Noise2Noise --model.network UnshuffleCNN --model.network.width 8 --model.network.depth 3"
DATA = "--data ImageFolder --data.train clean --data.target noisy --data.crop 8 --data.batch_size 2"
PAIRS = "--data PairFolder --data.train_noisy noisy --data.train_target clean --data.crop 8 --data.batch_size 2"
CPU = "--trainer.accelerator cpu --trainer.log_every_n_steps 1"
RUN = Path("runs/version_0")
LAST, BEST = (RUN / "checkpoints" / name for name in ("last.ckpt", "best.ckpt"))


@pytest.fixture
def train(run, tmp_path, monkeypatch):
    """Return what calls ``fit`` beside folders of clean and noisy pictures; three batches an epoch."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")  # seeding sets both: give them back afterwards
    monkeypatch.setenv("PL_SEED_WORKERS", "")
    for number in range(6):
        for name, picture in (("clean", scene), ("noisy", noisy_scene)):
            (tmp_path / name).mkdir(exist_ok=True)
            write_png(tmp_path / name / f"{number}.png", picture(12 + number, 14))
    return lambda *words: run("fit", *" ".join([MODEL, CPU, *words]).split())


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def same_weights(first, second):
    ours, theirs = weights(first), weights(second)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def losses(folder):
    """Return step -> the logged training loss, as written."""
    with (folder / "metrics.csv").open() as file:
        return {int(row["step"]): row["loss"] for row in csv.DictReader(file) if row["loss"]}


# -- what a fit leaves -------------------------------------------------------------------------------------------------


def test_a_fit_that_shall_keep_no_checkpoints_keeps_none(train):
    outcome = train(DATA, "--data.val clean --trainer.max_epochs 1 --trainer.enable_checkpointing false")
    assert (outcome.code, outcome.err) == (0, "")
    assert "checkpoint: none" in outcome.out
    assert "use it:" not in outcome.out
    assert (RUN / "metrics.csv").exists()
    assert not (RUN / "checkpoints").exists()


def test_a_fit_leaves_its_last_and_its_best_state_and_its_losses(train):
    # The rate grows so much that the third epoch is far worse than the first two.
    steep = "--model.optimizer SGD --model.optimizer.lr 1e-3 --model.scheduler StepLR --model.scheduler.step_size 6"
    outcome = train(DATA, steep, "--model.scheduler.gamma 3e5 --data.val clean --trainer.max_epochs 3")
    assert outcome.code == 0, outcome.err
    assert f"checkpoint: {LAST}" in outcome.out
    assert f"best:       {BEST} (by val_loss)" in outcome.out
    assert outcome.out.count("use it:") == 1
    assert torch.load(LAST, weights_only=True)["epoch"] == 2
    assert torch.load(BEST, weights_only=True)["epoch"] < 2
    assert Denoiser.load(BEST).network.arguments["width"] == 8
    with (RUN / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["loss"]]) == 9
    for name in ("val_loss", "val_psnr", "val_ssim"):
        assert len([row for row in rows if row[name]]) == 3
    assert sorted(path.name for path in RUN.iterdir()) == ["checkpoints", "config.yaml", "curves.svg", "metrics.csv"]
    curves = (RUN / "curves.svg").read_text()
    assert [f">{name}<" in curves for name in ("loss", "val_loss", "val_psnr", "val_ssim")] == [True] * 4
    assert "val_removed" not in curves
    lines = [line.split(", ") for line in outcome.out.splitlines() if line.startswith("step ")]
    assert [line[0] for line in lines] == ["step 3 of 9", "step 6 of 9", "step 9 of 9"]
    names = ["loss", "val_loss", "val_psnr", "val_ssim"]
    assert [[figure.split()[0] for figure in line[2:]] for line in lines] == [names] * 3
    [last] = re.findall(r"^fitted: +9 steps in [\d.]+ s, (.*)$", outcome.out, re.MULTILINE)
    assert last.split(", ") == lines[-1][2:]


def test_without_validation_there_is_no_best_state(train):
    outcome = train(DATA, "--trainer.max_epochs 1")
    assert outcome.code == 0, outcome.err
    assert "best" not in outcome.out
    assert [path.name for path in LAST.parent.iterdir()] == ["last.ckpt"]


def test_a_fit_that_ends_inside_an_epoch_is_validated_at_its_end(train):
    outcome = train(DATA, "--data.val clean --data.repeats 3 --trainer.max_steps 4 --trainer.log_every_n_steps 50")
    assert outcome.code == 0, outcome.err
    assert re.search(r"^step 4 of 4, \d+ s, loss .*, val_loss .*, val_psnr ", outcome.out, re.MULTILINE)
    assert re.search(r"^fitted: +4 steps in [\d.]+ s, loss .*, val_loss .*, val_psnr ", outcome.out, re.MULTILINE)
    assert same_weights(LAST, BEST)
    assert list(losses(RUN)) == [3]


def test_the_last_line_has_the_loss_and_the_steps_of_this_fit_alone(train):
    first = train(DATA, "--trainer.max_steps 2")
    assert re.search(r"^fitted: +2 steps in [\d.]+ s, loss [\d.]+$", first.out, re.MULTILINE)
    assert f"checkpoint: {LAST}" in first.out
    second = train(DATA, f"--trainer.max_steps 5 --ckpt_path {LAST}")
    assert re.search(r"^fitted: +3 steps in [\d.]+ s, 5 in all, loss [\d.]+$", second.out, re.MULTILINE)


@pytest.mark.filterwarnings("default:the learning rate is 0")
@pytest.mark.parametrize(
    ("schedule", "goes_on"),
    [("WarmDown", True), ("LinearLR --model.scheduler.start_factor 1 --model.scheduler.end_factor 0"
      " --model.scheduler.total_iters 2", False)],
)  # fmt: skip
def test_more_steps_after_the_end_of_a_schedule_change_the_weights_or_warn(train, schedule, goes_on):
    words = f"{DATA} --model.scheduler {schedule}"
    assert train(words, "--trainer.max_steps 2").code == 0
    outcome = train(words, f"--trainer.max_steps 4 --ckpt_path {LAST}")
    assert outcome.code == 0, outcome.err
    assert same_weights(LAST, "runs/version_1/checkpoints/last.ckpt") != goes_on
    if goes_on:
        assert outcome.err == ""
    else:
        (line,) = outcome.err.splitlines()
        assert line.startswith("warning: the learning rate is 0 at step 2, where this fit goes on: ")
        assert "begins with --init_from in place of --ckpt_path" in line


def test_without_a_log_there_are_loss_and_scores_but_no_curves(train, tmp_path):
    outcome = train(DATA, "--data.val clean --trainer.max_epochs 1 --trainer.logger false")
    assert outcome.code == 0, outcome.err
    assert "step 3 of 3" in outcome.out
    assert re.search(r"^fitted: +3 steps in [\d.]+ s, loss .*, val_loss .*, val_psnr ", outcome.out, re.MULTILINE)
    assert not list(tmp_path.rglob("curves.svg"))


def test_a_loss_of_the_noisy_picture_alone_trains_on_folders_too(train, run):
    words = "--model ZSN2N --model.network SmallCNN --model.network.width 4 --data PairFolder --data.crop 8"
    words += " --data.train_noisy noisy --data.train_target clean --data.val_noisy noisy --data.val_clean clean"
    outcome = run("fit", *f"{words} {CPU} --trainer.max_epochs 1".split())
    assert outcome.code == 0, outcome.err
    assert BEST.is_file()


def test_pairs_train_test_and_predict(train, run, tmp_path):
    outcome = train(PAIRS, "--data.val_noisy noisy --data.val_clean clean --trainer.max_epochs 2")
    assert outcome.code == 0, outcome.err
    assert BEST.is_file()
    words = "--data PairFolder --data.test_noisy noisy --data.test_clean clean"
    tested = run("test", *f"--ckpt_path {BEST} {words} --trainer.accelerator cpu".split())
    assert tested.code == 0, tested.err
    assert tested.out.startswith("noise: that of the pictures themselves\n")
    assert [line.split("\t")[0] for line in tested.out.splitlines()][2:4] == ["noisy/0.png", "noisy/1.png"]
    words = "--data ImageFolder --data.predict noisy --output out --trainer.accelerator cpu"
    assert run("predict", *f"--ckpt_path {LAST} {words}".split()).code == 0
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_tensorboard_logs_take_the_place_of_csv(train):
    outcome = train(DATA, "--trainer.max_epochs 1 --trainer.logger TensorBoardLogger")
    assert outcome.code == 0, outcome.err
    assert LAST.is_file()
    assert list(RUN.glob("events.out.tfevents.*"))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_weight(train, workers):
    words = (DATA, "--data.repeats 2 --data.val clean --trainer.max_epochs 2")
    assert train(*words).code == 0
    outcome = train(*words, f"--data.workers {workers}")
    assert outcome.code == 0, outcome.err
    assert same_weights(LAST, "runs/version_1/checkpoints/last.ckpt")


def test_bfloat16(train):
    outcome = train(DATA, "--data.val clean --trainer.max_epochs 1 --trainer.precision bf16-mixed")
    assert outcome.code == 0, outcome.err
    assert all(value.dtype is torch.float32 for value in weights(LAST).values())
    assert float(losses(RUN)[0]) < 1


# -- stopping and going on ---------------------------------------------------------------------------------------------

STOPS = """
import lightning

class Stop(lightning.Callback):
    def __init__(self, step: int, by: str):
        self.step, self.by = step, by

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise {"crash": RuntimeError, "key": KeyboardInterrupt}[self.by]("the machine went down")
"""
STEPPED = "--data.val clean --data.repeats 2 --model.scheduler StepLR --model.scheduler.step_size 5"


@pytest.mark.parametrize(
    ("length", "workers"),
    [("max_epochs 4", 0), ("max_steps 24", 0), ("max_epochs 4 --trainer.max_steps 99", 0), ("max_epochs 4", 1)],
)
@pytest.mark.parametrize(
    ("how", "first"),
    [
        ("", 12),  # the first part was meant to end there
        ("--trainer.callbacks my_stops.Stop --trainer.callbacks.step 15 --trainer.callbacks.by crash", 12),
        ("--trainer.callbacks my_stops.Stop --trainer.callbacks.step 15 --trainer.callbacks.by key", 15),
    ],
    ids=["ended", "crash", "ctrl-c"],
)
def test_a_fit_goes_on_as_if_it_had_never_been_stopped(train, tmp_path, length, how, first, workers):
    (tmp_path / "my_stops.py").write_text(STOPS)
    words = (DATA, STEPPED, f"--data.workers {workers}")
    assert train(*words, f"--trainer.{length}").code == 0
    straight, other = losses(RUN), Path("runs/version_1/checkpoints/last.ckpt")
    if "crash" in how:
        outcome = train(*words, f"--trainer.{length}", how)
        assert outcome.code == 2
        assert "my_stops.py:10, in Stop.on_train_batch_start: RuntimeError: the machine went down" in outcome.err
    elif how:
        assert train(*words, f"--trainer.{length}", how).code == 130
    else:
        assert train(*words, f"--trainer.{length.replace('24', '12').replace(' 4', ' 2')}").code == 0
    assert torch.load(other, weights_only=True)["global_step"] == first
    outcome = train(*words, f"--trainer.{length} --ckpt_path {other}")
    assert outcome.code == 0, outcome.err
    assert same_weights(LAST, "runs/version_2/checkpoints/last.ckpt")
    assert len(straight) == 24
    assert losses(Path("runs/version_2")) == {step: loss for step, loss in straight.items() if step >= first}
    written = {path.parent.name for path in tmp_path.rglob("curves.svg")}
    assert written == {"version_0", "version_2"} | ({"version_1"} if "crash" not in how else set())
    sys.modules.pop("my_stops", None)


def test_the_log_counts_on_from_the_best_state_inside_an_epoch(train):
    words = (DATA, "--data.val clean --trainer.max_epochs 9")
    assert train(*words, "--trainer.max_steps 2").code == 0
    assert train(*words, f"--trainer.max_steps 4 --ckpt_path {BEST}").code == 0
    assert list(losses(Path("runs/version_1"))) == [2, 3]


def test_a_fit_can_start_from_the_weights_of_another(train, tmp_path):
    rest = "--trainer.max_epochs 1 --model.optimizer SGD --model.optimizer.lr 0"
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    outcome = train(PAIRS, rest, f"--model Noise2Clean --init_from {LAST}")
    assert outcome.code == 0, outcome.err
    second = Path("runs/version_1/checkpoints/last.ckpt")
    assert torch.load(second, weights_only=True)["global_step"] == 3  # its own
    assert same_weights(LAST, second)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--init_from {last} --ckpt_path {last}", "--init_from begins a new one: give one of them"),
        ("--init_from none.ckpt", "none.ckpt: no such checkpoint file"),
        (
            "--init_from {last} --model.network.width 4",
            "{last}: the checkpoint's network was made with other arguments",
        ),
        ("--init_from {last} --data.channels 1", "the pictures have 1 channel(s), the network was made for 3"),
    ],
)
def test_weights_that_do_not_fit_are_refused(train, words, message):
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    outcome = train(DATA, "--trainer.max_epochs 1", words.format(last=LAST))
    assert outcome.code == 2
    assert message.format(last=LAST) in outcome.err
    assert not Path("runs/version_1/checkpoints").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("loops"), "holds no state of a fit to go on with"),
        (lambda content: content.update(global_step="seven"), "holds no state of a fit to go on with"),
        (lambda content: content.update(optimizer_states=[{"state": 3}]), "its state cannot be restored"),
        (lambda content: content["loops"]["fit_loop"].pop("epoch_loop.batch_progress"), ""),
    ],
)
def test_a_damaged_state_of_a_fit_is_one_line(train, change, message):
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    content = torch.load(LAST, weights_only=True)
    change(content)
    torch.save(content, LAST)
    outcome = train(DATA, f"--trainer.max_epochs 2 --ckpt_path {LAST}")
    assert outcome.code == (2 if message else 0)
    assert message in outcome.err
    assert outcome.err.count("\n") == bool(message)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_a_checkpoint_leaves_the_last_good_one(train, monkeypatch, error):
    kept = Path.write_bytes

    def write_bytes(path, content):
        if torch.load(io.BytesIO(content), weights_only=True)["global_step"] > 3:
            kept(path, content[:1000])
            raise OSError(error, os.strerror(error), str(path))
        return kept(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    outcome = train(DATA, "--trainer.max_epochs 3")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "what was saved before is whole" in outcome.err
    assert torch.load(LAST, weights_only=True)["global_step"] == 3
    assert [path.name for path in LAST.parent.iterdir()] == [LAST.name]


def test_a_resumed_fit_knows_the_best_so_far(train):
    growing = "--model.optimizer SGD --model.optimizer.lr 1e-3 --model.scheduler StepLR --model.scheduler.step_size 3"
    words = (DATA, growing, "--model.scheduler.gamma 3e5 --data.val clean")
    assert train(*words, "--trainer.max_epochs 1").code == 0
    outcome = train(*words, f"--trainer.max_epochs 2 --ckpt_path {LAST}")
    assert outcome.code == 0, outcome.err
    assert f"best:       {BEST}" in outcome.out
    assert not Path("runs/version_1/checkpoints/best.ckpt").exists()


def test_a_loss_that_becomes_nan_leaves_the_last_good_state(train):
    outcome = train(DATA, "--data.batch_size 6 --trainer.max_epochs 5 --model.optimizer SGD --model.optimizer.lr 1e25")
    assert outcome.code == 2
    assert "the loss became NaN or infinite at step 1 (term target, learning rate 1e+25)" in outcome.err
    assert torch.load(LAST, weights_only=True)["global_step"] == 1


# -- what cannot work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{DATA} --data.train nowhere", "--data.train nowhere: no such folder"),
        (f"{DATA} --data.val nowhere", "--data.val nowhere: no such folder"),
        (f"{DATA} --data.crop 13", "clean/0.png: 14x12 pixels, smaller than the crop of 13"),
        (f"{DATA} --data.crop 0", "--data.crop 0: must be at least 1"),
        (f"{DATA} --data.train mixed", "mixed/b.png is colour, mixed/a.png is grey: set --data.channels"),
        (f"{PAIRS} --data.train_target mixed", "no picture of the same name for noisy/0.png"),
        (f"{PAIRS} --data.train_target sizes", "noisy/0.png has 14x12 pixels, sizes/0.png 14x13"),
        (f"{PAIRS} --data.val_clean clean", "give --data.val_noisy FOLDER"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(train, tmp_path, words, message):
    for name in ("mixed", "sizes"):
        (tmp_path / name).mkdir()
    write_png(tmp_path / "mixed/a.png", scene(12, 12, channels=1))
    write_png(tmp_path / "mixed/b.png", scene(12, 12))
    for number in range(6):
        write_png(tmp_path / f"sizes/{number}.png", scene(13, 14))
    before = sorted(tmp_path.iterdir())
    outcome = train(words, "--trainer.max_epochs 1")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_damaged_inside_is_one_line(train, tmp_path, workers):
    path = tmp_path / "clean/3.png"
    path.write_bytes(path.read_bytes()[:80])
    outcome = train(DATA, f"--trainer.max_epochs 1 --data.workers {workers}")
    assert outcome.code == 2
    assert "clean/3.png: damaged or cut short" in outcome.err
    assert len(outcome.err.splitlines()) == 1


PRESS = """
import signal
import lightning

class Press(lightning.Callback):
    def __init__(self, hook: str):
        setattr(self, hook, self.press)
        self.calls = 0

    def press(self, *_):
        self.calls += 1
        if self.calls == 3:
            signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize("hook", ["on_after_backward", "on_before_optimizer_step", "on_before_zero_grad"])
def test_ctrl_c_inside_a_step_ends_the_fit_after_it(train, run, ctrl_c, tmp_path, hook):
    (tmp_path / "my_press.py").write_text(PRESS)
    words = f"--config n2v --model.network.width 2 --data.train clean --data.crop 8 --data.batch_size 1 {CPU}"
    words += " --data.repeats 2 --trainer.max_epochs 2 --trainer.accumulate_grad_batches 2"
    press = f"--trainer.callbacks my_press.Press --trainer.callbacks.hook {hook}"
    assert run("fit", *f"{words} {press}".split()).code == 130
    assert torch.load(LAST, weights_only=True)["global_step"] in (2, 3)
    assert run("fit", *f"{words} --ckpt_path {LAST}".split()).code == 0
    assert run("fit", *words.split()).code == 0
    assert same_weights("runs/version_1/checkpoints/last.ckpt", "runs/version_2/checkpoints/last.ckpt")


def test_a_readout_of_one_picture_is_refused_for_crops(train):
    outcome = train(DATA, "--model.readout torchdenoise.denoisers.RunningMean --trainer.max_epochs 1")
    assert outcome.code == 2
    assert "RunningMean is fitted to one whole picture, not to crops of 8" in outcome.err


def test_a_fit_goes_on_with_its_own_optimizer_alone(train):
    stepwise = "--model.optimizer SGD --model.optimizer.lr 1e-3 --model.scheduler StepLR --model.scheduler.step_size 6"
    assert train(DATA, stepwise, "--trainer.max_epochs 1").code == 0
    outcome = train(DATA, f"--trainer.max_epochs 2 --ckpt_path {LAST}")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "the checkpoint's fit had SGD and StepLR, this one has Adam and" in outcome.err
    assert train(DATA, stepwise, f"--trainer.max_epochs 2 --ckpt_path {LAST}").code == 0


def test_a_fit_goes_on_with_the_options_that_the_refusal_of_its_network_names(train):
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    other = f"{DATA} --trainer.max_epochs 2 --ckpt_path {LAST} --model.network SmallCNN"
    outcome = train(other)
    assert outcome.code == 2
    remedy = "--model.network UnshuffleCNN --model.network.width 8 --model.network.depth 3"
    message = f"the checkpoint's network is a UnshuffleCNN, the model's is a SmallCNN: add {remedy}"
    assert outcome.err == f"torchdenoise: {message}\n"
    outcome = train(other, remedy)
    assert outcome.code == 0, outcome.err


def test_another_method_starts_from_the_weights_instead(train):
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    outcome = train(DATA, f"--model Noise2Clean --data.target clean --trainer.max_epochs 2 --ckpt_path {LAST}")
    assert outcome.code == 2
    assert "give --model Noise2Noise, or begin a new fit from its weights with --init_from" in outcome.err


ENTERED = """
from torchdenoise.denoisers import Noise2Noise

class Told(Noise2Noise):
    entered = 0

    def enter_stage(self, index, noisy, transformed):
        Told.entered += 1
"""


def test_a_stage_is_entered_once_whatever_a_step_is_made_of(run, train, tmp_path, monkeypatch):
    (tmp_path / "told_stage.py").write_text(ENTERED)
    monkeypatch.syspath_prepend(tmp_path)
    words = f"--model told_stage.Told --model.network SmallCNN --model.network.width 4 {CPU} {DATA}"
    assert run("fit", *f"{words} --trainer.accumulate_grad_batches 3 --trainer.max_epochs 2".split()).code == 0
    assert sys.modules["told_stage"].Told.entered == 1


def test_the_best_state_has_a_network_that_was_trained(run, train):
    """The losses of ZS-N2M's two stages have nothing in common, and only the second one makes the result."""
    words = "--config zsn2m --data ImageFolder --data.train clean --data.val clean --data.crop 8 --data.batch_size 2"
    small = "--model.network.width 4 --model.refiner.width 4 --model.refiner_loss.size 4 --trainer.max_steps 12"
    assert run("fit", *f"{words} {small} {CPU}".split()).code == 0
    assert torch.load(BEST, weights_only=True)["global_step"] > 8  # two thirds of the steps are the first network's
    with (RUN / "metrics.csv").open() as file:
        assert {"val_loss", "val_loss_of_stage_1"} <= set(next(csv.reader(file)))


# -- several processes -------------------------------------------------------------------------------------------------

PROBE = """
import lightning, torch

class Probe(lightning.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        torch.save(batch, f"batch-{trainer.current_epoch}-{batch_idx}-{trainer.global_rank}.pt")
"""


def alone(folder, words, name="fit", model=MODEL):
    """Return what the command does in two processes of its own, which begin it again by themselves."""
    command = [sys.executable, "-m", "torchdenoise", name, "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    words = f"{model} {CPU} {words}".split()
    return subprocess.run([*command, *words], check=False, capture_output=True, text=True, timeout=250, cwd=folder)


@pytest.mark.slow
def test_two_processes_share_the_crops_and_write_one_checkpoint(train, tmp_path):
    (tmp_path / "my_probe.py").write_text(PROBE)
    outcome = alone(tmp_path, f"{DATA} --data.val clean --trainer.max_epochs 2 --trainer.callbacks my_probe.Probe")
    assert outcome.returncode == 0, outcome.stderr
    batches = {path.stem: torch.load(path)["noisy"] for path in tmp_path.glob("batch-*.pt")}
    assert len(batches) == 4  # of 6 pictures each process has 3, and so one batch of 2 an epoch
    crops = [crop for batch in batches.values() for crop in batch]
    assert all(not torch.equal(one, other) for n, one in enumerate(crops) for other in crops[:n])
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["version_0"]
    assert sorted(path.name for path in LAST.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert torch.load(LAST, weights_only=True)["global_step"] == 2
    assert outcome.stdout.count("checkpoint:") == 1
    assert (RUN / "curves.svg").is_file()
    lines = [line.split(",")[0] for line in outcome.stdout.splitlines() if line.startswith("step ")]
    assert lines == ["step 1 of 2", "step 2 of 2"]


@pytest.mark.slow
def test_two_processes_write_and_score_what_one_would(train, tmp_path):
    assert train(DATA, "--trainer.max_epochs 1").code == 0
    words = f"--ckpt_path {LAST} --data ImageFolder"
    outcome = alone(tmp_path, f"{words} --data.predict noisy --output out", "predict", "")
    assert outcome.returncode == 0, outcome.stderr
    names = [f"{number}.png" for number in range(6)]
    assert [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("out", "noisy")] == [names] * 2
    (tmp_path / "clean" / "5.png").unlink()  # an odd number: one process gets a picture twice
    outcome = alone(tmp_path, f"{words} --data.test clean", "test", "")
    assert outcome.returncode == 0, outcome.stderr
    rows = [line.split("\t") for line in outcome.stdout.splitlines() if line.count("\t") == 4]
    assert [row[0] for row in rows] == ["picture", *(f"clean/{number}.png" for number in range(5)), "mean of 5"]
    assert outcome.stdout.count("noise: gaussian:25, seed 0\n") == 1
    scores = [float(row[1]) for row in rows[1:]]
    assert scores[-1] == pytest.approx(sum(scores[:-1]) / 5, abs=1e-3)


@pytest.mark.slow
def test_what_cannot_work_is_one_line_for_two_processes_too(train, tmp_path):
    outcome = alone(tmp_path, f"{DATA} --data.crop 13 --trainer.max_epochs 2")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("torchdenoise: clean/0.png: 14x12 pixels, smaller than the crop of 13")
    assert len(outcome.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
