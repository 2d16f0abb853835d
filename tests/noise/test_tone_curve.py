"""Noise that went through a tone curve, against noise that is drawn and sent through it."""

import numpy as np
import pytest
import torch

from tests.noise.correlated import smoothed
from torchdenoise.noise import measure_noise
from torchdenoise.noise.tone_curve import GAMMA, without_bias


@pytest.mark.parametrize("gamma", [1.8, 2.2])
@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.5])
def test_the_bias_is_that_of_a_million_drawn_values(gamma, ratio):
    clean = 0.4
    light = clean**gamma * (1 + ratio * gamma * np.random.default_rng(0).standard_normal(1_000_000))
    stored = np.maximum(light, 0) ** (1 / gamma)
    mean, deviation = (torch.full((1, 1, 1, 1), float(value)) for value in (stored.mean(), stored.std()))
    bias = clean - mean.item()
    assert bias > 0
    assert without_bias(mean, deviation, gamma).item() - mean.item() == pytest.approx(bias, rel=0.03)


def test_little_noise_has_the_bias_of_the_second_derivative():
    mean, deviation = torch.tensor([[[[0.5]]]]), torch.tensor([[[[0.02]]]])
    expected = (GAMMA - 1) * 0.02**2 / (2 * 0.5)
    assert without_bias(mean, deviation, GAMMA).item() - 0.5 == pytest.approx(expected, rel=0.05)


def test_nothing_becomes_darker_and_black_stays_black():
    mean = torch.linspace(0, 1, 101).view(1, 1, 1, -1)
    result = without_bias(mean, torch.full_like(mean, 0.1), GAMMA)
    assert torch.all(result >= mean)
    assert result[0, 0, 0, 0] == 0


def ramp_through(gamma):
    """Return a colour ramp with correlated noise that was added before a tone curve, and the ramp."""
    clean = torch.linspace(0.25, 0.75, 220).expand(1, 3, 220, 220)
    noise = torch.cat([smoothed(220, 220, seed=seed) for seed in range(3)], 1)
    light = clean**gamma * (1 + 0.25 * gamma * noise)
    return light.clamp(min=0) ** (1 / gamma), clean


@pytest.mark.parametrize(("gamma", "found"), [(2.2, GAMMA), (1.8, GAMMA), (1.0, 1.0)])
def test_a_tone_curve_is_recognised_by_the_skewness(gamma, found):
    noisy, _ = ramp_through(gamma)
    profile = measure_noise(noisy)
    assert profile.correlated
    assert profile.gamma == found


def test_a_profile_takes_out_the_bias_of_its_own_noise():
    noisy, clean = ramp_through(GAMMA)
    profile = measure_noise(noisy)
    mean = noisy.mean((1, 2), keepdim=True).expand_as(noisy)
    before, after = ((each - clean).mean() for each in (mean, profile.without_bias(mean)))
    assert before < -0.01
    assert abs(after) < 0.3 * abs(before)
    assert "darkened by a tone curve" in profile.describe()


def test_photons_without_a_tone_curve_are_not_brightened():
    clean = torch.linspace(0.25, 0.75, 220).expand(1, 3, 220, 220)
    photons = torch.poisson(40 * clean, generator=torch.Generator().manual_seed(0)) / 40
    shared = (photons[..., 1:] + photons[..., :-1]) / 2
    profile = measure_noise(shared)
    assert profile.correlated
    assert profile.without_bias(shared) is shared
