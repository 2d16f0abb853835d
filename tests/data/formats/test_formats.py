"""Reading and writing in all formats: what is kept of a file, and which files are refused."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from helpers import random_pixels, save_picture, stored_pixels
from PIL import Image

from torchdenoise.data import read_picture, write_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

LAYOUTS = {"grey": (9, 7), "grey-alpha": (9, 7, 2), "rgb": (9, 7, 3), "rgb-alpha": (9, 7, 4)}


@pytest.mark.parametrize("shape", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", "uint8"), (".png", "uint16")]
    + [(".tif", dtype) for dtype in ("uint8", "uint16", "int16", "int32", "float16", "float32", "float64")],
)
def test_pixels_and_layout_are_restored(tmp_path, suffix, dtype, shape):
    array = random_pixels(shape, dtype)
    picture = read_picture(save_picture(tmp_path / f"in{suffix}", array))
    channels = 3 if shape[2:] in ((3,), (4,)) else 1
    assert picture.image.shape == (1, channels, 9, 7)
    assert picture.image.dtype == torch.float32
    assert 0 <= picture.image.min() <= picture.image.max() <= 1
    restored = picture.restore(picture.image)
    assert (restored.shape, restored.dtype) == (array.shape, array.dtype)
    exact = dtype != "float64"  # images are float32
    np.testing.assert_allclose(restored, array, rtol=0 if exact else 1e-6)

    write_picture(tmp_path / f"out{suffix}", picture.image, picture)
    np.testing.assert_array_equal(stored_pixels(tmp_path / f"out{suffix}"), restored)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4), (1, 1)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_arrays_keep_their_layout(tmp_path, suffix, shape):
    array = random_pixels(shape)
    picture = Picture.from_array(array)
    np.testing.assert_array_equal(picture.restore(picture.image), array)
    write_picture(tmp_path / f"a{suffix}", picture.image, picture)
    np.testing.assert_array_equal(stored_pixels(tmp_path / f"a{suffix}").reshape(shape), array)


@pytest.mark.parametrize("source", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".tif"])
def test_orientation_profile_and_density_survive_every_change_of_format(tmp_path, source, target):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.fromarray(random_pixels((16, 8, 3)))
    image.save(tmp_path / f"in{source}", exif=exif, icc_profile=b"profile" * 30, dpi=(100, 200))
    picture = read_picture(tmp_path / f"in{source}")
    assert picture.image.shape[2:] == (16, 8)  # as stored
    write_picture(tmp_path / f"out{target}", picture.image, picture)
    with Image.open(tmp_path / f"out{target}") as out:
        assert out.getexif()[274] == 6
        assert out.info["icc_profile"] == b"profile" * 30
        assert [float(value) for value in out.info["dpi"]] == pytest.approx([100, 200], rel=1e-3)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def tiff_header(width, height):
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def jpeg_header(width, height):
    buffer = io.BytesIO()
    Image.fromarray(random_pixels()).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


HEADERS = {".png": png_header, ".tif": tiff_header, ".jpg": jpeg_header}


@pytest.mark.parametrize("suffix", HEADERS)
def test_decompression_bombs_are_refused_by_their_header(tmp_path, suffix):
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(HEADERS[suffix](60000, 60000))
    with pytest.raises(PictureError, match=r"claims 60000 x 60000 pixels, more than the limit of 500 million; crop"):
        read_picture(path)


@pytest.mark.parametrize("suffix", HEADERS)
def test_the_pixel_limit_of_pillow_is_ignored(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(save_picture(tmp_path / f"a{suffix}", random_pixels((16, 16)))).shape == (16, 16)


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=["plain", "packed"])
def test_truncated_files_are_reported(tmp_path, suffix, share, options):
    path = save_picture(tmp_path / f"a{suffix}", random_pixels((64, 64, 3)), **options if suffix == ".tif" else {})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(PictureError, match=r"cut short.*copy it again") as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def multi_page(path, array, **options):
    with tifffile.TiffWriter(path) as writer:
        for _ in range(12):
            writer.write(array, metadata=None, **options)


def animation(path):
    frames = [Image.fromarray(random_pixels((9, 7, 3))), Image.fromarray(255 - random_pixels((9, 7, 3)))]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def with_infinity(path):
    array = random_pixels(dtype="float32")
    array[0, :3] = np.inf
    tifffile.imwrite(path, array)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        (
            "a.png",
            lambda path: path.write_text("hello " * 9),
            "is not a PNG, .* picture",
        ),
        ("a.png", Path.touch, r"is empty \(0 bytes\)"),
        ("a.tif", Path.touch, r"is empty \(0 bytes\)"),
        ("a.tif", lambda path: path.write_bytes(b"II*\0" + bytes(8)), "holds no picture: empty or cut"),
        ("a.tif", lambda path: multi_page(path, random_pixels()), "holds 12 pages; split it"),
        ("a.tif", lambda path: tifffile.imwrite(path, random_pixels((5, 9, 7)), imagej=True), "holds 5 pages"),
        ("a.png", animation, "holds 2 pages"),
        ("a.png", lambda path: path.write_bytes(png_header(0, 5)), r"has no pixels \(0 x 5\)"),
        ("a.tif", lambda path: path.write_bytes(tiff_header(0, 5)), r"has no pixels \(0 x 5\)"),
        ("a.tif", lambda path: Image.new("LAB", (9, 7)).save(path), "kind CIELAB, YXS; convert it"),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, random_pixels((9, 7, 5)), photometric="rgb", extrasamples=[0, 0]),
            "has 5 channels; keep 1",
        ),
        (
            "a.tif",
            lambda path: tifffile.imwrite(
                path, random_pixels((9, 7, 2)), photometric="minisblack", planarconfig="contig"
            ),
            "has 2 channels; keep 1",
        ),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, random_pixels((9, 7), "float32").astype(complex)),
            "complex128 are not supported",
        ),
        ("a.tif", with_infinity, "3 pixel values are NaN or infinite: replace them first"),
    ],
)
def test_a_bad_file_gives_one_line_with_its_path(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)
