"""Pictures whose noise is not what most methods assume."""

import torch

from torchdenoise.noise import correlation, repeatable, unevenness
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


def test_weak_correlation_counts_in_colour_if_the_spectrum_is_uneven():
    """Noise without the highest frequencies, whose neighbours are hardly more alike than those of texture."""
    low = torch.fft.fftfreq(128).abs() < 0.4
    smooth = torch.fft.ifft2(torch.fft.fft2(white(1, 3, 128, 128)) * (low & low[:, None])).real
    (reason,) = broken_assumptions(0.5 + 0.1 * smooth)
    assert reason == "the noise of neighbouring pixels is correlated (0.2)"
    assert broken_assumptions(0.5 + 0.1 * smooth[:, :1]) == []
    assert broken_assumptions(0.5 + 0.1 * smooth[:, :1].expand(1, 3, 128, 128)) == []  # grey, stored as colour


def test_no_photon_is_not_cut_off():
    """At few photons half of the pixels are black, and nothing lies between none and one."""
    dark = torch.full((1, 3, 96, 96), 0.15)
    assert broken_assumptions(repeatable("poisson:4", dark)) == []
    (reason,) = broken_assumptions(repeatable("gaussian:50:clip", dark - 0.2))
    assert "cut off" in reason


def test_noise_that_goes_beyond_black_is_not_cut_off():
    scene = torch.zeros(1, 3, 96, 96)
    scene[..., 30:50, 30:50] = 0.5
    assert broken_assumptions(repeatable("gaussian:25", scene)) == []


def test_texture_in_white_noise_is_no_correlation(coffee):
    for level in (10, 25, 50):
        assert broken_assumptions(repeatable(f"gaussian:{level}", coffee)) == []


def test_texture_under_weak_noise_is_no_correlation():
    """Stripes as strong as the noise is weak, in every block: neighbours are alike, the spectrum's floor is even."""
    columns = torch.arange(160.0)
    stripes = 0.5 + 0.1 * torch.sin(columns * (0.6 + columns / 400)).expand(1, 3, 160, 160)
    noisy = repeatable("gaussian:2", stripes)
    assert max(correlation(noisy)) > 0.4
    assert unevenness(noisy) < 1.5
    assert broken_assumptions(noisy) == []
