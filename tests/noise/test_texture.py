"""Texture that is taken out of the covariance of a colour image's noise."""

import pytest
import torch
from torch.nn.functional import interpolate

from tests.noise.correlated import seeded_noise, smoothed
from torchdenoise.noise import measure_noise
from torchdenoise.noise.covariance import at_lag_zero, nearest_covariance
from torchdenoise.noise.texture import without_texture

LEVEL, TEXTURE = 0.1, 0.06


def spread(number: int) -> torch.Tensor:
    """Return a covariance that falls linearly with the distance, of lag ``number`` at most, and 1 at lag 0."""
    fall = 1 - torch.arange(-number, number + 1).abs() / (number + 1)
    return torch.outer(fall, fall)


def of_channels(shared: torch.Tensor, map_of_lags: torch.Tensor) -> torch.Tensor:
    return shared[..., None, None] * map_of_lags


@pytest.mark.parametrize("shared", [torch.eye(3), torch.eye(3) - 0.2, torch.eye(3) + 1.0, torch.eye(2)])
def test_noise_whose_channels_are_filtered_alike_is_kept(shared):
    covariance = of_channels(shared, spread(2))
    assert without_texture(covariance) is covariance


def test_noise_whose_colours_are_smoother_than_its_luminance_is_kept():
    sharp = torch.nn.functional.pad(torch.ones(1, 1), (3, 3, 3, 3))
    luminance = of_channels(torch.full((3, 3), 1 / 3), sharp)
    colours = of_channels(torch.eye(3) - 1 / 3, 0.1 * spread(3))
    covariance = luminance + colours
    assert without_texture(covariance) is covariance


def test_one_channel_is_kept():
    covariance = of_channels(torch.eye(1), spread(4))
    assert without_texture(covariance) is covariance


def test_shared_low_frequencies_are_taken_out_and_the_colours_kept():
    noise = torch.nn.functional.pad(of_channels(torch.eye(3), spread(1)), (3, 3, 3, 3))
    found = without_texture(nearest_covariance(noise + of_channels(torch.ones(3, 3), 0.3 * spread(4))))
    difference = at_lag_zero(found) - at_lag_zero(noise)
    assert difference.abs().max() < 0.15  # of 0.3
    colours = torch.eye(3) - 1 / 3
    assert torch.allclose(colours @ at_lag_zero(found) @ colours, colours * at_lag_zero(noise)[0, 0], atol=0.02)


def test_texture_in_all_blocks_raises_the_level_little():
    """A picture with texture of two scales everywhere, and noise that is correlated over two pixels."""
    texture = sum(
        interpolate(seeded_noise(1, 1, side, side, seed=side), size=(256, 256), mode="bicubic") for side in (32, 64)
    )
    image = 0.5 + TEXTURE * texture + LEVEL * smoothed(256, 256, channels=3)
    profile = measure_noise(image)
    assert profile.correlated
    assert profile.deviation(image).mean() < 1.1 * LEVEL
