"""TIFF: layouts, tags and pages."""

import numpy as np
import pytest
import tifffile
from helpers import random_pixels, save_picture, stored_pixels

from torchdenoise.data import check_output, read_picture, write_picture
from torchdenoise.errors import PictureError


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", [bool, "uint8", "uint16"])
def test_tiff_of_one_bit_or_with_white_as_zero_reads_as_grey(tmp_path, dtype, photometric):
    array = random_pixels() > 99 if dtype is bool else random_pixels(dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric)
    picture = read_picture(tmp_path / "a.tif", data_range=255 if dtype is bool else None)
    grey = array.astype("uint8") * 255 if dtype is bool else array
    inverted = photometric == "miniswhite"
    np.testing.assert_array_equal(picture.restore(picture.image), np.iinfo(grey.dtype).max - grey if inverted else grey)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "tile": (16, 16)},
        {"compression": "zstd"},
        {"bigtiff": True, "byteorder": ">"},
    ],
    ids=str,
)
def test_tiff_keeps_compression_resolution_and_description(tmp_path, options):
    array, tags = random_pixels((20, 30, 3), "uint16"), [(274, "H", 1, 6, True)]
    description = "ImageJ=1.54\nunit=micron\n"
    options |= {"resolution": (12.5, 25), "resolutionunit": 3, "iccprofile": b"profile", "description": description}
    save_picture(tmp_path / "in.tif", array, metadata=None, extratags=tags, **options)
    picture = read_picture(tmp_path / "in.tif")
    assert picture.dpi == pytest.approx((31.75, 63.5))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        for tag in ("Compression", "Predictor", "XResolution", "YResolution", "ResolutionUnit", "ImageDescription"):
            assert after.pages[0].tags.valueof(tag) == before.pages[0].tags.valueof(tag)
        assert after.pages[0].tags["Orientation"].value == 6
        assert after.pages[0].tags["InterColorProfile"].value == b"profile"
        np.testing.assert_array_equal(after.asarray(), array)


def test_planar_tiff_stays_planar(tmp_path):
    array = random_pixels((3, 9, 7))
    tifffile.imwrite(tmp_path / "in.tif", array, photometric="rgb", planarconfig="separate")
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), np.moveaxis(array, 0, -1))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), array)


def test_lossy_tiff_is_read_and_written_without_loss(tmp_path):
    picture = read_picture(save_picture(tmp_path / "in.tif", random_pixels((16, 16, 3)), compression="jpeg"))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(stored_pixels(tmp_path / "out.tif"), picture.restore(picture.image))


def test_previews_do_not_count_as_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(random_pixels(), metadata=None)
        writer.write(random_pixels((3, 3)), subfiletype=1, metadata=None)
    assert read_picture(tmp_path / "a.tif").shape == (9, 7)


def test_premultiplied_alpha_stays_in_tiff(tmp_path):
    picture = read_picture(save_picture(tmp_path / "a.tif", random_pixels((9, 7, 4)), extrasamples=["assocalpha"]))
    write_picture(tmp_path / "b.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].extrasamples == (1,)
    with pytest.raises(PictureError, match="premultiplied"):
        check_output(tmp_path / "b.png", picture)


def test_a_stack_described_by_its_first_page_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((5, 24, 30), "u2"), photometric="minisblack", truncate=True)
    with pytest.raises(PictureError, match=r"stack.tif: holds 5 pages; split it into single pages first"):
        read_picture(path)
