"""The contract of the base class, and the shared term."""

import numpy as np
import torch

from torchdenoise.denoisers import DenoisingLoss
from torchdenoise.denoisers.parts.losses import mse


class Plain(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": mse(denoise(batch["noisy"]), batch["noisy"]) * progress}


def test_mse_against_numpy():
    first, second = torch.rand(2, 2, 3, 4, 5, dtype=torch.float64)
    np.testing.assert_allclose(mse(first, second).item(), np.mean((first.numpy() - second.numpy()) ** 2))


def test_a_loss_of_forward_alone_measures_draws_and_requires_nothing():
    loss, batch = Plain(), {"noisy": torch.rand(1, 1, 4, 4)}
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert (loss.requires, loss.measure(batch["noisy"]), loss.draw(batch, generator)) == ((), {}, {})
    assert torch.equal(generator.get_state(), before)
    inner, same = loss.without_sampling(batch, {})
    assert inner is loss
    assert same == batch


def test_calling_a_loss_is_calling_its_forward():
    loss, batch = Plain(), {"noisy": torch.ones(1, 1, 2, 2)}
    assert loss(torch.zeros_like, batch, {}, 0.5) == loss.forward(torch.zeros_like, batch, {}, 0.5)
    assert loss(torch.zeros_like, batch, {}, 0.5)["fit"].item() == 0.5
