"""Learning rate schedules that know the length of the fit."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD

from torchdenoise import UserError
from torchdenoise.denoisers import RampDown, WarmDown


def sgd(parameters):
    return SGD(parameters, lr=0.3)


def test_a_resumed_schedule_keeps_the_steps_of_its_checkpoint():
    optimizer = sgd([nn.Parameter(torch.zeros(1))])
    first, second = WarmDown(optimizer), WarmDown(sgd([nn.Parameter(torch.zeros(1))]))
    first.set_steps(10)
    second.set_steps(20)
    second.load_state_dict(first.state_dict())
    assert second.factor(5) == first.factor(5) == 0.5


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
