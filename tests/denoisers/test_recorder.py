"""The network as a loss or a readout sees it."""

import torch

from tests.denoisers.small_fits import Plain, fit
from torchdenoise.denoisers import ZSN2N, SmallCNN
from torchdenoise.denoisers.recorder import Recorder


def test_a_loss_runs_in_float32_and_its_network_in_bfloat16():
    model, inside = ZSN2N(SmallCNN(width=2), Plain()), []
    model.network.layers[0].register_forward_hook(lambda module, args, output: inside.append(output.dtype))
    fit(model, precision="bf16-mixed")
    assert set(inside) == {torch.bfloat16}
    for seen in model.loss.seen:
        assert {seen[name].dtype for name in ("noisy", "number", "denoised")} == {torch.float32}
        assert not seen["autocast"]
    assert model.network.layers[2].weight.is_contiguous(memory_format=torch.channels_last)


def test_it_keeps_the_last_output_and_the_autocast_of_its_creation():
    inside = []

    def network(image, shift):
        inside.append(torch.is_autocast_enabled("cpu"))
        return (image + shift).bfloat16()

    with torch.autocast("cpu", torch.bfloat16):
        recorder = Recorder(network, "cpu")
    assert recorder(torch.ones(2), shift=torch.ones(2)).tolist() == recorder.output.tolist() == [2.0, 2.0]
    assert recorder.output.dtype is torch.float32
    Recorder(network, "cpu")(torch.ones(2), shift=torch.ones(2))
    assert inside == [True, False]
