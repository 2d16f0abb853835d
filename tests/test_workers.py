"""Work in several processes; ``tests/benchmarking/test_running.py`` holds workers that are killed, and Dask."""

import os
from pathlib import Path

import pytest

from torchdenoise.errors import UserError
from torchdenoise.workers import Work, Workers, spread


def total(bundle):
    return sum(bundle)


def test_this_process_does_the_work_in_order_and_says_what_it_starts():
    started = []
    work = Work(total, lambda item: -1, started.append)
    assert list(spread([[1, 2], [3]], work, Workers())) == [([1, 2], 3), ([3], 3)]
    assert started == [[1, 2], [3]]


def test_bundles_are_taken_from_a_generator_and_an_error_comes_through():
    def fail(bundle):
        raise UserError("too bad")

    with pytest.raises(UserError, match="too bad"):
        list(spread(iter([[1]]), Work(fail, lambda item: -1, lambda bundle: None), Workers()))


def test_waiting_threads_of_new_processes_sleep_unless_the_user_says_otherwise(monkeypatch):
    policies = []
    work = Work(lambda bundle: policies.append(os.environ["OMP_WAIT_POLICY"]), lambda item: -1, lambda bundle: None)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    list(spread([[1]], work, Workers()))
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    list(spread([[1]], work, Workers()))
    assert policies == ["PASSIVE", "ACTIVE"]


def test_workers_follow_into_the_working_folder_and_say_if_they_do_not_see_it(tmp_path, monkeypatch):
    work = Work(lambda bundle: str(Path.cwd()), lambda item: "", lambda bundle: None)
    monkeypatch.chdir(tmp_path)
    assert list(spread([[1]], work, Workers())) == [([1], str(tmp_path))]
    monkeypatch.setattr("torchdenoise.workers.Path.cwd", lambda: tmp_path / "elsewhere")
    with pytest.raises(UserError, match="elsewhere: a worker does not see this folder"):
        list(spread([[1]], work, Workers()))


def test_no_cluster_is_one_line():
    pytest.importorskip("dask.distributed")
    with pytest.raises(UserError, match="--dask nowhere: no cluster answers"):
        list(spread([[1]], Work(total, lambda item: -1, lambda bundle: None), Workers(dask="nowhere")))
