"""Ctrl-C during a fit."""

import signal
from types import SimpleNamespace

import pytest

from torchdenoise.callbacks.interrupt import GracefulInterrupt

TRAINER = SimpleNamespace(accumulate_grad_batches=2)


@pytest.fixture
def callback(ctrl_c):
    """Return a callback whose fit has begun."""
    callback = GracefulInterrupt()
    callback.on_train_start(TRAINER, None)
    yield callback
    callback.on_train_end(TRAINER, None)


def test_ctrl_c_between_steps_stops_the_fit_at_once(callback):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_inside_a_step_waits_for_its_last_batch(callback):
    callback.on_train_batch_start(TRAINER, None, None, 0)
    signal.raise_signal(signal.SIGINT)
    callback.on_train_batch_start(TRAINER, None, None, 1)  # of the same step
    with pytest.raises(KeyboardInterrupt):
        callback.on_train_batch_start(TRAINER, None, None, 2)


@pytest.mark.parametrize("hook", ["on_validation_start", "on_train_epoch_end"])
def test_ctrl_c_in_the_last_step_stops_before_validation_or_the_next_epoch(callback, hook):
    callback.on_train_batch_start(TRAINER, None, None, 0)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        getattr(callback, hook)(TRAINER, None)


def test_a_second_ctrl_c_stops_inside_the_step(callback):
    callback.on_train_batch_start(TRAINER, None, None, 0)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("end", [lambda each: each.on_train_end(None, None), lambda each: each.on_exception(*"abc")])
def test_the_previous_handler_is_restored(ctrl_c, end):
    callback = GracefulInterrupt()
    callback.on_train_start(TRAINER, None)
    assert signal.getsignal(signal.SIGINT) != signal.default_int_handler
    end(callback)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_stays(ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job
    GracefulInterrupt().on_train_start(TRAINER, None)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
