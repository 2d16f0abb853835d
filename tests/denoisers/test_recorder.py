"""The network as a loss or a readout sees it."""

import torch

from tests.denoisers.small_fits import Plain, fit
from torchdenoise.denoisers import ZSN2N, SmallCNN


def test_a_loss_runs_in_float32_and_its_network_in_bfloat16():
    model, inside = ZSN2N(SmallCNN(width=2), Plain()), []
    model.network.layers[0].register_forward_hook(lambda module, args, output: inside.append(output.dtype))
    fit(model, precision="bf16-mixed")
    assert set(inside) == {torch.bfloat16}
    for seen in model.loss.seen:
        assert {seen[name].dtype for name in ("noisy", "number", "denoised")} == {torch.float32}
        assert not seen["autocast"]
    assert model.network.layers[2].weight.is_contiguous(memory_format=torch.channels_last)
