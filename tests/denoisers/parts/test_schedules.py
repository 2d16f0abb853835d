"""Learning rate schedules that know the length of the fit."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD

from torchdenoise import UserError
from torchdenoise.denoisers import RampDown, WarmDown
from torchdenoise.denoisers.parts.schedules import NeedsSteps, adam, constant_rate, step_decay


def sgd(parameters):
    return SGD(parameters, lr=0.3)


def finished_schedule(steps):
    """Return a schedule after its last step."""
    optimizer = sgd([nn.Parameter(torch.zeros(1))])
    schedule = WarmDown(optimizer, steps)
    for _ in range(steps):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0
    return schedule


def test_a_resumed_schedule_takes_the_rates_of_its_own_length():
    optimizer = sgd([nn.Parameter(torch.zeros(1))])
    schedule = WarmDown(optimizer)
    schedule.set_steps(20)
    schedule.load_state_dict(finished_schedule(10).state_dict())
    assert schedule.last_epoch == 10
    assert optimizer.param_groups[0]["lr"] == schedule.get_last_lr()[0] == 0.3 * 0.5
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * 0.45)


def test_a_resumed_schedule_without_a_length_takes_that_of_its_state():
    schedule = WarmDown(sgd([nn.Parameter(torch.zeros(1))]))
    schedule.load_state_dict(finished_schedule(10).state_dict())
    assert (schedule.steps, schedule.get_last_lr()) == (10, [0.0])


def test_without_a_number_of_steps_the_first_step_says_what_to_do():
    optimizer = sgd([nn.Parameter(torch.zeros(1))])
    scheduler = WarmDown(optimizer)
    optimizer.step()
    with pytest.raises(UserError, match="WarmDown: the number of steps is unknown: give steps="):
        scheduler.step()


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"warm": 1.5}])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match=r"WarmDown: steps \w+ must be at least 1 and warm"):
        WarmDown(sgd([nn.Parameter(torch.zeros(1))]), **arguments)


def test_the_ramp_follows_its_formula():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = RampDown(optimizer, steps=10, share=0.3)
    rates = []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    ramp = [2 * (0.5 + math.cos(math.pi * step / 3) / 2) ** 2 for step in range(4)]
    assert rates == pytest.approx([2.0] * 7 + ramp)


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"share": 1.5}])
def test_a_wrong_ramp(arguments):
    with pytest.raises(UserError, match="RampDown: steps"):
        RampDown(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0), **arguments)


def test_set_steps_changes_the_rate_at_once_unless_the_steps_are_given():
    optimizer = sgd([nn.Parameter(torch.zeros(1))])
    schedule = WarmDown(optimizer, warm=0.5)
    assert isinstance(schedule, NeedsSteps)
    assert optimizer.param_groups[0]["lr"] == 0.3
    schedule.set_steps(20)
    assert optimizer.param_groups[0]["lr"] == schedule.get_last_lr()[0] == 0.3 * (1 / 10)
    schedule.set_steps(40)
    assert schedule.steps == 20


def test_the_common_schedules():
    optimizer = adam([nn.Parameter(torch.zeros(1))])
    assert optimizer.defaults["lr"] == 1e-3
    assert step_decay(optimizer).state_dict()["step_size"] == 1000
    assert constant_rate(optimizer).get_last_lr() == [1e-3]
    assert not isinstance(constant_rate(optimizer), NeedsSteps)
