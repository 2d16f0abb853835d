"""Pictures whose noise is not what most methods assume."""

import torch

from torchdenoise.noise import assumptions, repeatable
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


def test_weak_correlation_counts_if_little_of_the_noise_is_white(monkeypatch):
    """Noise without the highest two fifths of frequencies, and neighbours whose correlation is not enough by itself."""
    monkeypatch.setattr(assumptions, "CORRELATED", 0.9)
    low = torch.fft.fftfreq(128).abs() < 0.3
    smooth = torch.fft.ifft2(torch.fft.fft2(white(1, 3, 128, 128)) * (low & low[:, None])).real
    (reason,) = broken_assumptions(0.5 + 0.1 * smooth)
    assert reason == "the noise of neighbouring pixels is correlated (0.4)"
    assert broken_assumptions(0.5 + 0.1 * white(1, 3, 128, 128)) == []


def test_texture_in_white_noise_is_no_correlation(coffee):
    for level in (10, 25, 50):
        assert broken_assumptions(repeatable(f"gaussian:{level}", coffee)) == []
