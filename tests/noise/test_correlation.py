"""Correlation of the noise, and the evenness of its spectrum, where they are known."""

import pytest
import torch

from torchdenoise.noise import correlation, unevenness


def white(*size):
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def test_correlation_finds_its_direction(coffee):
    noise = white(1, 3, 129, 131) / 20
    along, across = (noise[..., 1:] + noise[..., :-1]) / 2, (noise[..., 1:, :] + noise[..., :-1, :]) / 2
    for seen, expected in ((noise, (0, 0)), (along, (0.4, 0)), (across, (0, 0.4))):  # 0.5 in truth, see there
        clean = coffee[..., : seen.shape[-2], : seen.shape[-1]]
        assert correlation(0.5 + seen) == pytest.approx(expected, abs=0.05)
        assert correlation(clean + seen) == pytest.approx(expected, abs=0.1)


def test_noise_without_a_band_of_frequencies_has_an_uneven_spectrum():
    low = torch.fft.fftfreq(128).abs() < 0.4
    smooth = torch.fft.ifft2(torch.fft.fft2(white(1, 3, 128, 128)) * (low & low[:, None])).real
    assert unevenness(white(1, 3, 128, 128)) < 1.3
    assert unevenness(smooth) > 2


@pytest.mark.parametrize(
    "image", [torch.zeros(1, 3, 64, 64), torch.full((1, 1, 150, 150), 0.3), torch.rand(1, 1, 1, 1)]
)
def test_no_noise_is_white(image):
    assert correlation(image) == (0.0, 0.0)
    assert unevenness(image) == 1


@pytest.mark.parametrize("size", [(1, 50), (2, 2), (9, 5), (7, 300), (100, 8)])
def test_odd_shapes_have_an_answer(size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert all(-1 <= number <= 1 for number in correlation(image))
    assert unevenness(image) >= 1


@pytest.mark.parametrize("side", [96, 141, 142, 160, 168, 190])
def test_correlated_noise_in_colour_is_uneven_at_every_size(side):
    noise = torch.randn(1, 3, side, side + 1, generator=torch.Generator().manual_seed(0))
    assert unevenness(noise) < 1.5
    assert unevenness(noise[..., 1:] + noise[..., :-1]) > 5
