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
