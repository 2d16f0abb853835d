"""What clipping does to noise, against many draws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.noise import clipped_moments, undo_clipped_mean


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("clean", [-0.1, 0.0, 0.05, 0.5, 0.9, 1.0])
def test_moments_are_those_of_many_draws(clean, sigma):
    draws = (clean + sigma * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))).clamp(0, 1).double()
    mean, variance = clipped_moments(torch.tensor(clean).double(), sigma)
    assert mean.item() == pytest.approx(draws.mean().item(), abs=sigma / 300)
    assert variance.item() == pytest.approx(draws.var().item(), rel=0.02, abs=1e-7)


@given(st.floats(0.005, 0.5), st.floats(0, 1))
def test_the_mean_is_undone(sigma, clean):
    mean, _ = clipped_moments(torch.tensor([clean]).double(), sigma)
    assert undo_clipped_mean(mean, sigma).item() == pytest.approx(clean, abs=2e-3)


def test_beyond_what_a_mean_can_be_lie_black_and_white():
    assert undo_clipped_mean(torch.tensor([-1.0, 0.0, 1.0, 2.0]), 0.1).tolist() == [0, 0, 1, 1]


def test_without_noise_nothing_changes():
    assert undo_clipped_mean(torch.tensor([0.25, 1.5]), 0.0).tolist() == [0.25, 1.0]
