"""What a fit changes in its process, and that the caller gets it back."""

import logging
import os
import random
import signal
import threading
import warnings

import numpy as np
import pytest
import torch

from torchdenoise.errors import PictureError, UserError
from torchdenoise.isolation import (
    check_seed,
    default_torch_modes,
    interruptible,
    memory_errors,
    quiet,
    restored_random_state,
    seed_all,
    uninterrupted,
)


def draw():
    return torch.rand(()).item(), random.random(), np.random.rand()  # noqa: NPY002


@pytest.mark.parametrize("fails", [False, True])
def test_the_random_state_and_the_seed_variables_come_back(monkeypatch, fails):
    monkeypatch.setenv("PL_GLOBAL_SEED", "77")
    monkeypatch.delenv("PL_SEED_WORKERS", raising=False)
    with restored_random_state():
        seed_all(5)
        expected = draw(), draw()
    with restored_random_state():
        seed_all(5)
        assert draw() == expected[0]
        try:
            with restored_random_state():
                seed_all(6)
                draw()
                if fails:
                    raise KeyError
        except KeyError:
            pass
        assert draw() == expected[1]
    assert os.environ["PL_GLOBAL_SEED"] == "77"
    assert "PL_SEED_WORKERS" not in os.environ


@pytest.mark.parametrize("seed", [-1, 2**32, None, 1.5])
def test_seeds_out_of_range(seed):
    with pytest.raises(UserError, match=f"^seed {seed}: must lie in 0 to 4294967295"):
        check_seed(seed)
    check_seed(2**32 - 1)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("could not create a primitive"),
    ],
    ids=repr,
)
def test_running_out_of_memory_is_one_line(error):
    with (
        pytest.raises(PictureError, match=r"^not enough memory: fit fewer pictures together") as caught,
        memory_errors(),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes differ"), memory_errors():
        raise RuntimeError("shapes differ")


def test_torch_modes_are_the_default_inside_and_restored_outside():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            with default_torch_modes():
                assert torch.get_default_dtype() is torch.float32
                assert torch.is_grad_enabled()
                assert not torch.is_inference_mode_enabled()
            assert torch.is_inference_mode_enabled()
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_autocast_around_the_block_has_no_effect_inside():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with default_torch_modes():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
        assert torch.is_autocast_enabled("cpu")


def test_a_device_around_the_block_has_no_effect_inside():
    with torch.device("meta"):
        with default_torch_modes():
            assert torch.ones(1).device.type == "cpu"
        assert torch.ones(1).device.type == "meta"


def test_a_default_device_has_no_effect_inside():
    torch.set_default_device("meta")
    try:
        with default_torch_modes():
            assert torch.ones(1).device.type == "cpu"
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


def test_quiet_suppresses_lightning_and_nothing_else():
    logger = logging.getLogger("lightning.pytorch")
    level, filters = logger.level, list(warnings.filters)
    with quiet():
        assert not logger.isEnabledFor(logging.WARNING)
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)
    assert logger.level == level
    assert list(warnings.filters) == filters


def test_ctrl_c_waits_for_the_end_of_the_block(ctrl_c):
    done = []

    def work():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done


def test_other_threads_cannot_set_handlers_and_need_not():
    done = []

    def work():
        with uninterrupted(), interruptible():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_ctrl_c_that_lightning_turned_into_an_exit_is_a_keyboard_interrupt():
    def fit():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904  # as Lightning does

    with pytest.raises(KeyboardInterrupt), interruptible():
        fit()


def test_kill_exits_with_its_code_and_the_handler_comes_back():
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(SystemExit) as caught, interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
