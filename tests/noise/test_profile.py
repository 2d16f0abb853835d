"""The noise profile: the deviation at each pixel, and what becomes of the noise at other scales."""

import numpy as np
import pytest
import torch

from tests.noise.correlated import covariance_of_filter, filtered_white, measured_covariance, seeded_noise
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile, measure_noise, repeatable, stabilize
from torchdenoise.noise.blocks import MAX_LAG, correlated_noise
from torchdenoise.noise.covariance import draw, halved, low_frequencies, radius, standardized
from torchdenoise.noise.profile import GUIDE_SIDE

KERNEL = torch.zeros(2, 2, 3, 3)
KERNEL[0, 0] = torch.tensor([[0.0, 0.3, 0.0], [0.5, 1.0, 0.5], [0.0, 0.3, 0.0]])
KERNEL[1, 1] = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.6], [0.0, 0.0, 0.0]])
KERNEL[1, 0, 1, 1] = 0.5
CURVE = LevelCurve(torch.tensor([[0.2, 0.5, 0.8], [0.1, 0.3, 0.9]]), torch.tensor([[0.1, 0.2, 0.15], [0.05, 0.1, 0.3]]))
CORRELATED = NoiseProfile(NoiseLevelFunction(0.0, 0.1), None, CURVE, standardized(covariance_of_filter(KERNEL))[0])


def test_white_noise_has_the_level_at_the_mean():
    profile, image = NoiseProfile(NoiseLevelFunction(0.01, 0.1)), torch.rand(1, 3, 8, 9)
    assert not profile.correlated
    expected = (0.1**2 + 0.01 * image.mean().item()) ** 0.5
    assert profile.deviation(image).shape == (1, 1, 1, 1)
    assert profile.deviation(image).item() == pytest.approx(expected, rel=1e-5)
    assert profile.deviation(image - 5).item() == pytest.approx(0.1)


@pytest.mark.parametrize("size", [(20, 31), (9, 4), (2, 30), (1, 1)])
def test_correlated_noise_has_a_level_at_every_pixel(size):
    image = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    found = CORRELATED.deviation(image)
    assert found.shape == image.shape
    reach = min(GUIDE_SIDE, *(each if each % 2 else each - 1 for each in size)) // 2
    padded = np.pad(image[0].double().numpy(), ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    for channel in range(2):
        for row in range(size[0]):
            for column in range(size[1]):
                mean = padded[channel, row : row + 2 * reach + 1, column : column + 2 * reach + 1].mean()
                expected = np.interp(mean, CURVE.brightness[channel], CURVE.deviation[channel])
                assert found[0, channel, row, column].item() == pytest.approx(expected, abs=1e-5)


def test_the_filter_gives_white_noise_the_covariance():
    noise = draw(CORRELATED.kernel(2), (1, 2, 600, 600), torch.Generator().manual_seed(0))
    assert (measured_covariance(noise, 2) - CORRELATED.covariance).abs().max() < 0.03
    white = NoiseProfile(NoiseLevelFunction(0.0, 0.1)).kernel(3)
    assert white.sum((-2, -1)).allclose(torch.eye(3), atol=1e-5)
    assert white[..., 12, 12].allclose(torch.eye(3), atol=1e-5)


@pytest.mark.parametrize("spec", ["poisson:30", "gaussian:10+poisson:50"])
def test_the_stabilized_profile_is_that_of_the_stabilized_image(spec):
    noisy = repeatable(spec, torch.linspace(0.1, 0.9, 128).expand(1, 3, 128, 128))
    profile = measure_noise(noisy)
    inside, measured = profile.stabilized(), measure_noise(stabilize(noisy, profile.level))
    assert (inside.level.gain, inside.level.offset) == (0.0, 0.0)
    assert inside.level.sigma == pytest.approx(measured.level.sigma, rel=0.1)
    assert inside.level.sigma == profile.sigma
    by_formula = NoiseProfile(profile.level).stabilized()
    assert by_formula.level.sigma == pytest.approx(profile.sigma, rel=0.1)


@pytest.mark.parametrize("profile", [CORRELATED, NoiseProfile(NoiseLevelFunction(0.0, 0.1))])
def test_correlated_noise_and_noise_of_one_level_stay(profile):
    assert profile.stabilized() is profile


@pytest.mark.parametrize(
    ("method", "operation"),
    [("at_half_size", halved), ("without_low_frequencies", lambda image: image - low_frequencies(image))],
)
def test_the_noise_after_an_operation_is_that_of_the_image_after_it(method, operation):
    noise = filtered_white(KERNEL, 602, 602)
    noise = noise / KERNEL.square().sum((1, 2, 3)).sqrt()[:, None, None]
    for number in range(3):  # at the brightness of each node
        left = operation(CURVE.deviation[:, number, None, None] * noise)[..., 20:-20, 20:-20]
        after = getattr(CORRELATED, method)()
        assert torch.equal(after.curve.brightness, CURVE.brightness)
        assert left.std((0, 2, 3)).tolist() == pytest.approx(after.curve.deviation[:, number].tolist(), rel=0.03)
    scaled = left / left.std((0, 2, 3))[:, None, None]
    lag = radius(after.covariance)
    assert (measured_covariance(scaled, lag) - after.covariance).abs().max() < 0.06


def test_two_halvings_in_a_row():
    noise = filtered_white(KERNEL, 802, 802) / KERNEL.square().sum((1, 2, 3)).sqrt()[:, None, None]
    left = halved(halved(0.2 * noise))
    profile = NoiseProfile(
        NoiseLevelFunction(0.0, 0.2),
        None,
        LevelCurve(torch.zeros(2, 1), torch.full((2, 1), 0.2)),
        CORRELATED.covariance,
    )
    assert profile.at_half_size().at_half_size().deviation(left)[0, :, 0, 0].tolist() == pytest.approx(
        left.std((0, 2, 3)).tolist(), rel=0.05
    )


def test_a_measured_profile_at_half_size_is_that_measured_at_half_size():
    noisy = 0.5 + 0.1 * filtered_white(KERNEL[:1, :1], 502, 502) + 0.001 * seeded_noise(1, 1, 500, 500)
    derived, (curve, covariance, _) = measure_noise(noisy).at_half_size(), correlated_noise(halved(noisy))
    level = derived.deviation(halved(noisy)).mean().item()
    assert curve.deviation.mean().item() == pytest.approx(level, rel=0.1)
    lag = radius(derived.covariance)
    inner = covariance[..., MAX_LAG - lag : MAX_LAG + 1 + lag, MAX_LAG - lag : MAX_LAG + 1 + lag]
    assert (inner - derived.covariance).abs().max() < 0.12
