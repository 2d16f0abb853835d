"""TIFFs that tifffile reads for ever, or reads as black."""

import struct

import numpy as np
import pytest
import tifffile
from helpers import random_pixels

from torchdenoise.data import open_planes, read_picture, scene_names, write_picture
from torchdenoise.data.formats.tiff_checks import directories
from torchdenoise.errors import PictureError

PIXELS = random_pixels((32, 40))
TAGS = {256: 40, 257: 32, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 32, 279: 1280}
AT = 8 + 1280


def directory(next_at=0, **changes):
    """A page's; a tag whose value is None is left out."""
    tags = TAGS | {int(name[1:]): value for name, value in changes.items()}
    tags = {code: value for code, value in tags.items() if value is not None}
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
        (tiff(directory(_258=None)), "1280 bytes of data for 160 bytes of pixels"),
        (tiff(directory(_322=2**32 - 1, _323=2**32 - 1, _324=8, _325=1280)), r"damaged \(tiles of 4294967295 x"),
    ],
)
def test_damage_is_one_line(tmp_path, data, message):
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels SizeX="{}"/></Image></OME>'
WITHOUT_SENSE = [
    '{"shape": "abc"}', '{"shape": null}', '{"shape": [0]}', '{"shape": [32, 40], "axes": 5}', '{"shape": [32',
    '{"shape": ' + "[" * 100_000, "shape=abc", "ImageJ=1.53\nimages=abc\n", "ImageJ=1.53\nchannels=x\nslices=y\n",
    OME.format("abc"), "{" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("comment", WITHOUT_SENSE, ids=range(len(WITHOUT_SENSE)))
def test_comments_without_sense_do_not_stop_reading(tmp_path, comment):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, description=comment, metadata=None)
    assert len(scene_names(tmp_path / "a.tif")) == 1
    assert open_planes(tmp_path / "a.tif") is None
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), PIXELS)
    write_picture(tmp_path / "b.tif", picture.image, picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), PIXELS)


def test_a_comment_without_sense_is_left_out_with_a_word(run, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, description='{"shape": null}', metadata=None)
    save = {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(tmp_path / "b.tif", np.stack([PIXELS] * 3), description='{"shape": null}', **save)
    words = ("--strength", "0", "--recipe", "tv")
    assert "a.tif: has a description that makes no sense: left out" in run("denoise", "a.tif", *words).out
    assert "b.tif: not kept: a description that makes no sense" in run("denoise", "b.tif", *words).out
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a_denoised.tif"), PIXELS)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b_denoised.tif"), np.stack([PIXELS] * 3))


def test_an_orientation_in_words_is_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, metadata=None, extratags=[(274, "s", 0, "up", True)])
    assert read_picture(tmp_path / "a.tif").exif is None


def test_a_stack_with_a_comment_without_sense_keeps_its_pages(tmp_path):
    pages = random_pixels((3, 32, 40))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, description="ImageJ=1.53\nimages=abc\n", metadata=None, contiguous=False)
    with open_planes(tmp_path / "a.tif") as planes:
        np.testing.assert_array_equal([planes.plane(number) for number in range(3)], pages)
    with pytest.raises(PictureError, match="holds 3 pages"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "data",
    [
        tiff(*(directory(AT + SIZE * (place + 1)) for place in range(9)), directory()),
        tiff(*(directory(AT + SIZE * (place + 1), _258=16) for place in range(9)), directory(_258=16)),
    ],
    ids=["8 bits", "16 bits"],
)
def test_pages_that_share_their_data_are_refused_before_any_work(tmp_path, data):
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(PictureError, match="bytes cannot hold the size in its header"):
        open_planes(tmp_path / "a.tif")


@pytest.mark.parametrize("comment", ['{"shape": [5, 32, 40]}', "ImageJ=1.53\nimages=5\nslices=5\n"])
def test_a_comment_that_claims_more_pages_than_there_are_is_refused(tmp_path, comment):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, description=comment, metadata=None)
    with pytest.raises(PictureError, match="bytes cannot hold the size in its header"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7])
def test_the_white_of_few_bits_is_the_white_of_eight(tmp_path, bits):
    values = random_pixels((32, 40)) >> (8 - bits)
    packed = np.packbits(np.unpackbits(values[..., None], axis=-1)[..., 8 - bits :].reshape(32, -1), axis=-1)
    (tmp_path / "a.tif").write_bytes(tiff(directory(_258=bits, _279=packed.size), data=packed.tobytes().ljust(1280)))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), values)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), np.round(values * (255 / (2**bits - 1))))
