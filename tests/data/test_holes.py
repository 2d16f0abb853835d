"""Holes keep their values, and the image is filled in there from what is around."""

import numpy as np
import pytest
import tifffile
import torch
from helpers import random_pixels, save_picture, scene, write_png

from torchdenoise.data import Picture, read_picture, write_picture
from torchdenoise.data.holes import CELL, SIDE, check_mask, filled, find_holes, read_mask
from torchdenoise.errors import PictureError
from torchdenoise.noise import informative_pixels


def block(height=64, width=60):
    holes = np.zeros((height, width), dtype=bool)
    holes[8:50, 5:40] = True
    return holes


def test_what_counts_as_a_hole():
    colours = np.ones((3, 4, 3), dtype=np.float32)
    assert find_holes(colours) is None
    colours[0, 1, 2] = np.nan
    colours[1, 2] = -9999
    alpha = np.ones((3, 4))
    alpha[2, 3] = 0
    mask = np.zeros((3, 4), dtype=bool)
    mask[0, 0] = True
    expected = np.zeros((3, 4), dtype=bool)
    for place in ((0, 0), (0, 1), (1, 2), (2, 3)):
        expected[place] = True
    np.testing.assert_array_equal(find_holes(colours, alpha, -9999, mask), expected)
    assert find_holes(np.ones((3, 4, 3)), np.zeros((3, 4))) is None  # an unused alpha channel


def test_holes_that_cannot_be():
    with pytest.raises(PictureError, match="nothing to denoise"):
        find_holes(np.full((2, 2, 1), np.nan))
    with pytest.raises(PictureError, match=r"the mask is 4x3 pixels, the picture 2x2: give a mask"):
        find_holes(np.ones((2, 2, 1)), mask=np.ones((3, 4), dtype=bool))
    with pytest.raises(PictureError, match=r"a mask must be \(H, W\)"):
        check_mask(np.ones((2, 2, 3)))


def slow_value(image, holes, y, x):
    """Return the value of one pixel of a hole by loops."""
    near = [
        (np.exp(-(dy**2 + dx**2) / 2), image[y + dy, x + dx])
        for dy in range(-(SIDE // 2), SIDE // 2 + 1)
        for dx in range(-(SIDE // 2), SIDE // 2 + 1)
        if 0 <= y + dy < len(image) and 0 <= x + dx < len(image[0]) and not holes[y + dy, x + dx]
    ]
    if near:
        return sum(weight * value for weight, value in near) / sum(weight for weight, _ in near)
    side = CELL
    while True:
        cell = slice(y // side * side, (y // side + 1) * side), slice(x // side * side, (x // side + 1) * side)
        known = image[cell][~holes[cell]]
        if known.size:
            return known.mean()
        side *= 2


def test_filling_agrees_with_loops():
    y, x = np.mgrid[:64, :60]
    image, holes = 0.2 + 0.01 * y - 0.003 * x, block()  # no second differences, so no noise is added
    broken = torch.from_numpy(np.where(holes, np.nan, image)).float()[None, None]
    result = filled(broken, holes)[0, 0].numpy()
    np.testing.assert_array_equal(result[~holes], image[~holes].astype(np.float32))
    for y, x in ((8, 5), (9, 20), (30, 20), (25, 30), (49, 39), (20, 6)):
        assert result[y, x] == pytest.approx(slow_value(image, holes, y, x), rel=1e-4)


def test_small_holes_do_not_lower_the_noise():
    random = np.random.default_rng(0)
    noisy = random.normal(0.5, [[[0.05]], [[0.1]]], (2, 200, 200))
    holes = random.random((200, 200)) < 0.3
    broken = torch.from_numpy(np.where(holes, np.nan, noisy)).float()[None]
    result = filled(broken, holes)[0].numpy()
    np.testing.assert_allclose(result[:, holes].std(-1), [0.05, 0.1], rtol=0.05)
    np.testing.assert_array_equal(result, filled(broken, holes)[0].numpy())


def test_the_smallest_images_are_filled():
    for shape in ((1, 2), (2, 1), (2, 2)):
        holes = np.zeros(shape, dtype=bool)
        holes[0, 0] = True
        image = torch.full((1, 1, *shape), 0.25)
        assert (filled(image.where(~torch.from_numpy(holes), torch.nan), holes) == 0.25).all()


def test_a_filled_hole_shows_no_noise():
    holes = block()
    noisy = torch.from_numpy(scene(64, 60, 1)).permute(2, 0, 1)[None].float() + 0.1 * torch.randn(
        1, 1, 64, 60, generator=torch.Generator().manual_seed(0)
    )
    seen = informative_pixels(filled(noisy, holes))[0, 0].numpy()
    inner = np.zeros_like(holes)
    inner[11:47, 8:37] = True
    assert seen[inner].mean() < 0.05
    assert seen[~holes].mean() > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_survives_a_file(tmp_path, dtype):
    array = random_pixels((24, 20), dtype)
    array[3:9, 4:9] = np.nan
    tifffile.imwrite(tmp_path / "in.tif", array)
    picture = read_picture(tmp_path / "in.tif")
    assert torch.isfinite(picture.image).all()
    write_picture(tmp_path / "out.tif", torch.full_like(picture.image, 0.5), picture)
    result = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_array_equal(np.isnan(result), np.isnan(array))
    assert (result[~np.isnan(array)] == 0.5).all()


def test_transparent_pixels_keep_their_colours(tmp_path):
    array = random_pixels((24, 20, 4))
    array[..., 3] = np.where(block(24, 20), 0, 200)
    picture = read_picture(save_picture(tmp_path / "in.png", array))
    restored = picture.restore(torch.zeros_like(picture.image))
    np.testing.assert_array_equal(restored[block(24, 20)], array[block(24, 20)])
    assert (restored[~block(24, 20)][:, :3] == 0).all()
    again = picture.stored_as("float32").restore(torch.zeros_like(picture.image))
    np.testing.assert_array_equal(again, restored.astype(np.float32))


def test_the_range_is_that_of_the_rest():
    array = np.full((16, 16), -9999.0)
    array[:8] = np.random.default_rng(0).random((8, 16)) * 5
    picture = Picture.from_array(array, nodata=-9999.0)
    assert picture.scaling.low >= 0
    assert picture.restore(picture.image)[12, 3] == -9999


def test_the_value_for_no_data_of_a_tiff(tmp_path):
    array = random_pixels((24, 20), "float32")
    array[3:9, 4:9] = -9999
    tifffile.imwrite(tmp_path / "in.tif", array, metadata=None, extratags=[(42113, "s", 0, "-9999", True)])
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.holes, array == -9999)
    assert (picture.restore(picture.image) == array).all()


def test_masks_are_pictures(tmp_path):
    mask = np.zeros((4, 5, 3))
    mask[1, 2, 1] = 1
    np.testing.assert_array_equal(read_mask(write_png(tmp_path / "m.png", mask)), mask.any(-1))
