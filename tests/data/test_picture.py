"""``Picture``: arrays to images and back."""

import numpy as np
import pytest
import torch
from helpers import random_pixels

from torchdenoise.data import Picture
from torchdenoise.errors import PictureError


def test_alpha_is_neither_denoised_nor_part_of_the_range():
    array = np.dstack([random_pixels(dtype="uint8")] * 3 + [np.full((9, 7), 65535)]).astype("uint16")
    picture = Picture.from_array(array)
    assert picture.scaling.high == 1023
    np.testing.assert_array_equal(picture.restore(torch.zeros_like(picture.image))[..., 3], array[..., 3])


@pytest.mark.parametrize("shape", [(7,), (2, 9, 7, 3), (3, 9, 7), (0, 5)])
def test_other_shapes_are_no_pictures(shape):
    with pytest.raises(PictureError, match="shape"):
        Picture.from_array(np.zeros(shape))


def test_restoring_another_size_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="expected an image of shape"):
        Picture.from_array(random_pixels()).restore(torch.zeros(1, 1, 2, 2))


def test_float32_keeps_the_unit_of_values_and_alpha():
    array = np.dstack([random_pixels(dtype="uint8"), np.full((9, 7), 77, np.uint8)])
    picture = Picture.from_array(array).stored_as("float32")
    restored = picture.restore(picture.image + 0.1 / 255)
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored[..., 0], array[..., 0] + 0.1, rtol=1e-5)
    np.testing.assert_array_equal(restored[..., 1], array[..., 1])


def test_outliers_are_hidden_from_a_fit_and_kept_in_the_result():
    array = np.random.default_rng(0).normal(300, 1, (40, 40)).astype(np.float32)
    array[3, 4] = 1e6
    picture = Picture.from_array(array)
    assert picture.image.max() <= 1
    restored = picture.restore(torch.full_like(picture.image, 0.5))
    assert restored[3, 4] == pytest.approx(1e6)
    restored[3, 4] = restored[0, 0]
    assert restored.min() == restored.max() == pytest.approx(300, abs=5)
