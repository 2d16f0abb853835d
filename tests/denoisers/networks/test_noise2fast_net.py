"""Noise2Fast's network."""

import pytest
import torch
from torch import nn

from torchdenoise import UserError
from torchdenoise.denoisers import Noise2FastLoss, Noise2FastNet


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


@pytest.mark.parametrize(("channels", "count"), [(1, 259_201), (3, 777_603)])
def test_parameter_counts(channels, count):
    hand = (9 * 64 + 64) + 7 * (64 * 64 * 9 + 64) + 65
    assert sum(p.numel() for p in Noise2FastNet(channels).parameters()) == count == hand * channels


def small(channels, **options):
    torch.manual_seed(0)
    return Noise2FastNet(channels, width=4, depth=4, **options)


@pytest.mark.parametrize("bounded", [True, False])
def test_each_channel_has_its_own_network(bounded):
    network, noisy = small(3, bounded=bounded), image(1, 3)
    network.scale_to(noisy)
    for channel in range(3):
        alone = small(1, bounded=bounded)
        for own, shared in zip(alone.parameters(), network.parameters(), strict=True):
            own.data.copy_(shared.data.chunk(3)[channel])
        plane = noisy[:, channel : channel + 1]
        alone.scale_to(plane)
        torch.testing.assert_close(alone(plane), network(noisy)[:, channel : channel + 1])


def test_bounded_by_the_range_of_the_picture():
    network, noisy = small(2), 5 * image(1, 2) - 3
    network.scale_to(noisy)
    nn.init.constant_(network.layers[-2].bias, 50.0)
    torch.testing.assert_close(network(noisy), noisy.amax((-2, -1), keepdim=True).expand_as(noisy))
    nn.init.constant_(network.layers[-2].bias, -50.0)
    torch.testing.assert_close(network(noisy), noisy.amin((-2, -1), keepdim=True).expand_as(noisy))


@pytest.mark.parametrize("bounded", [True, False])
def test_a_picture_in_another_unit_gives_the_same_result(bounded):
    network, noisy = small(2, bounded=bounded).double(), image(1, 2).double()
    network.scale_to(noisy)
    plain = network(noisy)
    network.scale_to(20 * noisy - 7)
    torch.testing.assert_close(network(20 * noisy - 7), 20 * plain - 7)


def test_scaled_to_mean_and_deviation():
    network, noisy = small(1, bounded=False), image(1, 1, 5, 5)
    network.scale_to(noisy)
    assert network.low.item() == pytest.approx(noisy.numpy().mean(), rel=1e-6)
    assert network.span.item() == pytest.approx(noisy.numpy().std(), rel=1e-6)


@pytest.mark.parametrize("bounded", [True, False])
def test_a_constant_channel_does_not_divide_by_zero(bounded):
    network, noisy = small(1, bounded=bounded), torch.full((1, 1, 4, 4), 0.5)
    network.scale_to(noisy)
    assert (network(noisy) - 0.5).abs().max() < 1e-4
    loss = Noise2FastLoss()
    assert loss(network, {"noisy": noisy}, loss.draw({"noisy": noisy}, generator()), 0.0)["entropy"].isfinite()


@pytest.mark.parametrize("arguments", [{"width": 0}, {"depth": 1}])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match=r"Noise2FastNet: width \d+ and depth"):
        Noise2FastNet(1, **arguments)
