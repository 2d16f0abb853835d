"""Masks of stacks: which pixels of a frame they hide."""

import numpy as np
import pytest
from helpers import random_pixels

from torchdenoise.data import ArrayPlanes, Axes
from torchdenoise.data.stack_masks import masks_of, read_masks
from torchdenoise.errors import PictureError

STACK = ArrayPlanes(np.zeros((3, 2, 4, 5)), Axes("TCYX"))


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (3, 2, 4, 5)])
def test_the_mask_of_each_frame(shape):
    array = random_pixels(shape) > 200
    masks = masks_of(array, STACK)
    for number in range(3):
        expected = array if len(shape) == 2 else array[number] if len(shape) == 3 else array[number].any(0)
        np.testing.assert_array_equal(masks.of_frame(number, (2 * number, 2 * number + 1)), expected)
        if len(shape) == 4:
            np.testing.assert_array_equal(masks.of_frame(number, (2 * number + 1,)), array[number, 1])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "m.npy").write_bytes(b"nothing")
    with pytest.raises(PictureError, match=r"m\.npy: "):
        read_masks(tmp_path / "m.npy", STACK)
