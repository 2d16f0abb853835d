"""One line about the noise."""

import pytest
import torch

from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile, StripeNoise

LEVEL = NoiseLevelFunction


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (LEVEL(0.0, 12.34 / 255), "noise: white, level 12.3 of 255"),
        (LEVEL(0.0, 25 / 255, True), "noise: white, level 25 of 255, clipped"),
        (LEVEL(0.0, 0.0), "noise: none"),
        (LEVEL(5e-25, 0.0, True), "noise: none"),
        (LEVEL(0.8 / 255, 3.14 / 255), "noise: sensor-like, gain 0.8, read noise 3.1 (of 255)"),
        (LEVEL(0.04, 0.0), "noise: sensor-like, gain 10.2, no read noise (of 255)"),
        (
            LEVEL(0.04, 0.0, True, 0.1),
            "noise: sensor-like, gain 10.2, pedestal 25.5, read noise not separable from it (of 255), clipped",
        ),
        (LEVEL(0.04, 0.02, False, 0.1), "noise: sensor-like, gain 10.2, read noise 5.1, pedestal 25.5 (of 255)"),
    ],
)
def test_white_noise(level, line):
    assert NoiseProfile(level).describe() == line


def profile(covariance, levels):
    curve = LevelCurve(torch.linspace(0, 1, len(levels))[None], torch.tensor([levels]) / 255)
    return NoiseProfile(LEVEL(0.0, 0.1), None, curve, covariance)


def test_correlated_noise():
    covariance = torch.zeros(1, 1, 9, 9)
    covariance[0, 0, 4, 2:7] = torch.tensor([0.2, 0.6, 1.0, 0.6, 0.2])
    assert profile(covariance, [16.0, 25.0]).describe() == "noise: level 16 to 25 of 255, correlated over 3 pixels"
    assert profile(covariance.mT, [16.02, 16.0]).describe() == "noise: level 16 of 255, correlated over 3 pixels"


def test_noise_that_only_channels_share():
    assert profile(torch.ones(1, 1, 1, 1), [9.0]).describe() == "noise: level 9 of 255, correlated between the channels"


def test_what_could_not_be_measured():
    line = NoiseProfile(LEVEL(0.0, 0.1), unusable="31% of the values are cut off at black or white").describe()
    assert line == "noise: white, level 25.5 of 255; not reliable: 31% of the values are cut off at black or white"


def test_what_is_found_beside_the_noise_of_pixels():
    outliers = torch.zeros(1, 1, 20, 50, dtype=torch.bool)
    outliers[0, 0, 0, :2] = True
    level = LEVEL(0.0, 12 / 255)
    found = NoiseProfile(level, outliers=outliers, stripes=StripeNoise(5 / 255, 0.0, 9.0, 0.0))
    assert found.describe() == "noise: white, level 12 of 255; 0.2 % of the values are outliers; rows are offset by 5"
    varies = NoiseProfile(level, variation=torch.tensor([[[[0.5, 1.3]]]]))
    assert (
        varies.describe() == "noise: white, level 12 of 255; level varies over the picture, 0.5 to 1.3 times the mean"
    )
