"""The target loss and the defaults of its methods."""

import pytest
import torch

from torchdenoise.denoisers import Noise2Clean, Noise2Noise, PSNRLoss, RampDown, TargetLoss
from torchdenoise.metrics import psnr


def test_the_loss_is_the_mean_squared_difference():
    noisy, target = (torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    terms = TargetLoss()(lambda picture: picture / 2, {"noisy": noisy, "target": target}, {}, 0.0)
    assert terms["target"].item() == pytest.approx(float(((noisy.numpy() / 2 - target.numpy()) ** 2).mean()), rel=1e-5)


def test_minus_the_psnr_of_each_image():
    noisy, target = (torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    noisy = torch.lerp(target, noisy, torch.tensor([0.01, 0.1, 1.0]).view(3, 1, 1, 1))
    terms = PSNRLoss()(lambda picture: picture, {"noisy": noisy, "target": target}, {}, 0.0)
    assert terms["psnr"].item() == pytest.approx(-psnr(noisy, target).mean().item(), abs=0.1)
    perfect = PSNRLoss()(lambda picture: picture, {"noisy": target, "target": target}, {}, 0.0)
    assert perfect["psnr"].item() == pytest.approx(-70)


@pytest.mark.parametrize("method", [Noise2Noise, Noise2Clean])
def test_published_defaults(method):
    model = method()
    optimizer = model.optimizer(list(model.network.named_parameters()))
    assert sum(parameter.numel() for parameter in model.parameters()) == 991_203
    assert optimizer.defaults["lr"] == 3e-4
    assert optimizer.defaults["betas"] == (0.9, 0.99)
    assert isinstance(model.scheduler(optimizer), RampDown)
