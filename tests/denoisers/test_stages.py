"""Optimizers and schedules of stages: who knows the number of steps."""

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from torchdenoise.denoisers import SmallCNN, Stage, WarmDown, ZSN2NLoss
from torchdenoise.denoisers.stages import Plan, one_optimizer, restart_optimizer

STEPS = 7


def sgd(parameters):
    return SGD(parameters, lr=0.3)


def rates(made, steps):
    """Return the learning rates of every group at each step."""
    optimizer, scheduler, seen = made["optimizer"], made["lr_scheduler"]["scheduler"], []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return seen


def made(shares, scheduler):
    stages = [Stage(SmallCNN(1, width=2), ZSN2NLoss(), share) for share in shares]
    named = [stage.network.named_parameters() for stage in stages]
    return one_optimizer(stages, named, Plan.of(stages, STEPS * len(stages)), sgd, scheduler)


def test_a_schedule_without_steps_takes_those_of_the_fit_from_the_first_step_on():
    taken = rates(made([1.0], WarmDown), STEPS)
    assert taken == rates(made([1.0], lambda optimizer: WarmDown(optimizer, STEPS)), STEPS)
    assert taken[0][0] == 0.3  # the warm-up is shorter than a step
    assert taken[3][0] == 0.3 * (1 - 3 / STEPS)


def test_the_warm_up_begins_with_the_first_step():
    slow = rates(made([1.0], lambda optimizer: WarmDown(optimizer, warm=0.5)), STEPS)
    assert slow[0][0] == 0.3 * (1 / (0.5 * STEPS))


def test_in_several_stages_it_takes_those_of_its_stage():
    taken = rates(made([1.0, 1.0], WarmDown), 2 * STEPS)
    alone = [rate for (rate,) in rates(made([1.0], WarmDown), STEPS)]
    # Stages multiply their learning rate by a factor, which rounds differently.
    assert [rate for rate, _ in taken[:STEPS]] == pytest.approx(alone, rel=1e-12)
    assert [rate for _, rate in taken[STEPS:]] == pytest.approx(alone, rel=1e-12)


def test_steps_that_are_given_stay():
    assert rates(made([1.0], lambda optimizer: WarmDown(optimizer, 100)), 2)[1][0] == 0.3 * (2 / 10)


def test_a_stage_takes_no_more_steps_than_it_needs():
    stages = [Stage(SmallCNN(1, width=2), ZSN2NLoss(), share, needs=needs) for share, needs in ((1, 4), (2, None))]
    assert Plan.of(stages, 30).bounds == (0, 4, 24)
    assert Plan.of(stages, 30).steps == 24
    assert Plan.of(stages, 6).bounds == (0, 2, 6)


class Countdown(LambdaLR):
    """A schedule as a user would write it."""

    def __init__(self, optimizer):
        self.left = 1
        super().__init__(optimizer, lambda step: max(0, self.left - step))

    def set_steps(self, steps):
        self.left = steps


def test_any_schedule_with_set_steps_learns_their_number():
    assert [rate for (rate,) in rates(made([1.0], Countdown), 3)][1:] == pytest.approx([0.3 * 6, 0.3 * 5])


def test_a_restarted_optimizer_has_no_state_and_another_rate():
    parameter = nn.Parameter(torch.ones(1))
    optimizer = SGD([parameter], lr=0.1, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    restart_optimizer(optimizer, 0.01)
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == 0.01
