"""How noise grows with brightness, found in pictures whose noise is known."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.noise import noise_deviation, noise_level_function, repeatable


@pytest.mark.parametrize("level", [5, 15, 25, 50])
@pytest.mark.parametrize("clip", ["", ":clip"])
def test_gaussian_noise_has_no_gain(coffee, level, clip):
    line = noise_level_function(repeatable(f"gaussian:{level}{clip}", coffee))
    assert line.gain == 0
    assert 255 * line.sigma == pytest.approx(level, rel=0.15 if clip else 0.04, abs=0.3)
    if level > 10:
        assert line.clipped == bool(clip)


@pytest.mark.parametrize("photons", [10, 25, 50])
def test_poisson_noise_is_a_line_through_zero(coffee, photons):
    line = noise_level_function(repeatable(f"poisson:{photons}", coffee))
    assert 1 / line.gain == pytest.approx(photons, rel=0.1)
    assert 255 * line.sigma < 10


def test_mixed_noise_has_both(coffee):
    line = noise_level_function(repeatable("gaussian:25+poisson:25", coffee))
    assert 1 / line.gain == pytest.approx(25, rel=0.2)
    assert 255 * line.sigma == pytest.approx(25, rel=0.2)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pedestal_is_where_there_is_no_noise(channels):
    light = 0.4 * torch.linspace(0, 1, 256).square().expand(1, channels, 256, 256)
    line = noise_level_function(0.05 + repeatable("poisson:50", light))
    assert line.offset == pytest.approx(0.05, rel=0.1)
    assert 1 / line.gain == pytest.approx(50, rel=0.1)
    assert line.sigma == 0
    assert line.deviation(0.25) == pytest.approx((0.2 / 50) ** 0.5, rel=0.1)
    assert line.deviation(0.01) == 0


def test_a_batch_is_measured_picture_by_picture(coffee):
    noisy = torch.cat([repeatable("gaussian:10", coffee), repeatable("gaussian:50", coffee)])
    assert (255 * noise_deviation(noisy)).flatten().tolist() == pytest.approx([10, 50], rel=0.08)
    assert noise_deviation(noisy, level=51).flatten().tolist() == pytest.approx([0.2, 0.2])


def test_where_noise_grows_the_deviation_is_that_of_the_mean():
    clean = torch.linspace(0.1, 0.9, 200).expand(1, 3, 200, 200)
    noisy = repeatable("poisson:25", clean)
    assert noise_deviation(noisy).item() == pytest.approx((noisy.mean().item() / 25) ** 0.5, rel=0.05)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]), st.sampled_from([0.0, 0.1]))
def test_there_is_always_an_answer(height, width, channels, sigma):
    noisy = 0.5 + sigma * torch.randn(1, channels, height, width)
    line = noise_level_function(noisy)
    assert line.gain >= 0
    assert 0 <= line.sigma < 1


def test_a_large_picture_is_looked_at_in_places():
    noisy = 0.5 + 0.1 * torch.randn(1, 1, 900, 1000, generator=torch.Generator().manual_seed(0))
    assert noise_level_function(noisy).sigma == pytest.approx(0.1, rel=0.02)


def objects_on_a_dark_field(channels):
    """Return smooth discs of three sizes and brightnesses, which take 4 % of a dark field."""
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    field = torch.full((256, 256), 0.02)
    for row, column, radius, brightness in ((60, 70, 18, 0.8), (150, 190, 14, 0.6), (210, 60, 16, 0.7)):
        distance = ((y - row).square() + (x - column).square()).sqrt()
        field = torch.maximum(field, 0.02 + brightness * torch.sigmoid((radius - distance) / 1.5))
    return field.expand(1, channels, 256, 256)


@pytest.mark.parametrize(("channels", "photons"), [(1, 100), (1, 400), (3, 200)])
def test_few_bright_objects_show_the_gain(channels, photons):
    line = noise_level_function(repeatable(f"gaussian:2+poisson:{photons}", objects_on_a_dark_field(channels)))
    assert 1 / line.gain == pytest.approx(photons, rel=0.3)


@pytest.mark.parametrize("photons", [100, 400])
def test_few_bright_objects_on_a_pedestal_show_the_gain(photons):
    noisy = repeatable(f"gaussian:2+poisson:{photons}", objects_on_a_dark_field(1))
    line = noise_level_function(0.4 + noisy / 2)
    assert 1 / (2 * line.gain) == pytest.approx(photons, rel=0.3)
    assert line.offset == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_few_bright_objects_with_gaussian_noise_have_no_gain(channels):
    line = noise_level_function(repeatable("gaussian:10", objects_on_a_dark_field(channels)))
    assert line.gain * 255 < 0.2
    assert 255 * line.deviation(0.02) == pytest.approx(10, rel=0.1)
    on_a_pedestal = noise_level_function(0.4 + repeatable("gaussian:10", objects_on_a_dark_field(channels)) / 2)
    assert on_a_pedestal.gain * 255 < 0.2
