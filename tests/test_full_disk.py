"""A disk that is really full, where the rights allow to mount one."""

import shlex
import subprocess
import sys

import pytest
import torch
from helpers import noisy_scene, write_png

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """Return a folder with room for one megabyte."""
    folder = tmp_path / "small"
    for each in (folder, tmp_path / "in"):
        each.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs rights that this user lacks")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "torchdenoise", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_pictures_that_do_not_fit_are_one_line_and_the_others_are_written(tmp_path, disk):
    write_png(tmp_path / "in" / "a.png", noisy_scene(24, 24))
    write_png(tmp_path / "in" / "b.png", noisy_scene(700, 700))
    outcome = run(tmp_path, "denoise", "in", "-o", "small", "--recipe", "tv", "--device", "cpu")
    assert outcome.returncode == 2
    assert "b.png: the disk has" in outcome.stdout
    assert outcome.stderr.count("\n") == 1
    assert [path.name for path in disk.iterdir()] == ["a.png"]


def test_a_fit_that_fills_the_disk_keeps_its_last_whole_checkpoint(tmp_path, disk):
    write_png(tmp_path / "in" / "a.png", noisy_scene(24, 24))
    words = shlex.split(
        "fit --model Noise2Noise --model.network UnshuffleCNN --model.network.width 8 --model.network.depth 3 --data "
        "ImageFolder --data.train in --data.target noisy --data.crop 8 --data.batch_size 2 --data.repeats 4 "
        "--trainer.accelerator cpu --trainer.default_root_dir small --trainer.max_epochs"
    )
    assert run(tmp_path, *words, "1").returncode == 0
    [last] = disk.glob("*/checkpoints/last.ckpt")
    (disk / "filler").write_bytes(bytes(10**6 - 2 * last.stat().st_size))
    outcome = run(tmp_path, *words, "3", "--ckpt_path", str(last))
    assert outcome.returncode == 2
    assert outcome.stderr.count("\n") == 1
    assert "what was saved before is whole" in outcome.stderr
    assert torch.load(last, weights_only=True)["global_step"] == 2
    assert not list(disk.rglob("*.part"))
