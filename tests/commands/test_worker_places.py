"""The lines that the processes of a command leave for each other."""

import os
import subprocess
import sys

from torchdenoise.commands.worker_places import Places, shared_places
from torchdenoise.workers import Workers


def test_a_line_stays_until_it_is_replaced_or_its_process_is_gone(tmp_path):
    places = Places(tmp_path)
    places.leave("a.tif: 3 of 40 frames")
    places.leave("a.tif: 4 of 40 frames")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / str(other.pid)).write_text("b.tif: step 1 of 9")
    assert sorted(places.lines()) == ["a.tif: 4 of 40 frames", "b.tif: step 1 of 9"]
    other.communicate()
    assert places.lines() == ["a.tif: 4 of 40 frames"]
    places.leave("")
    assert places.lines() == []


def test_only_workers_of_this_machine_share_a_folder_which_does_not_stay():
    with shared_places(Workers(2)) as places:
        places.leave("a.png: step 1 of 9")
        assert [path.name for path in places.folder.iterdir()] == [str(os.getpid())]
    assert not places.folder.exists()
    places.leave("a.png: step 2 of 9")  # of a worker that ends later than the command
    assert places.lines() == []
    for workers in (Workers(1), Workers(2, "tcp://cluster:8786")):
        with shared_places(workers) as none:
            assert none is None
