"""Headers: size and type of a picture before it is decoded."""

import contextlib

import numpy as np
import pytest
import tifffile
from helpers import scene, write_png, write_tiff
from PIL import Image

from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.data.headers import check_crop, check_fits, header
from torchdenoise.errors import PictureError


def test_a_header_equals_that_of_the_decoded_picture(tmp_path):
    pixels = np.zeros((6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "colour.jpg")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.jpg")
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(pixels).convert("1").save(tmp_path / "bits.png")
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(pixels).convert("LA").save(tmp_path / "grey_alpha.png")
    write_png(tmp_path / "16.png", scene(6, 9), depth=16)
    write_tiff(tmp_path / "float.tiff", scene(6, 9, channels=1))
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.tif")
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "cmyk.tif")
    Image.fromarray(pixels).convert("1").save(tmp_path / "bits.tif")
    for path in tmp_path.iterdir():
        picture = read_picture(path)
        assert header(path) == (*picture.image.shape[1:], picture.scaling.dtype), path


def test_a_png_is_not_decoded_for_its_header(folder, monkeypatch):
    monkeypatch.setattr("torchdenoise.data.headers.read_picture", None)
    ImageFolder(train=folder, val=folder, crop=8).setup("fit")


def test_a_changed_file_is_read_again(folder):
    assert header(folder / "0.png").height == 12
    write_png(folder / "0.png", scene(30, 31))
    assert header(folder / "0.png").height == 30


def test_a_file_that_is_not_a_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(PictureError, match=r"a\.png: is not a PNG"):
        header(tmp_path / "a.png")


def test_the_smallest_picture_decides_the_crop(folder):
    paths = sorted(folder.iterdir())  # of 12 to 16 rows
    check_crop(paths, 12, "--crop")
    with pytest.raises(
        PictureError, match=r"0\.png and 1 more: 20x12 pixels, smaller than the crop of 14: set --crop 12"
    ):
        check_crop(paths, 14, "--crop")


def test_what_a_library_says_of_a_damaged_header_is_not_printed(tmp_path, capfd):
    path = write_tiff(tmp_path / "a.tif", scene(6, 9))
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["StripOffsets"].offset
    data = bytearray(path.read_bytes())
    data[place : place + 2] = b"\xff\xfe"
    path.write_bytes(data)
    with contextlib.suppress(PictureError):
        check_fits(path)
    assert capfd.readouterr().err == ""
