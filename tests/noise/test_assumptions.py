"""Pictures whose noise is not what most methods assume."""

import torch

from torchdenoise.noise import repeatable
from torchdenoise.noise.assumptions import broken_assumptions


def white(*size):
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def test_white_noise_breaks_nothing():
    assert broken_assumptions(0.5 + 0.1 * white(1, 3, 64, 64)) == []


def test_smeared_noise_is_correlated():
    noise = white(1, 3, 96, 98)
    smeared = (noise[..., 2:] + noise[..., 1:-1] + noise[..., :-2]) / 3
    (reason,) = broken_assumptions(0.5 + 0.1 * smeared)
    assert reason.startswith("the noise of neighbouring pixels is correlated (0.")


def test_a_small_picture_is_not_judged():
    noise = white(1, 3, 64, 66)
    assert broken_assumptions(0.5 + 0.1 * (noise[..., 2:] + noise[..., 1:-1])) == []


def test_values_that_are_cut_off_are_counted():
    (reason,) = broken_assumptions(repeatable("gaussian:25:clip", torch.zeros(1, 3, 64, 64)))
    assert "of the values are cut off at black or white" in reason
