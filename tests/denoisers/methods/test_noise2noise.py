"""The target loss and the defaults of its methods."""

import pytest
import torch

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
