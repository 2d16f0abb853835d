"""Outliers are removed from the result by default, and come back unchanged if that is asked for."""

import numpy as np
import pytest
import torch
from helpers import clean_image

from torchdenoise import denoise
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, find_outliers, repeatable

FEW = {"max_steps": 3, "device": "cpu"}


@pytest.fixture(scope="module")
def hit():
    """Return an 8-bit picture with hot pixels, where they are, and the picture without noise."""
    clean = 0.7 * clean_image(1, 64, 64)
    where = torch.zeros(clean.shape, dtype=torch.bool)
    where[..., 3::9, 4::8] = True
    noisy = torch.where(where, 1.0, repeatable("gaussian:8:clip", clean))
    return to_bytes(noisy), where[0, 0].numpy(), to_bytes(clean)


def to_bytes(image):
    return image[0, 0].mul(255).round().byte().numpy()


def measured(noisy):
    return find_outliers(torch.from_numpy(noisy / np.float32(255))[None, None]).mask[0, 0].numpy()


def error(result, clean, where):
    return np.abs(result.astype(float) - clean)[where].mean()


@pytest.mark.parametrize("options", [{}, {"noise": "gaussian:8"}], ids=str)
def test_they_are_removed_by_default_and_kept_on_request(hit, options):
    noisy, where, clean = hit
    removed = denoise(noisy, **options, **FEW)
    assert error(removed, clean, where) < 0.2 * error(noisy, clean, where)
    kept = denoise(noisy, keep_outliers=True, **options, **FEW)
    found = measured(noisy)
    assert (found & where).sum() > 0.95 * where.sum()
    assert (kept == np.where(found, noisy, removed)).all()


def test_every_recipe_can_keep_them(hit):
    noisy, found = hit[0], measured(hit[0])
    assert (denoise(noisy, "zsn2n", **FEW)[found] < 255).any()
    assert (denoise(noisy, "zsn2n", keep_outliers=True, **FEW)[found] == 255).all()


def test_stated_outliers_are_believed(hit):
    noisy = hit[0]
    stated = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    stated[..., 3, 4] = True
    profile = NoiseProfile(NoiseLevelFunction(0.0, 8 / 255), outliers=stated)
    plain, kept = (denoise(noisy, noise=profile, keep_outliers=keep, **FEW) for keep in (False, True))
    assert kept[3, 4] == noisy[3, 4] != plain[3, 4]
    assert (kept != plain).sum() == 1


def test_a_batch_keeps_those_of_each_picture(hit):
    noisy = torch.from_numpy(hit[0])[None, None]
    both = torch.cat([noisy, noisy.flip(-1)])
    kept = denoise(both, "tv", keep_outliers=True, batch=2, **FEW)
    found = torch.from_numpy(measured(hit[0]))[None, None]
    assert (kept[torch.cat([found, found.flip(-1)])] == 255).all()


@pytest.mark.parametrize("keep", [False, True])
def test_values_far_outside_the_range_of_floats_always_stay(hit, keep):
    far = hit[0].astype(np.float32) / 100
    far[::40, ::40] = 1e6  # at most a thousandth of the values
    result = denoise(far, keep_outliers=keep, **FEW)
    assert result[::40, ::40] == pytest.approx(1e6, rel=1e-6)
    assert np.median(result) == pytest.approx(np.median(far), rel=0.1)
