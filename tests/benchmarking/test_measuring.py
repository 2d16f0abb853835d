"""Measuring the cost of a job, also when Ctrl-C interrupts it."""

import gc
import signal

import pytest

from torchdenoise.benchmarking.measuring import peak_memory


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
