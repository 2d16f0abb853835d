"""Whether one level function describes the noise of all channels."""

import pytest
import torch

from torchdenoise.noise import measure_noise, repeatable
from torchdenoise.noise.channels import level_mismatch

SIDE = 96


def photons(*brightest):
    """Return counts of bright stripes on a dark field, one channel for each brightness, divided by the largest."""
    stripes = (torch.arange(SIDE) / 6).sin().clamp(min=0).expand(SIDE, SIDE)
    clean = torch.stack([20 + light * (stripes if number % 2 else stripes.T) for number, light in enumerate(brightest)])
    noisy = torch.poisson(clean, generator=torch.Generator().manual_seed(0))
    return (noisy / noisy.max())[None]


def mismatch(image):
    return level_mismatch(image, measure_noise(image))


@pytest.mark.parametrize("noise", ["gaussian:25", "poisson:30"])
def test_channels_with_the_same_noise_match(noise):
    clean = torch.linspace(0.2, 0.8, SIDE).expand(1, 3, SIDE, SIDE)
    assert mismatch(repeatable(noise, clean)) < 1.2


def test_equally_bright_channels_match_and_unequal_ones_do_not():
    assert mismatch(photons(200, 200)) < 1.2
    assert mismatch(photons(3000, 60)) > 1.5


def test_correlated_noise_has_a_level_for_each_channel():
    noise = torch.randn(1, 2, SIDE + 1, SIDE + 1, generator=torch.Generator().manual_seed(0))
    blurred = noise[..., 1:, 1:] + noise[..., 1:, :-1] + noise[..., :-1, 1:]
    image = 0.5 + torch.tensor([0.02, 0.08]).view(1, 2, 1, 1) * blurred
    assert measure_noise(image).correlated
    assert mismatch(image) == 1  # a channel alone shows the correlation less clearly, and would be measured worse


@pytest.mark.parametrize(
    "image",
    [
        torch.rand(1, 1, SIDE, SIDE),
        torch.rand(1, 2, 16, 16) * torch.tensor([1.0, 0.1]).view(1, 2, 1, 1),
        torch.cat([torch.full((1, 1, SIDE, SIDE), 0.5), torch.full((1, 1, SIDE, SIDE), 0.2)], 1),
    ],
    ids=["one channel", "small", "constant"],
)
def test_where_nothing_can_be_compared_channels_match(image):
    assert mismatch(image) == 1
