"""The covariance of noise: draws, roots, and what halving and filtering do to it, against noise that is made."""

import pytest
import torch
from torch.nn import functional as F

from tests.noise.correlated import (
    COUPLED,
    covariance_of_filter,
    filtered_white,
    measured_covariance,
    seeded_noise,
)
from torchdenoise.noise.covariance import (
    MAX_RADIUS,
    at_lag_zero,
    doubled,
    draw,
    filtered,
    half_size,
    halved,
    low_frequencies,
    nearest_covariance,
    radius,
    root_kernel,
    spectrum,
    standardized,
    without_low_frequencies,
)

COVARIANCE = covariance_of_filter(COUPLED)
HORIZONTAL = covariance_of_filter(torch.tensor([[[[0.0] * 3, [1.0, 1.0, 0.0], [0.0] * 3]]]))


def close(found, expected, tolerance):
    return (found - expected).abs().max() < tolerance * expected.abs().max()


@pytest.fixture(scope="module")
def noise():
    return filtered_white(COUPLED, 700, 700)


def test_the_covariance_of_made_noise_is_measured(noise):
    assert close(measured_covariance(noise, 2), COVARIANCE, 0.03)
    assert torch.equal(COVARIANCE, COVARIANCE.transpose(0, 1).flip(-2, -1))
    assert not close(COVARIANCE.flip(-1), COVARIANCE, 0.1)
    assert not close(COVARIANCE.transpose(0, 1), COVARIANCE, 0.1)


@pytest.mark.parametrize("covariance", [COVARIANCE, HORIZONTAL, torch.eye(3).view(3, 3, 1, 1)])
def test_draws_have_the_covariance(covariance):
    drawn = draw(root_kernel(covariance), (2, len(covariance), 500, 500), torch.Generator().manual_seed(1))
    assert drawn.shape == (2, len(covariance), 500, 500)
    assert close(measured_covariance(drawn, radius(covariance)), covariance, 0.02)
    beyond = measured_covariance(drawn, radius(covariance) + 1)
    beyond[..., 1:-1, 1:-1] = 0
    assert beyond.abs().max() < 0.02 * covariance.max()


def test_the_root_kernel_filtered_by_itself_is_the_covariance():
    kernel = root_kernel(COVARIANCE)
    found = F.conv2d(kernel, kernel, padding=2)  # [c, d, lag]: the sum of kernel_c(u + lag) kernel_d(u)
    assert close(found, COVARIANCE, 0.001)


@pytest.mark.parametrize(("height", "width"), [(60, 41), (25, 25)])
def test_filtering_is_a_convolution(height, width):
    kernel, white = root_kernel(COVARIANCE), seeded_noise(3, 2, height, width)
    assert torch.allclose(filtered(white, kernel), F.conv2d(white, kernel), atol=1e-5)


def test_every_image_can_have_its_own_filter():
    kernels = torch.stack([root_kernel(COVARIANCE), root_kernel(torch.eye(2).view(2, 2, 1, 1))])
    white = seeded_noise(2, 2, 40, 41)
    expected = torch.cat([F.conv2d(white[i : i + 1], kernels[i]) for i in range(2)])
    assert torch.allclose(filtered(white, kernels), expected, atol=1e-5)
    assert torch.allclose(expected[1], white[1, :, MAX_RADIUS:-MAX_RADIUS, MAX_RADIUS:-MAX_RADIUS], atol=1e-5)


def test_standardized_noise_has_deviation_one():
    scaled, deviations = standardized(COVARIANCE)
    assert torch.allclose(at_lag_zero(scaled).diagonal(), torch.ones(2))
    expected = torch.stack([COUPLED[channel].square().sum().sqrt() for channel in range(2)])
    assert torch.allclose(deviations, expected)
    assert torch.allclose(scaled[0, 1], COVARIANCE[0, 1] / deviations.prod())


def test_the_spectrum_is_the_fourier_sum():
    matrices = spectrum(COVARIANCE)
    lags = torch.arange(-2, 3).double()
    for row, column in [(0, 0), (5, 20), (40, 63)]:
        phase = torch.exp(-2j * torch.pi * (row * lags[:, None] + column * lags) / len(matrices))
        assert torch.allclose(matrices[row, column], (COVARIANCE.double() * phase).sum((-2, -1)))


def test_the_covariance_at_half_size_is_that_of_halved_noise(noise):
    after = half_size(COVARIANCE)
    assert close(measured_covariance(halved(noise), radius(after)), after, 0.04)
    outside = measured_covariance(halved(noise), radius(after) + 1)
    outside[..., 1:-1, 1:-1] = 0
    assert outside.abs().max() < 0.03 * after.max()


def test_halving_white_noise_leaves_it_white():
    white = torch.zeros(1, 1, 9, 9)
    white[..., 4, 4] = 1
    after = half_size(white)
    expected = torch.zeros_like(after)
    expected[..., radius(after), radius(after)] = 0.25
    assert torch.allclose(after, expected)


def test_the_covariance_without_low_frequencies_is_that_of_filtered_noise(noise):
    left = (noise - low_frequencies(noise))[..., 20:-20, 20:-20]
    after = without_low_frequencies(COVARIANCE)
    assert radius(after) == 2 + 6
    assert close(measured_covariance(left, radius(after)), after, 0.03)


def test_long_covariances_are_cut_off():
    assert radius(without_low_frequencies(torch.rand(1, 1, 17, 17))) == MAX_RADIUS


@pytest.mark.parametrize("size", [(8, 10), (9, 10), (8, 11), (5, 3), (1, 1), (2, 1)])
def test_odd_sizes_are_halved_and_doubled(size):
    image = seeded_noise(2, 3, *size)
    small = halved(image)
    height, width = (-(-each // 2) for each in size)
    assert small.shape == (2, 3, height, width)
    for row in range(height):
        for column in range(width):
            rows = torch.tensor([2 * row, 2 * row + 1]).clamp(max=size[0] - 1)
            columns = torch.tensor([2 * column, 2 * column + 1]).clamp(max=size[1] - 1)
            cell = image[..., rows, :][..., columns]
            assert torch.allclose(small[..., row, column], cell.mean((-2, -1)), atol=1e-6)
    assert doubled(small, image).shape == image.shape
    flat = torch.full_like(image, 0.3)
    assert torch.allclose(low_frequencies(flat), flat)


@pytest.mark.parametrize("estimate", ["impossible", "possible"])
def test_the_nearest_covariance_is_positive(estimate):
    first = COVARIANCE.clone()
    if estimate == "impossible":
        first[..., 2, 1] *= 3
        first[..., 2, 3] *= 3
        first[0, 1], first[1, 0] = 2 * first[0, 1], 2 * first[1, 0]
    found = nearest_covariance(first)
    lowest, before = (torch.linalg.eigvalsh(spectrum(each)).min().item() for each in (found, first))
    assert torch.allclose(found, found.transpose(0, 1).flip(-2, -1), atol=1e-6)
    if estimate == "possible":
        assert close(found, first, 0.01)
    else:
        assert before < -1
        assert lowest > before / 4  # cutting off long lags makes some powers negative again
