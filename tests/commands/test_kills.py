"""Commands that are killed at random moments: nothing is lost, and the next command ends what they began.

``TORCHDENOISE_TORTURE=full``: a folder of 40 pictures, a fit and a comparison 20 times, a stack of 200 frames 10 times.
"""

import contextlib
import csv
import os
import random
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import tifffile
import torch
from helpers import noisy_scene, random_pixels, write_png

FULL = os.environ.get("TORCHDENOISE_TORTURE") == "full"
WORDS = ("--recipe", "zsn2n", "--max-steps", "8", "--device", "cpu", "--threads", "1")


def start(folder, *words):
    return launch(folder, "denoise", *words, *WORDS)


def launch(folder, *words):
    command = [sys.executable, "-m", "torchdenoise", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(folder, *words):
    """Run a command to its end; return its exit code and errors, and the seconds it took."""
    begin = time.monotonic()
    process = launch(folder, *words)
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - begin


def kill_at_random(folder, moments, seconds, *words):
    """Kill a command in the last three quarters of the time that it takes."""
    process = launch(folder, *words)
    time.sleep(moments.uniform(seconds / 4, seconds))
    process.kill()
    process.communicate()


def write_noisy(folder, count, side):
    """Write noisy pictures to a new folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        write_png(folder / f"{number:02d}.png", noisy_scene(side, side, seed=number))


def finish(folder, *words):
    """Run to the end; return the seconds until the work began, and those of the work."""
    begin = time.monotonic()
    process = start(folder, *words)
    process.stdout.readline()
    began = time.monotonic()
    _, err = process.communicate()
    assert process.returncode == 0, err
    return began - begin, time.monotonic() - began


def kill(folder, after, *words):
    process = start(folder, *words)
    time.sleep(after)
    process.kill()
    process.communicate()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unfinished(folder):
    return list(folder.rglob(".torchdenoise-*"))


def check_complete(folder, words, expected):
    """Check that one more command leaves the undisturbed results, and nothing unfinished once it is seen to be old."""
    finish(folder, *words)
    for path in unfinished(folder / "out"):
        os.utime(path, (0, 0))
    finish(folder, *words)
    assert contents(folder / "out") == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("more", [(), ("--workers", "2")] if FULL else [()])
def test_a_folder_that_is_killed_again_and_again(tmp_path, more, record_property):
    pictures, kills = (40, 20) if FULL else (6, 2)
    write_noisy(tmp_path / "in", pictures, 64)
    before, work = finish(tmp_path, "in", "-o", "whole")
    words, moments = ("in", "-o", "out", *more), random.Random(0)
    for _ in range(kills):
        kill(tmp_path, moments.uniform(before / 2, before + 2 * work / kills), *words)
    check_complete(tmp_path, words, contents(tmp_path / "whole"))
    record_property("figure", f"denoise, folder{' by two workers' if more else ''}: {kills} kills, the same bytes")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_stack_that_is_killed_again_and_again(tmp_path, record_property):
    frames, kills = (200, 10) if FULL else (20, 2)
    (tmp_path / "in").mkdir()
    array = random_pixels((frames, 48, 48))
    tifffile.imwrite(tmp_path / "in" / "a.tif", array, imagej=True, metadata={"axes": "TYX"})
    before, work = finish(tmp_path, "in", "-o", "whole")
    words, moments = ("in", "-o", "out"), random.Random(0)
    for _ in range(kills):
        kill(tmp_path, moments.uniform(before / 2, before + work), *words)
    check_complete(tmp_path, words, contents(tmp_path / "whole"))
    record_property("figure", f"denoise, stack: {kills} kills, the same bytes")


@pytest.mark.slow
def test_two_commands_on_one_folder_do_not_remove_each_others_unfinished_results(tmp_path):
    write_noisy(tmp_path / "in", 6, 64)
    np.save(tmp_path / "slow.npy", random_pixels((60, 64, 64)))
    (tmp_path / "out").mkdir()
    slow = start(tmp_path, "slow.npy", "--axes", "TYX", "-o", "out/slow.npy")
    while slow.poll() is None and not unfinished(tmp_path / "out"):
        time.sleep(0.05)
    (held,) = unfinished(tmp_path / "out")
    os.utime(held, (0, 0))  # as if it were abandoned; its lock says that it is not
    finish(tmp_path, "in", "-o", "out")
    _, err = slow.communicate()
    assert slow.returncode == 0, err
    assert np.load(tmp_path / "out" / "slow.npy").shape == (60, 64, 64)
    assert len(contents(tmp_path / "out")) == 7


@pytest.mark.slow
def test_two_commands_on_one_folder_at_once_both_end_well(tmp_path):
    write_noisy(tmp_path / "in", 5, 64)
    both = [start(tmp_path, "in", "-o", "out") for _ in range(2)]
    for process in both:
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
    assert len(contents(tmp_path / "out")) == 5


FIT = shlex.split(
    "fit --model Noise2Noise --model.network UnshuffleCNN --model.network.width 8 --model.network.depth 3 "
    "--data ImageFolder --data.train in --data.target noisy --data.crop 8 --data.batch_size 2 --data.repeats 40 "
    "--data.workers 0 --trainer.max_epochs 8 --trainer.accelerator cpu"
)


def last_checkpoint(folder):
    """Return the options that go on from the newest checkpoint; none before the first one."""
    found = sorted(folder.glob("runs/*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    return ("--ckpt_path", str(found[-1])) if found else ()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fit_that_is_killed_again_and_again(tmp_path, record_property):
    for folder in ("whole", "killed"):
        write_noisy(tmp_path / folder / "in", 4, 24)
    code, err, seconds = run(tmp_path / "whole", *FIT)
    assert code == 0, err
    here, moments, kills = tmp_path / "killed", random.Random(0), 20 if FULL else 1
    for _ in range(kills):
        kill_at_random(here, moments, seconds, *FIT, *last_checkpoint(here))
    code, err, _ = run(here, *FIT, *last_checkpoint(here))
    assert code == 0 or "fitted for 8 epochs already" in err  # it was killed after the last step
    states = [torch.load(last_checkpoint(folder)[1], weights_only=True) for folder in (tmp_path / "whole", here)]
    assert states[0]["global_step"] == states[1]["global_step"] == 640
    assert all(torch.equal(states[0]["state_dict"][name], value) for name, value in states[1]["state_dict"].items())
    record_property("figure", f"fit: {kills} kills, the same weights")


TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")


def begin_two(folder, *words):
    """Begin a fit in two processes, which are a group of their own, with its errors in a file."""
    with (folder / "errors.txt").open("wb") as errors:
        command = [sys.executable, "-m", "torchdenoise", *words]
        return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)


def members(group):
    """Return the processes of a group that run, the first one first."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return sorted(found, key=lambda process: process.pid != group)


def end_of(process, seconds=90):
    """Wait until no process of a group runs; the group is killed and the test fails if that takes too long."""
    late = time.monotonic() + seconds
    while process.poll() is None or members(process.pid):
        if time.monotonic() > late:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail(f"a process still runs {seconds} s after the other one was killed")
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("victims", ["both", "one"])
def test_a_fit_in_two_processes_that_are_killed_again_and_again(tmp_path, victims, record_property):
    whole, here = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, here):
        write_noisy(folder / "in", 4, 24)
    begin = time.monotonic()
    process = begin_two(whole, *FIT, *TWO)
    assert process.wait() == 0, (whole / "errors.txt").read_text()
    seconds, moments, kills = time.monotonic() - begin, random.Random(0), 8 if FULL else 1
    for _ in range(kills):
        process = begin_two(here, *FIT, *TWO, *last_checkpoint(here))
        time.sleep(moments.uniform(seconds / 3, seconds))
        running = members(process.pid)
        for each in running if victims == "both" else moments.sample(running, min(1, len(running))):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        end_of(process)
    process = begin_two(here, *FIT, *TWO, *last_checkpoint(here))
    code, err = process.wait(), (here / "errors.txt").read_text()
    assert code == 0 or "fitted for 8 epochs already" in err, err
    states = [torch.load(last_checkpoint(folder)[1], weights_only=True) for folder in (whole, here)]
    assert states[0]["global_step"] == states[1]["global_step"] == 320
    assert all(torch.equal(states[0]["state_dict"][name], value) for name, value in states[1]["state_dict"].items())
    record_property("figure", f"fit in two processes, {victims} killed: {kills} kills, the same weights")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_comparison_that_is_killed_again_and_again(tmp_path, record_property):
    write_noisy(tmp_path / "in", 4, 40)
    words = ("compare", "--recipes", "zsn2n,tv,nlm", "--data", "in", "--noise", "gaussian:25,poisson:25")
    words = (*words, "--max-steps", "60", "--threads", "1")
    code, err, seconds = run(tmp_path, *words, "-o", "whole")
    assert code == 0, err
    moments, kills = random.Random(0), 20 if FULL else 1
    for _ in range(kills):
        kill_at_random(tmp_path, moments, seconds, *words, "-o", "killed")
    code, err, _ = run(tmp_path, *words, "-o", "killed")
    assert code == 0, err
    tables = []
    for folder in ("whole", "killed"):
        with (tmp_path / folder / "results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        tables.append([(row["recipe"], row["image"], row["noise"], row["psnr"], row["ssim"]) for row in rows])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 24
    record_property("figure", f"compare: {kills} kills, the same rows")
