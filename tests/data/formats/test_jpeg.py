"""JPEG."""

import numpy as np
import pytest
from helpers import random_pixels, save_picture
from PIL import Image

from torchdenoise.data import read_picture, write_picture


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_round_trip(tmp_path, mode):
    save_picture(tmp_path / "in.jpg", np.asarray(Image.fromarray(random_pixels((16, 16, 3))).convert(mode)))
    picture = read_picture(tmp_path / "in.jpg")
    np.testing.assert_array_equal(picture.restore(picture.image), np.asarray(Image.open(tmp_path / "in.jpg")))
    write_picture(tmp_path / "out.jpg", picture.image, picture)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == mode
        assert all(component[1:3] == (1, 1) for component in image.layer)  # no subsampling
