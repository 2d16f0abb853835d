"""Noise2Void's U-Net."""

import numpy as np
import pytest
import torch
from torch import nn

from torchdenoise import UserError
from torchdenoise.denoisers import N2VUNet
from torchdenoise.denoisers.networks.calling import padded_call


def image(batch, channels, height, width):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def layers_of(kernel, channels, width=32):
    """Return (in, out) of each convolution by hand."""
    down = [(channels, width), (width, width), (width, 2 * width), (2 * width, 2 * width)]
    up = [(2 * width, 4 * width), (4 * width, 2 * width), (4 * width, width), *[(width, width)]]
    up += [(2 * width, width), (width, width)]
    return sum(before * after * kernel**2 + 2 * after for before, after in down + up) + (width + 1) * channels


@pytest.mark.parametrize(("kernel", "channels", "count"), [(5, 3, 797_123), (3, 3, 287_683), (5, 1, 795_457)])
def test_parameter_counts(kernel, channels, count):
    with torch.device("meta"):
        network = N2VUNet(channels, kernel=kernel)
    assert sum(p.numel() for p in network.parameters()) == count == layers_of(kernel, channels)


@pytest.mark.parametrize("size", [(5, 6), (1, 7), (33, 30)])
def test_any_size_also_in_training(size):
    network = N2VUNet(1, width=4)
    answer = padded_call(network, image(1, 1, *size), {})
    assert answer.shape[-2:] == size
    assert answer.isfinite().all()


def test_residual_or_direct_and_all_parameters_learn():
    torch.manual_seed(0)
    direct, residual = N2VUNet(1, width=4, kernel=3), N2VUNet(1, width=4, kernel=3, residual=True)
    residual.load_state_dict(direct.state_dict())
    picture = image(2, 1, 16, 16)
    torch.testing.assert_close(residual(picture), picture - direct(picture))
    residual(picture).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in residual.parameters())


def test_layers_of_its_code():
    network = N2VUNet(3)
    parts = list(network.modules())
    assert [p.kernel_size for p in parts if isinstance(p, nn.Conv2d)] == [(5, 5)] * 10 + [(1, 1)]
    assert {(p.eps, p.momentum) for p in parts if isinstance(p, nn.BatchNorm2d)} == {(1e-3, 0.01)}  # Keras' 0.99
    assert sum(isinstance(p, nn.MaxPool2d) for p in parts) == sum(isinstance(p, nn.Upsample) for p in parts) == 2
    for arguments in ({"width": 0}, {"kernel": 4}):
        with pytest.raises(UserError, match="N2VUNet: width"):
            N2VUNet(3, **arguments)


@pytest.mark.parametrize("residual", [True, False])
def test_a_picture_in_another_unit_gives_the_same_result(residual):
    torch.manual_seed(0)
    network, noisy = N2VUNet(2, width=4, residual=residual).double(), image(1, 2, 16, 16).double()
    network.scale_to(noisy)
    np.testing.assert_allclose(network.mean[0, 1, 0, 0].item(), noisy[0, 1].numpy().mean())
    np.testing.assert_allclose(network.deviation[0, 1, 0, 0].item(), noisy[0, 1].numpy().std())
    plain = network(noisy)
    network.scale_to(20 * noisy - 7)
    torch.testing.assert_close(network(20 * noisy - 7), 20 * plain - 7)
