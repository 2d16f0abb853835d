"""Measuring the cost of a job, also when Ctrl-C interrupts it."""

import gc
import signal
import weakref

import pytest

from torchdenoise.benchmarking.measuring import peak_memory, unfrozen_afterwards


class Cycle:
    """Refers to itself, so that only the garbage collector frees it."""

    def __init__(self):
        self.itself = self


class Interrupted:
    """Raises Ctrl-C while the garbage collector destroys it."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_not_lost_while_memory_is_cleared(ctrl_c):
    gc.collect()
    gc.disable()
    try:
        Interrupted()
        with pytest.raises(KeyboardInterrupt), peak_memory("cpu"):
            pass
    finally:
        gc.enable()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_each_job_collects_only_what_is_new_and_unfrozen_afterwards_leave_nothing_frozen():
    gc.unfreeze()
    with unfrozen_afterwards():
        for _ in range(2):
            with peak_memory("cpu"):
                left = weakref.ref(Cycle())
            with peak_memory("cpu"):
                assert left() is None
                assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
