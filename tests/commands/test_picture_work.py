"""Folders that several processes denoise."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import noisy_scene, random_pixels, write_png

from torchdenoise.commands import denoise, picture_work
from torchdenoise.commands.worker_places import Places
from torchdenoise.scenes import Source

FEW = ("--recipe", "zsn2n", "--max-steps", "3", "--device", "cpu")


def make_folder(folder):
    """Write pictures in two folders, a stack, a picture that is damaged, and a note."""
    (folder / "below").mkdir(parents=True)
    for number in range(3):
        write_png(folder / f"{number}.png", noisy_scene(seed=number))
    write_png(folder / "below" / "3.png", noisy_scene(seed=3))
    tifffile.imwrite(folder / "stack.tif", random_pixels((3, 24, 28)), imagej=True, metadata={"axes": "TYX"})
    (folder / "bad.png").write_text("no picture")
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--batch", "2"), ("--mask", "mask.png"), ("--threads", "2")])
def test_several_workers_give_the_same_bytes_lines_and_code(run, tmp_path, more):
    make_folder(tmp_path / "in")
    write_png(tmp_path / "mask.png", np.eye(24, 28)[..., None])
    words = ("denoise", "in", "-r", *FEW, *more)
    alone = run(*words, "-o", "alone")
    several = run(*words, "-o", "several", "--workers", "2")
    assert alone.code == several.code == 2
    assert several.err == "torchdenoise: 1 of 6 pictures failed (see above); the others are done\n"
    assert contents("alone") == contents("several")
    assert len(contents("several")) == 5
    assert "failed: in/bad.png: is not a PNG" in several.out
    assert "in/stack.tif: axes TYX, 3x24x28, 3 frames" in several.out
    assert "5 done, 0 skipped, 1 failed" in several.out
    again = run(*words, "-o", "several", "--workers", "2", "--pattern", "[0-9].png")
    assert again.code == 0
    assert "4 picture(s) skipped" in again.out


def test_a_worker_leaves_how_far_it_is_and_takes_it_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(picture_work, "TICK", 0.0)
    left = []
    kept = Places.leave
    monkeypatch.setattr(Places, "leave", lambda places, line: left.append(line) or kept(places, line))
    tifffile.imwrite("a.tif", random_pixels((3, 24, 28)), imagej=True, metadata={"axes": "TYX"})
    write_png(tmp_path / "b.png", noisy_scene())
    places = Places(tmp_path / "places")
    places.folder.mkdir()
    options = denoise.parser().parse_args(["a.tif", *FEW, "--threads", "1"])
    worker = picture_work.InWorker("test", options, places)
    for name in ("a.tif", "b.png"):
        assert not worker([(Source(Path(name)), tmp_path / f"clean-{name}")]).errors
        assert places.lines() == []
    assert left[:5] == [
        *(f"a.tif: step {step} of 3" for step in (1, 2, 3)),
        "a.tif: 1 of 3 frames",
        "a.tif: 1 of 3 frames, step 1 of 3",
    ]
    assert left[-4:] == [*(f"b.png: step {step} of 3" for step in (1, 2, 3)), ""]


@pytest.mark.slow
def test_the_lines_of_two_workers_are_shown(run, tmp_path, monkeypatch):
    monkeypatch.setattr("torchdenoise.commands.progress.EVERY", 0.0)
    monkeypatch.setattr("torchdenoise.commands.progress.TICK", 0.1)
    (tmp_path / "in").mkdir()
    for number in range(2):
        write_png(tmp_path / f"in/{number}.png", noisy_scene(64, 64, seed=number))
    words = ("--recipe", "zsn2n", "--max-steps", "600", "--device", "cpu", "--threads", "1", "--workers", "2")
    outcome = run("denoise", "in", "-o", "out", *words)
    assert outcome.code == 0, outcome.err
    assert re.search(r"^  0 of 2 pictures done; .*[01]\.png: step \d+ of 600", outcome.out, re.MULTILINE)


@pytest.mark.slow
def test_mistakes_are_found_before_any_work_and_a_budget_works(run, tmp_path):
    make_folder(tmp_path / "in")
    (tmp_path / "in" / "bad.png").unlink()
    outcome = run("denoise", "in", "-o", "out", "--workers", "2", "--set", "model.network.widht=3")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert not (tmp_path / "out").exists()
    words = ("denoise", "in", "-o", "out", "--workers", "2", "--recipe", "zsn2n", "--device", "cpu")
    assert "leave --batch out" in run(*words, "--budget", "1s", "--batch", "2").err
    outcome = run(*words, "--budget", "50ms")
    assert outcome.code == 0
    assert "chosen for a budget of 0.05 s" in outcome.out


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes(run, tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    make_folder(tmp_path / "in")
    (tmp_path / "in" / "bad.png").unlink()
    assert run("denoise", "in", "-o", "alone", "--threads", "1", *FEW).code == 0
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        words = ("--dask", cluster.scheduler_address, "--threads", "1")
        assert run("denoise", "in", "-o", "there", *words, *FEW).code == 0
    assert contents("alone") == contents("there")


@pytest.mark.slow
def test_ctrl_c_stops_all_workers_and_leaves_nothing_half_written(tmp_path):
    make_folder(tmp_path / "in")
    words = ("in", "-o", "out", "--workers", "2", "--max-steps", "1000000")
    process = subprocess.Popen(
        [sys.executable, "-m", "torchdenoise", "denoise", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    time.sleep(20)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "torchdenoise: stopped; finished results are kept\n"
    assert not contents(tmp_path / "out")
    assert _ends(process.pid)


def _ends(group):
    """Return whether the processes of a group end within some seconds."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False
