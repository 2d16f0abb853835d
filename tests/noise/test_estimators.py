"""Estimates of noise: against literal loops, and over levels on textured pictures."""

import sys

import numpy as np
import pytest
import torch

from torchdenoise import UserError
from torchdenoise.noise import gaussian_level, noise_level_function, poisson_photons, repeatable, wavelet_level
from torchdenoise.noise.estimators import MAX_PHOTONS


def textured(channels=3, height=179, width=176):
    """Return a picture (1, C, H, W) from 0.1 to 0.9: gratings of several directions and periods, a ramp and a disc."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    grating = np.where(x < width / 2, np.sin(0.9 * x + 0.4 * y), np.sin(0.3 * x - 1.1 * y)) * (y > height / 3)
    disc = (y - height / 3) ** 2 + (x - width / 2) ** 2 < (height / 4) ** 2
    planes = [0.15 + 0.3 * x / width + 0.1 * (1 + grating) + 0.2 * disc * (c + 1) / channels for c in range(channels)]
    return torch.from_numpy(np.stack(planes)[None]).float()


def flat(channels, side, value=0.5):
    return torch.full((1, channels, side, side), value)


def noisy(spec, clean, seed=0):
    return repeatable(spec, clean, seed)


def slow_level(image):
    """Return the level by the published formula, patch by patch."""
    picture = image[0].double().numpy()
    _, height, width = picture.shape
    rows = [
        picture[:, top : top + 8, left : left + 8].ravel()
        for top in range(0, height - 7, 3)
        for left in range(0, width - 7, 3)
    ]
    rest = sorted(np.linalg.eigvalsh(np.cov(np.array(rows), rowvar=False, bias=True)))
    while True:
        rest.pop()
        tau = np.mean(rest)
        if sum(value > tau for value in rest) == sum(value < tau for value in rest):
            return 255 * np.sqrt(tau)


def slow_grey_level(image):
    """Return the level that the flattest 8x8 patches have at high frequencies, coefficient by coefficient."""
    picture = image[0, 0].double().numpy()
    place = (np.arange(8) + 0.5) * np.pi / 8
    patches = []
    for top in range(picture.shape[0] - 7):
        for left in range(picture.shape[1] - 7):
            patch = picture[top : top + 8, left : left + 8]
            low, high = 0.0, []
            for u in range(8):
                for v in range(8):
                    size = (1 / 8 if u == 0 else 1 / 4) * (1 / 8 if v == 0 else 1 / 4)
                    square = size * (np.cos(u * place) @ patch @ np.cos(v * place)) ** 2
                    low += square if 0 < u + v < 8 else 0
                    high += [square] if u + v > 8 else []
            patches.append((low, np.mean(high)))
    patches.sort()
    return 255 * np.sqrt(np.mean([high for _, high in patches[: max(len(patches) // 20, 64)]]))


def test_the_level_is_the_published_formulas():
    image = noisy("gaussian:20", textured(3, 245, 247))
    assert gaussian_level(image) == pytest.approx(slow_level(image), rel=1e-9)


@pytest.mark.parametrize("size", [(33, 35), (53, 50)])
def test_the_level_of_grey_pictures_is_the_flattest_patches(size):
    image = noisy("gaussian:20", textured(1, *size))
    assert gaussian_level(image) == pytest.approx(slow_grey_level(image), rel=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [5, 10, 25, 50])
def test_the_level_over_levels(sigma, channels):
    image = noisy(f"gaussian:{sigma}", textured(channels))
    assert gaussian_level(image) == pytest.approx(sigma, rel=0.06)
    assert wavelet_level(image) == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize("estimate", [gaussian_level, lambda image: 255 * noise_level_function(image).sigma])
@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_texture_is_no_noise_in_grey_either(estimate, sigma):
    texture = torch.rand(1, 1, 200, 100, generator=torch.Generator().manual_seed(1))
    image = noisy(f"gaussian:{sigma}", torch.cat([0.3 + 0.4 * texture, torch.full_like(texture, 0.5)], 3))
    assert estimate(image) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("photons", [10, 25, 50, 100])
def test_the_photons_over_levels(photons, channels):
    assert poisson_photons(noisy(f"poisson:{photons}", textured(channels))) == pytest.approx(photons, rel=0.1)


@pytest.mark.parametrize(("side", "tolerance"), [(3, 0.8), (16, 0.3), (24, 0.2), (32, 0.12), (64, 0.06)])
def test_small_pictures_are_no_cliff(side, tolerance):
    for channels in (1, 3):
        levels = [gaussian_level(noisy("gaussian:25", flat(channels, side), seed)) for seed in range(4)]
        photons = [poisson_photons(noisy("poisson:25", flat(channels, side), seed)) for seed in range(4)]
        assert np.mean(levels) == pytest.approx(25, rel=tolerance)
        assert 1 / np.mean(1 / np.array(photons)) == pytest.approx(25, rel=tolerance)


@pytest.mark.parametrize("image", [torch.zeros(1, 3, 64, 64), flat(1, 150, 0.3), torch.rand(1, 1, 1, 1), -flat(3, 9)])
def test_no_noise_is_an_answer_too(image):
    assert gaussian_level(image) == pytest.approx(0, abs=1e-4)
    assert wavelet_level(image) == pytest.approx(0, abs=1e-4)
    assert poisson_photons(image) == MAX_PHOTONS


@pytest.mark.parametrize("size", [(1, 50), (2, 2), (9, 5), (7, 300), (100, 8)])
def test_odd_shapes_have_an_answer(size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert 0 <= gaussian_level(image) < 255
    assert 0 < poisson_photons(image) <= MAX_PHOTONS


def test_estimates_follow_the_pictures_scale():
    image = noisy("poisson:25", textured())
    assert gaussian_level(image / 4) == pytest.approx(gaussian_level(image) / 4)
    assert poisson_photons(image / 4) == pytest.approx(4 * poisson_photons(image))


@pytest.mark.parametrize("estimate", [gaussian_level, wavelet_level, poisson_photons])
def test_grey_stored_as_colour_and_constant_channels_change_nothing(estimate):
    grey = noisy("poisson:25", textured(1, 120, 110))
    expected = estimate(grey)
    assert estimate(grey.expand(1, 3, 120, 110)) == pytest.approx(expected)
    assert estimate(torch.cat([grey, torch.ones_like(grey)], 1)) == pytest.approx(expected)
    assert estimate(torch.cat([0 * grey, grey, 0 * grey], 1)) == pytest.approx(expected)


def test_photons_with_dark_channels_and_dark_surroundings():
    light = torch.zeros(1, 3, 160, 160)
    light[:, 1, 30:, 40:] = 0.6
    assert poisson_photons(noisy("poisson:25", light)) == pytest.approx(25, rel=0.15)
    assert poisson_photons(noisy("poisson:25", light[:, 1:2] / 20)) == pytest.approx(25, rel=0.15)  # 1 photon a pixel


@pytest.mark.parametrize("missing", ["pywt", "skimage.restoration"])
def test_wavelets_without_their_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=r"pip install torchdenoise\[classical\]"):
        wavelet_level(flat(1, 16))
