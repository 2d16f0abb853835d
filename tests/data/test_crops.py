import numpy as np
import pytest
import torch

from torchdenoise.data import Picture, centre_crop
from torchdenoise.data.crops import cropped
from torchdenoise.errors import PictureError


@pytest.mark.parametrize(("height", "width", "top", "left"), [(9, 12, 2, 3), (5, 5, 0, 0), (6, 5, 0, 0)])
def test_the_crop_starts_at_half_the_rest_rounded_down(height, width, top, left):
    image = torch.rand(2, 3, height, width)
    assert torch.equal(centre_crop(image, 5), image[:, :, top : top + 5, left : left + 5])


def test_none_is_the_whole_image():
    image = torch.rand(1, 1, 3, 4)
    assert centre_crop(image, None) is image


def test_an_image_smaller_than_the_crop_is_refused():
    with pytest.raises(PictureError, match="4x3 pixels, smaller than the crop of 4: choose a smaller crop"):
        centre_crop(torch.rand(1, 1, 3, 4), 4)


def test_a_cropped_picture_restores_alpha_and_holes_of_its_centre():
    array = np.arange(6 * 7 * 3, dtype=np.float32).reshape(6, 7, 3) / 200
    array[1, 1], array[2, 3], array[0, 0] = np.nan, np.nan, np.nan
    samples = np.concatenate([array, np.ones((6, 7, 1), np.float32)], -1)
    picture = cropped(Picture.from_array(samples), 4)
    assert picture.image.shape == (1, 3, 4, 4)
    np.testing.assert_allclose(picture.restore(picture.image), samples[1:5, 1:5], rtol=1e-6)
