"""Constant areas do not show noise; noise, photons and small flat spots do."""

import pytest
import torch
from helpers import noisy_image
from torch.nn.functional import pad

from torchdenoise.noise import informative_pixels


def noise(*size):
    return torch.rand(size, generator=torch.Generator().manual_seed(0))


def grown(area):
    """Return an area with one pixel around it, by a slow loop."""
    larger = area.clone()
    for row, column in area.nonzero().tolist():
        larger[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    return larger


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "place", [(slice(0, 9), slice(0, 60)), (slice(20, 32), slice(30, 45)), (slice(0, 50), slice(55, 60))]
)
def test_a_constant_area_and_its_border_do_not_count(channels, place):
    image = noise(1, channels, 50, 60)
    area = torch.zeros(50, 60, dtype=torch.bool)
    area[place] = True
    image[..., area] = 0.25
    assert torch.equal(informative_pixels(image)[0, 0], ~grown(area))


def test_padding_that_repeats_the_edge_does_not_count():
    padded = pad(noise(1, 3, 50, 60), (12, 0, 10, 0), mode="replicate")
    area = torch.zeros(60, 72, dtype=torch.bool)
    area[:11] = True
    area[:, :13] = True
    assert torch.equal(informative_pixels(padded)[0, 0], ~grown(area))


def test_one_constant_channel_does_not_matter():
    image = noise(1, 3, 50, 60)
    image[:, 1] = 0.5
    assert informative_pixels(image).all()


@pytest.mark.parametrize("mean", [0.002, 0.05, 0.5])
def test_empty_fields_of_few_photons_count(mean):
    image = torch.poisson(torch.full((1, 1, 150, 160), mean), generator=torch.Generator().manual_seed(0))
    assert informative_pixels(image).all()


def test_a_dead_part_of_a_dark_field_does_not_count():
    image = torch.poisson(torch.full((1, 1, 150, 160), 0.1), generator=torch.Generator().manual_seed(0))
    image[..., :60] = 0
    seen = informative_pixels(image)[0, 0].float()
    assert seen[:, :60].mean() == 0
    assert seen[:, 60:].mean() > 0.98


def test_pictures_with_noise_and_small_flat_spots_count():
    image = (noisy_image(3) * 255).round() / 255
    image[..., 4:10, 5:8] = 0
    assert informative_pixels(image.clamp(0, 1)).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 80), (4, 4)])
def test_small_images_count(size):
    assert informative_pixels(torch.zeros(1, 3, *size)).shape == (1, 1, *size)
    assert informative_pixels(torch.zeros(1, 3, *size)).all()


def test_nothing_of_a_constant_image_counts():
    assert not informative_pixels(torch.zeros(1, 3, 20, 20)).any()
