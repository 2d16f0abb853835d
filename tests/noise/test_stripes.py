"""Offsets of rows and columns of known size are measured and removed; pictures and noise of pixels are left alone."""

import numpy as np
import pytest
import torch
from helpers import clean_image
from PIL import Image, ImageDraw

from torchdenoise.noise import StripeNoise, remove_stripes, row_column_noise


def white(*size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def picture(channels, level=0.04):
    clean = clean_image(channels, 120, 128)
    return clean + level * white(*clean.shape)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [0.02, 0.1])
@pytest.mark.parametrize("columns", [False, True])
def test_offsets_are_measured_and_removed(channels, size, columns):
    image = picture(channels)
    offsets = size * white(1, channels, 120, 1, seed=1)
    offsets -= offsets.mean(2, keepdim=True)
    if columns:
        image, offsets = image.mT, offsets.mT
        image = image[..., :120]
    striped = image + offsets
    found = row_column_noise(striped)
    expected = (0, size) if columns else (size, 0)
    assert (found.rows, found.columns) == pytest.approx(expected, rel=0.25)
    left = (remove_stripes(striped) - image).square().mean().sqrt()
    assert left < 0.6 * size  # what offsets share with their neighbours looks like the picture and stays
    assert remove_stripes(striped).mean().item() == pytest.approx(striped.mean().item(), abs=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0.0, 0.02, 0.2])
def test_pictures_without_offsets_stay(channels, level):
    image = picture(channels, level)
    found = row_column_noise(image)
    assert (found.rows, found.columns) == (0, 0)
    assert torch.equal(remove_stripes(image), image)


def test_correlated_and_clipped_noise_has_no_offsets():
    noise = white(1, 1, 131, 133)
    smeared = sum(noise[..., y : y + 128, x : x + 130] for y in range(4) for x in range(4)) / 4
    for image in (smeared, smeared.clamp(0, 1), (noise / 10 + 0.05).clamp(0, 1)):
        found = row_column_noise(image)
        assert (found.rows, found.columns) == (0, 0)


def lines(step):
    return (torch.arange(128) % step == 0).float().expand(1, 1, 120, 128)


@pytest.mark.parametrize(
    "structure", [lines(2), lines(7), lines(9).mT, (lines(8) + lines(8).mT[..., :120, :1]).clamp(0, 1)]
)
def test_patterns_are_no_offsets(structure):
    found = row_column_noise(structure + 0.05 * white(*structure.shape))
    assert (found.rows, found.columns) == (0, 0)


@pytest.mark.parametrize("level", [0.1, 0.2, 0.3])
def test_columns_of_type_in_strong_noise_are_no_offsets(level):
    page = Image.new("L", (160, 160), 245)
    for number, top in enumerate(range(4, 150, 13)):
        ImageDraw.Draw(page).text((3, top), f"No {number} of thin type 0O1Il|:; and more", fill=20)
    image = torch.from_numpy(np.asarray(page).copy())[None, None] / 255
    for seed in range(3):
        found = row_column_noise(image + level * white(*image.shape, seed=seed))
        assert (found.rows, found.columns) == (0, 0)


def test_a_horizon_is_no_offset_and_stays():
    image = 0.02 * white(1, 1, 100, 128)
    image[..., 40:, :] += 0.5
    assert row_column_noise(image).rows == 0
    striped = image + 0.03 * white(1, 1, 100, 1, seed=1)
    mended = remove_stripes(striped)
    step = mended[..., 42:48, :].mean() - mended[..., 32:38, :].mean()
    assert step == pytest.approx(0.5, abs=0.03)


def test_removal_never_harms_where_there_is_nothing():
    image, clean = picture(1), clean_image(1, 120, 128)
    mended = remove_stripes(image, StripeNoise(0.001, 0.001, 0.0, 0.0))
    assert (mended - clean).square().mean() < 1.01 * (image - clean).square().mean()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (16, 28), (17, 29)])
def test_small_images_have_an_answer(size):
    image = white(1, 3, *size)
    found = row_column_noise(image)
    assert (found.rows, found.columns) == (0, 0)
    assert remove_stripes(image, StripeNoise(1.0, 1.0, 0.0, 0.0)).shape == image.shape
