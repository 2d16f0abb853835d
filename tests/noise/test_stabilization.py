"""Variance stabilisation: against literal formulas, exact expectations and drawn counts."""

import math

import numpy as np
import pytest
import torch

from torchdenoise.noise import anscombe, generalized_anscombe, inverse_anscombe, inverse_generalized_anscombe


def expectation(mean):
    """Return the mean of the stabilised counts of a Poisson variable, summed over the counts."""
    counts = np.arange(0, int(mean + 20 * math.sqrt(mean) + 30))
    logs = np.array([count * math.log(mean) - mean - math.lgamma(count + 1) for count in counts])
    return float(np.sum(np.exp(logs) * 2 * np.sqrt(counts + 3 / 8)))


def drawn(mean, gain=1.0, offset=0.0, sigma=0.0, count=400_000):
    generator = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((count,), float(mean), dtype=torch.float64), generator=generator)
    return gain * counts + offset + sigma * torch.randn(count, generator=generator, dtype=torch.float64)


def test_the_transform_is_its_formula():
    counts = np.array([0.0, 0.5, 1, 7, 300])
    expected = [2 * math.sqrt(count + 3 / 8) for count in counts]
    np.testing.assert_allclose(anscombe(torch.from_numpy(counts)).numpy(), expected)


def test_the_inverse_is_its_formula():
    for value in (1.3, 2.0, 5.0, 40.0):
        root = math.sqrt(3 / 2)
        expected = value**2 / 4 + root / 4 / value - 11 / 8 / value**2 + 5 / 8 * root / value**3 - 1 / 8
        assert inverse_anscombe(torch.tensor(value, dtype=torch.float64)).item() == pytest.approx(expected)


@pytest.mark.parametrize("mean", [0.1, 0.5, 1, 2, 5, 20, 100, 1000])
def test_the_inverse_undoes_the_expectation(mean):
    """The plain inverse is too small."""
    value = torch.tensor(expectation(mean), dtype=torch.float64)
    assert inverse_anscombe(value).item() == pytest.approx(mean, rel=0.002, abs=0.025)
    assert (value / 2).square().item() - 3 / 8 < mean - 0.02


@pytest.mark.parametrize("mean", [4, 10, 30, 100])
def test_stabilised_noise_has_standard_deviation_one(mean):
    assert anscombe(drawn(mean)).std().item() == pytest.approx(1, abs=0.03)


CAMERAS = [(1.0, 0.0, 1.0), (3.0, 10.0, 2.0), (0.04, 0.1, 0.02), (0.5, -2.0, 3.0)]


@pytest.mark.parametrize(("gain", "offset", "sigma"), CAMERAS)
@pytest.mark.parametrize("mean", [10, 30, 100])
def test_the_general_transform_is_stable_and_its_inverse_unbiased(gain, offset, sigma, mean):
    stabilized = generalized_anscombe(drawn(mean, gain, offset, sigma), gain, offset, sigma)
    assert stabilized.std().item() == pytest.approx(1, abs=0.06)
    back = inverse_generalized_anscombe(stabilized.mean(), gain, offset, sigma).item()
    assert (back - offset) / gain == pytest.approx(mean, rel=0.01)


def test_a_picture_and_its_counts_stabilise_alike():
    picture = torch.rand(1, 3, 5, 7, dtype=torch.float64)
    stabilized = generalized_anscombe(picture, 1 / 25)
    torch.testing.assert_close(stabilized, anscombe(25 * picture))
    torch.testing.assert_close(inverse_generalized_anscombe(stabilized, 1 / 25), inverse_anscombe(stabilized) / 25)


def test_values_out_of_range_stay_finite():
    assert anscombe(torch.tensor([-5.0, -3 / 8])).tolist() == [0, 0]
    assert inverse_anscombe(torch.tensor([-3.0, 0.0, 1e-9, 1.2])).tolist() == [0, 0, 0, 0]
    assert generalized_anscombe(torch.tensor([-100.0]), 2, 5, 1).item() == 0
    assert inverse_generalized_anscombe(torch.tensor([0.0]), 2, 5, 1).item() == 5
