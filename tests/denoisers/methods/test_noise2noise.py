"""The target loss, its methods' defaults, and the schedule that knows its length."""

import math

import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import Noise2Clean, Noise2Noise, RampDown, TargetLoss


def test_the_loss_is_the_mean_squared_difference():
    noisy, target = (torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    terms = TargetLoss()(lambda picture: picture / 2, {"noisy": noisy, "target": target}, {}, 0.0)
    assert terms["target"].item() == pytest.approx(float(((noisy.numpy() / 2 - target.numpy()) ** 2).mean()), rel=1e-5)


@pytest.mark.parametrize("method", [Noise2Noise, Noise2Clean])
def test_published_defaults(method):
    model = method()
    optimizer = model.optimizer(list(model.network.named_parameters()))
    assert sum(parameter.numel() for parameter in model.parameters()) == 991_203
    assert optimizer.defaults["lr"] == 3e-4
    assert optimizer.defaults["betas"] == (0.9, 0.99)
    assert isinstance(model.scheduler(optimizer), RampDown)


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
