"""Commands that are killed at random moments: nothing is lost, and the next command ends what they began.

``TORCHDENOISE_KILLS=full`` kills a folder of 40 pictures 20 times and a stack of 200 frames 10 times.
"""

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from helpers import noisy_scene, random_pixels, write_png

FULL = os.environ.get("TORCHDENOISE_KILLS") == "full"
WORDS = ("--recipe", "zsn2n", "--max-steps", "8", "--device", "cpu", "--threads", "1")


def start(folder, *words):
    command = [sys.executable, "-m", "torchdenoise", "denoise", *words, *WORDS]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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
@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_a_folder_that_is_killed_again_and_again(tmp_path, more):
    pictures, kills = (40, 20) if FULL else (6, 2)
    (tmp_path / "in").mkdir()
    for number in range(pictures):
        write_png(tmp_path / "in" / f"{number:02d}.png", noisy_scene(64, 64, seed=number))
    before, work = finish(tmp_path, "in", "-o", "whole")
    words, moments = ("in", "-o", "out", *more), random.Random(0)
    for _ in range(kills):
        kill(tmp_path, moments.uniform(before / 2, before + 2 * work / kills), *words)
    check_complete(tmp_path, words, contents(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_stack_that_is_killed_again_and_again(tmp_path):
    frames, kills = (200, 10) if FULL else (20, 2)
    (tmp_path / "in").mkdir()
    array = random_pixels((frames, 48, 48))
    tifffile.imwrite(tmp_path / "in" / "a.tif", array, imagej=True, metadata={"axes": "TYX"})
    before, work = finish(tmp_path, "in", "-o", "whole")
    words, moments = ("in", "-o", "out"), random.Random(0)
    for _ in range(kills):
        kill(tmp_path, moments.uniform(before / 2, before + work), *words)
    check_complete(tmp_path, words, contents(tmp_path / "whole"))


@pytest.mark.slow
def test_two_commands_on_one_folder_do_not_remove_each_others_unfinished_results(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(6):
        write_png(tmp_path / "in" / f"{number}.png", noisy_scene(64, 64, seed=number))
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
