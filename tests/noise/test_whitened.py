"""The level of correlated noise in all patches, against noise of a known level, filtered by known filters."""

import pytest
import torch
from torch.nn import functional as F

from tests.noise.correlated import COUPLED, covariance_of_filter, seeded_noise, smoothed
from torchdenoise.noise.whitened import SIDE, _patch_covariance, level_in_all_patches

BLUR = torch.full((1, 1, 2, 2), 0.5)


def test_the_covariance_of_a_patch_by_a_loop():
    covariance = covariance_of_filter(COUPLED)
    lag = covariance.shape[-1] // 2
    matrix = _patch_covariance(covariance)
    places = [(channel, row, column) for channel in range(2) for row in range(SIDE) for column in range(SIDE)]
    for at, (first, row, column) in enumerate(places):
        for to, (second, other_row, other_column) in enumerate(places):
            down, right = other_row - row, other_column - column
            near = abs(down) <= lag and abs(right) <= lag
            expected = covariance[first, second, lag + down, lag + right] if near else 0
            assert matrix[at, to] == expected


@pytest.mark.parametrize("kernel", [BLUR, COUPLED])
@pytest.mark.parametrize(("level", "ratio"), [(0.05, 1.0), (0.025, 2.0), (0.1, 0.5)])
def test_the_level_relative_to_the_believed_one(kernel, level, ratio):
    noise = 0.05 * F.conv2d(seeded_noise(1, kernel.shape[1], 200, 200), kernel)
    covariance = covariance_of_filter(kernel)
    assert level_in_all_patches(0.5 + noise, torch.tensor(level), covariance) == pytest.approx(ratio, rel=0.05)


def test_texture_in_some_directions_does_not_count():
    waves = 0.1 * torch.sin(torch.arange(256) / 3).expand(1, 1, 256, 256)
    noisy = 0.5 + waves + 0.05 * smoothed(256, 256)
    ratio = level_in_all_patches(noisy, torch.tensor(0.05), covariance_of_filter(BLUR))
    assert ratio == pytest.approx(1, abs=0.05)


def test_noise_that_is_stronger_in_a_part_counts():
    noise = 0.02 * smoothed(256, 256)
    noise[..., :128] *= 0.5  # smoothed by a camera
    ratio = level_in_all_patches(0.5 + noise, torch.tensor(0.01), covariance_of_filter(BLUR))
    assert ratio == pytest.approx(((1 + 4) / 2) ** 0.5, rel=0.1)


def test_a_level_that_varies():
    level = torch.linspace(0.01, 0.05, 256).expand(1, 1, 256, 256)
    ratio = level_in_all_patches(0.5 + level * smoothed(256, 256), level, covariance_of_filter(BLUR))
    assert ratio == pytest.approx(1, abs=0.05)


def test_only_informative_pixels_count():
    image = 0.5 + 0.05 * smoothed(256, 256)
    image[..., :100, :] = 0.5
    informative = torch.ones(1, 1, 256, 256, dtype=torch.bool)
    informative[..., :100, :] = False
    everywhere, seen = (
        level_in_all_patches(image, torch.tensor(0.05), covariance_of_filter(BLUR), each)
        for each in (None, informative)
    )
    assert everywhere < 0.9
    assert seen == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("size", [(3, 50), (20, 20)])
def test_too_few_patches_say_nothing(size):
    assert level_in_all_patches(torch.rand(1, 1, *size), torch.tensor(0.05), covariance_of_filter(BLUR)) == 1.0
