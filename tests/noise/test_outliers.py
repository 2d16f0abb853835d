"""Impulses of known places are found and replaced; noise, structure and photons are not taken for them."""

import numpy as np
import pytest
import torch
from helpers import clean_image, scene

from torchdenoise.noise import find_outliers, replace_outliers


def seeded():
    return torch.Generator().manual_seed(0)


def noise(shape, level=1.0):
    return level * torch.randn(shape, generator=seeded())


def picture(channels=3, level=0.05):
    clean = clean_image(channels, 96, 101)
    return (clean + noise(clean.shape, level)).clamp(0, 1)


def impulses(image, share, values):
    """Return an image with values at random places, and the places."""
    draw = torch.rand(image.shape, generator=torch.Generator().manual_seed(1)) / share
    mask = draw < 1
    chosen = torch.tensor(values)[(draw * len(values)).long().clamp(max=len(values) - 1)]
    return torch.where(mask, chosen, image), mask


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.005, 0.03, 0.1])
def test_salt_and_pepper_is_found(channels, share):
    clean = picture(channels)
    noisy, mask = impulses(clean, share, [0.0, 1.0])
    found = find_outliers(noisy)
    seen = mask & ((noisy - clean).abs() > 0.3)  # pepper on black is none
    assert found.mask[seen].float().mean() > 0.97
    assert (found.mask & ~mask).float().mean() < 5e-4
    assert found.share == pytest.approx(found.mask.float().mean().item())


@pytest.mark.parametrize("values", [[0.0], [1.5, 3.0, 4.0, 7.0]])
def test_dead_and_hot_pixels_are_found(values):
    dim = 0.3 + 0.3 * picture(1)
    noisy, mask = impulses(dim, 0.003, values)
    assert torch.equal(find_outliers(noisy).mask, mask)


def stars():
    y, x = np.mgrid[:128, :128]
    random = np.random.default_rng(0)
    places = random.uniform(0, 128, (60, 2))
    light = sum(
        500 * random.exponential() * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 1.2**2)) for cy, cx in places
    )
    return torch.poisson(torch.from_numpy(light + 2).float()[None, None], generator=seeded())


def counts(mean):
    return torch.poisson(torch.full((1, 1, 200, 200), mean), generator=seeded())


def pattern(kind):
    y, x = torch.meshgrid(torch.arange(90), torch.arange(95), indexing="ij")
    kinds = {
        "checkerboard": (y + x) % 2,
        "lines": x % 7 == 0,
        "diagonals": (y + 2 * x) % 11 == 0,
        "dots": (y % 4 == 0) & (x % 4 == 0),
        "constant": torch.ones_like(x),
    }
    return kinds[kind][None, None].float()


@pytest.mark.parametrize("kind", ["checkerboard", "lines", "diagonals", "dots", "constant"])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_patterns_are_no_impulses(kind, level):
    image = pattern(kind)
    assert not find_outliers(image + noise(image.shape, level)).mask.any()


@pytest.mark.parametrize("mean", [0.001, 0.05, 0.3, 3.0])
def test_few_photons_are_no_impulses(mean):
    assert not find_outliers(counts(mean)).mask.any()
    assert not find_outliers(counts(mean) + noise((1, 1, 200, 200), 0.05)).mask.any()


@pytest.mark.parametrize("level", [0.0, 0.05, 0.3])
def test_scenes_with_noise_have_no_impulses(level):
    assert not find_outliers(picture(3, level)).mask.any()
    assert not find_outliers((picture(1, level) * 255).round() / 255).mask.any()


def test_stars_are_no_impulses():
    assert not find_outliers(stars()).mask.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (4, 9), (5, 5), (8, 8), (7, 200)])
def test_small_images_have_an_answer(size):
    found = find_outliers(noise((1, 3, *size)))
    assert found.mask.shape == (1, 3, *size)
    assert not found.mask.any()


def test_replacing_is_the_median_of_good_neighbours():
    image = torch.from_numpy(scene(9, 8, 2)).permute(2, 0, 1)[None].float() + noise((1, 2, 9, 8))
    mask = torch.rand(image.shape, generator=seeded()) < 0.4
    repaired = replace_outliers(image, mask)
    assert torch.equal(repaired[~mask], image[~mask])
    for _, channel, row, column in mask.nonzero().tolist():
        for radius in (1, 2, 4, 8):
            square = (0, channel, slice(max(row - radius, 0), row + radius + 1))
            square = (*square, slice(max(column - radius, 0), column + radius + 1))
            good = image[square][~mask[square]]
            if len(good):
                break
        assert repaired[0, channel, row, column].item() == pytest.approx(np.median(good.numpy()), abs=1e-6)


def test_a_channel_without_good_values_stays():
    image = noise((1, 2, 6, 6))
    mask = torch.zeros_like(image, dtype=torch.bool)
    mask[:, 1] = True
    assert torch.equal(replace_outliers(image, mask), image)
