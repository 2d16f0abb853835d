"""An image at several scales."""

import pytest
import torch

from tests.noise.correlated import covariance_of_filter, seeded_noise
from torchdenoise.denoisers.parts.pyramid import SMALLEST, Pyramid, number_of_scales
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile
from torchdenoise.noise.covariance import doubled, halved, standardized

COVARIANCE = standardized(covariance_of_filter(torch.ones(1, 1, 3, 3)))[0]
PROFILE = NoiseProfile(
    NoiseLevelFunction(0.0, 0.1), None, LevelCurve(torch.zeros(1, 1), torch.full((1, 1), 0.1)), COVARIANCE
)


@pytest.mark.parametrize("height", [1, 39, 79, 80, 81, 159, 160, 256, 1000])
@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_no_scale_is_too_small(height, most):
    number = number_of_scales(height, 2 * height, most)
    assert number == number_of_scales(2 * height, height, most)
    sides = [height // 2**halvings for halvings in range(most)]
    assert number == max(1, sum(side >= SMALLEST for side in sides))


@pytest.mark.parametrize("size", [(32, 40), (33, 45)])
def test_perfect_results_at_every_scale_give_back_the_image(size):
    image = seeded_noise(1, 1, *size)
    pyramid, result = Pyramid(image, PROFILE, 3), None
    for number in range(3):
        shown, _ = pyramid.level(number, result)
        expected = [halved(halved(image)), halved(image), image][number]
        assert torch.allclose(shown, expected, atol=1e-5)
        result = shown


def test_the_result_of_the_coarser_scale_replaces_the_low_frequencies():
    image = seeded_noise(1, 1, 33, 44)
    pyramid = Pyramid(image, PROFILE, 2)
    coarse, noise = pyramid.level(0, None)
    assert torch.equal(coarse, halved(image))
    assert torch.equal(noise.covariance, PROFILE.at_half_size().covariance)
    fine, noise = pyramid.level(1, torch.full_like(coarse, 0.3))
    assert torch.allclose(fine, image - doubled(halved(image), image) + 0.3, atol=1e-6)
    assert torch.equal(noise.covariance, PROFILE.without_low_frequencies().covariance)


def test_a_result_is_enlarged_to_the_size_of_the_image():
    pyramid = Pyramid(seeded_noise(1, 1, 33, 45), PROFILE, 3)
    ramp = torch.arange(12.0).expand(1, 1, 9, 12)
    large = pyramid.enlarged(ramp, 0)
    assert large.shape == (1, 1, 33, 45)
    assert torch.allclose(large[..., 4:-4, 4:-4].diff(dim=-1), torch.tensor(0.25), atol=1e-5)
    finest = torch.rand(1, 1, 33, 45)
    assert pyramid.enlarged(finest, 2) is finest


def test_the_coarser_the_whiter():
    def neighbours(profile):
        lag = profile.covariance.shape[-1] // 2
        return profile.covariance[0, 0, lag, lag + 1].item()

    pyramid = Pyramid(torch.zeros(1, 1, 64, 64), PROFILE, 3)
    coarse = [pyramid.level(0, None)[1], pyramid.level(1, torch.zeros(1, 1, 16, 16))[1], PROFILE]
    assert neighbours(PROFILE) > 0.6
    assert neighbours(coarse[0]) < neighbours(PROFILE) / 2
    assert abs(neighbours(coarse[1])) < 0.2


def test_a_single_scale_is_the_image():
    image = torch.rand(1, 1, 8, 8)
    shown, profile = Pyramid(image, PROFILE, 1).level(0, None)
    assert shown is image
    assert profile is PROFILE
