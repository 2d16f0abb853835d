"""Standard output that is closed, full, or read by a program that has left."""

import os
import subprocess
import sys

import pytest
from helpers import noisy_scene, write_png

DENOISE = [sys.executable, "-m", "torchdenoise", "denoise", "in", "-o", "out", "--recipe", "tv", "--device", "cpu"]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Entries of editable installations are no folders; without a working folder, Python refuses what is not absolute.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(os.path.isabs, sys.path)))
    (tmp_path / "in").mkdir()
    for number in range(3):
        write_png(tmp_path / "in" / f"{number}.png", noisy_scene(16, 16))
    return tmp_path


def shell(command):
    return subprocess.run(["bash", "-c", command, "bash", *DENOISE], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "errors"),
    [
        ('"$@" | head -1; exit ${PIPESTATUS[0]}', 0, ""),
        ('"$@" >&-', 0, ""),
        ('"$@" >&- 2>&- <&-', 0, ""),
        ('"$@" >/dev/full', 2, "standard output: the disk is full; free some space; the work is done\n"),
    ],
)
def test_the_work_is_done_although_nobody_reads_about_it(pictures, command, code, errors):
    outcome = shell(command)
    assert outcome.returncode == code
    assert outcome.stderr.endswith(errors)
    assert sorted(path.name for path in (pictures / "out").iterdir()) == ["0.png", "1.png", "2.png"]


@pytest.mark.slow
def test_a_working_folder_that_was_removed_is_one_line(pictures):
    outcome = shell('mkdir gone && cd gone && rmdir ../gone && "$@"')
    assert outcome.returncode == 2
    assert outcome.stderr == "torchdenoise: the working folder was removed: change to one that exists\n"
