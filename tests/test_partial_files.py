"""Files that appear only when they are complete."""

import os
import subprocess
import sys

import pytest

from torchdenoise.partial_files import completed, remove_abandoned

KILLED = """
import os, signal, sys
from pathlib import Path
from torchdenoise.partial_files import completed
with completed(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_earlier_file_and_its_part_is_removed_later(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_text("whole")
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    (part,) = (each for each in tmp_path.iterdir() if each != path)
    assert (path.read_text(), part.read_text()) == ("whole", "half")
    os.utime(part, (0, 0))
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_earlier_file_and_no_part(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("whole")
    with pytest.raises(FileExistsError), completed(path) as partial:
        partial.touch(exist_ok=False)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("whole", [path])


def test_what_is_being_written_stays_although_it_is_old(tmp_path):
    with completed(tmp_path / "a.txt") as partial:
        os.utime(partial, (0, 0))
        remove_abandoned(tmp_path)
        assert partial.exists()
