"""Damage that a JPEG decoder passes over."""

import io
import os

import numpy as np
import pytest
from helpers import random_pixels, scene
from PIL import Image

from torchdenoise.data import read_picture
from torchdenoise.data.formats import decode
from torchdenoise.data.formats.jpeg_scan import read_layout, segments
from torchdenoise.errors import PictureError


def encoded(array, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", **options)
    return buffer.getvalue()


NOISE = random_pixels((64, 80, 3))
GOOD = encoded(NOISE)
SCAN = next(each.end for each in segments(GOOD) if each.marker == 0xDA)


def without(marker):
    found = next(each for each in segments(GOOD) if each.marker == marker)
    return GOOD[: found.start] + GOOD[found.end :]


def inserted(marker, content):
    return GOOD[:2] + bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content + GOOD[2:]


def with_size(height, width):
    at = next(each.content + 1 for each in segments(GOOD) if each.marker == 0xC0)
    return GOOD[:at] + height.to_bytes(2) + width.to_bytes(2) + GOOD[at + 4 :]


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_rows": 1}, {"progressive": True}])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("shape", [(1, 1), (8, 9), (33, 70, 3), (64, 64, 3)])
def test_what_is_whole_is_taken_as_pillow_decodes_it(options, subsampling, shape):
    for array in (random_pixels(shape), np.zeros(shape, np.uint8), np.full(shape, 200, np.uint8)):
        data = encoded(array, subsampling=subsampling, **options)
        for file in (data, data + b"a preview"):
            np.testing.assert_array_equal(decode(io.BytesIO(file))[0], np.asarray(Image.open(io.BytesIO(data))))


def test_a_large_flat_end_is_whole():
    array = np.zeros((600, 400, 3), np.uint8)
    array[:100] = random_pixels((100, 400, 3))
    assert decode(io.BytesIO(encoded(array)))[0].shape == array.shape


HALF = len(GOOD) // 2
DAMAGED = {
    "half, with an end": (GOOD[:HALF] + b"\xff\xd9", "the data end before the picture does"),
    "half": (GOOD[:HALF], "a JPEG without its end"),
    "half zeros": (GOOD[:HALF] + bytes(HALF) + b"\xff\xd9", "the data go on after the picture"),
    "a hole": (GOOD[: SCAN + 100] + GOOD[SCAN + 900 :], "the data end before the picture does"),
    "a hole of zeros": (GOOD[:HALF] + bytes(500) + GOOD[HALF + 500 :], "the data go on after the picture"),
    "too large": (with_size(128, 80), "the data end before the picture does"),
    "no data": (GOOD[:SCAN] + b"\xff\xd9", "bytes cannot hold the size in its header"),
    "no tables": (without(0xC4)[:2] + b"\xff\xd9", "a JPEG without a picture"),
    "no frame": (without(0xC0), "a JPEG without a picture"),
    "zeros": (GOOD[:20] + bytes(200_000), "no JPEG segment where one is due"),
    "a length of 1": (GOOD[:4] + b"\0\1" + GOOD[6:], "a segment of 1 bytes"),
    "arithmetic": (GOOD.replace(b"\xff\xc0", b"\xff\xc9"), "is a lossless or arithmetic-coded JPEG"),
    "a bomb": (with_size(7600, 65_500), "bytes cannot hold the size in its header"),
    "many scans": (
        (lambda data, at: data[:-2] + data[at:-2] * 250 + data[-2:])(
            encoded(NOISE, progressive=True), encoded(NOISE, progressive=True).rindex(b"\xff\xda")
        ),
        "holds more than 200 scans",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line(tmp_path, name):
    data, message = DAMAGED[name]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        inserted(0xE0, b"JFIF\0"),
        inserted(0xE2, b"ICC_PROFILE\0"),
        inserted(0xE1, b"Exif\0\0"),
        inserted(0xED, b"x" * 99),
    ],
)
def test_damaged_notes_do_not_stop_reading(data):
    np.testing.assert_array_equal(decode(io.BytesIO(data))[0], decode(io.BytesIO(GOOD))[0])
    assert read_layout(data).width == 80


def test_a_sparse_file_of_64_gigabytes_is_refused_at_once(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(GOOD[:20])
    os.truncate(path, 64 << 30)
    with pytest.raises(PictureError, match=r"has 68\.7 GB, more than any picture of this kind"):
        read_picture(path)


def test_a_photograph_cut_anywhere_is_refused():
    data = encoded((255 * scene(96, 96)).astype(np.uint8), quality=90)
    start = next(each.end for each in segments(data) if each.marker == 0xDA)
    for cut in range(start + 40, len(data) - 40, max(1, (len(data) - start) // 20)):
        if data[cut - 1] != 0xFF:
            with pytest.raises(PictureError):
                decode(io.BytesIO(data[:cut] + b"\xff\xd9"))
