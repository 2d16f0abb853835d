"""TIFFs that tifffile reads for ever, or reads as black."""

import struct

import numpy as np
import pytest
import tifffile
from helpers import random_pixels

from torchdenoise.data import read_picture
from torchdenoise.data.formats.tiff_checks import directories
from torchdenoise.errors import PictureError

PIXELS = random_pixels((32, 40))
TAGS = {256: 40, 257: 32, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 32, 279: 1280}
AT = 8 + 1280


def directory(next_at=0, **changes):
    tags = TAGS | {int(name[1:]): value for name, value in changes.items()}
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in sorted(tags.items()))
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_at)


def tiff(*directories, data=None):
    return b"II*\0" + struct.pack("<I", AT) + (PIXELS.tobytes() if data is None else data) + b"".join(directories)


SIZE = len(directory())
EMPTY = struct.pack("<H", 0)


def test_the_good_one_is_read(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(directory()))
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), PIXELS)


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"byteorder": ">", "bigtiff": True}])
def test_the_pages_are_those_of_tifffile(tmp_path, options):
    with tifffile.TiffWriter(tmp_path / "a.tif", **options) as writer:
        for _ in range(3):
            writer.write(PIXELS, metadata=None)
    with (tmp_path / "a.tif").open("rb") as file, tifffile.TiffFile(tmp_path / "a.tif") as known:
        file.seek(5)
        assert list(directories(file)) == [page.offset for page in known.pages]
        assert file.tell() == 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 4, 1, 8, 8), "its pages form a loop"),
        (tiff(directory(AT)), "its pages form a loop"),
        (tiff(directory(AT + SIZE), directory(AT)), "its pages form a loop"),
        (tiff(directory(AT + SIZE), EMPTY + struct.pack("<I", AT + SIZE + 6), EMPTY), "a page without entries"),
        (tiff(*(directory(AT + SIZE * (i + 1)) for i in range(2000)), directory()), "holds 2001 pages"),
        (tiff(directory(_256=22_000, _257=22_000, _278=22_000)), "1280 bytes cannot hold the size in its header"),
        (tiff(directory(_273=0, _279=0)), "0 bytes cannot hold the size in its header"),
        (tiff(directory(_279=600)), "600 bytes cannot hold the size in its header"),
        (tiff(directory(_259=8, _256=4, _257=4)), "1280 bytes of data for 16 bytes of pixels"),
        (tiff(directory(_322=2**32 - 1, _323=2**32 - 1, _324=8, _325=1280)), r"damaged \(tiles of 4294967295 x"),
    ],
)
def test_damage_is_one_line(tmp_path, data, message):
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "comment", ['{"shape": "abc"}', '{"shape": null}', '{"shape": [0]}', "ImageJ=1.53\nimages=abc\n", "{" * 1000]
)
def test_comments_without_sense_do_not_stop_reading(tmp_path, comment):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, description=comment, metadata=None)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), PIXELS)


def test_an_orientation_in_words_is_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, metadata=None, extratags=[(274, "s", 0, "up", True)])
    assert read_picture(tmp_path / "a.tif").exif is None
