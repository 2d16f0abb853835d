"""PNG: palettes and chunks."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from helpers import random_pixels
from PIL import Image

from torchdenoise.data import read_picture, write_picture


@pytest.mark.parametrize(
    ("mode", "target", "options"),
    [
        ("1", "L", {}),
        ("P", "RGB", {}),
        ("P", "RGB", {"bits": 2}),
        ("P", "RGBA", {"transparency": 1}),
        ("L", "LA", {"transparency": 9}),
    ],
)
def test_palettes_bits_and_transparent_colours_are_expanded(tmp_path, mode, target, options):
    grey = Image.fromarray(random_pixels())
    image = grey.convert("RGB").quantize(4) if mode == "P" else grey.convert(mode)
    image.save(tmp_path / "a.png", **options)
    picture = read_picture(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(picture.restore(picture.image), np.asarray(opened.convert(target)))


def with_chunk(data, name, content):
    """A PNG with one more chunk after its header."""
    size, check = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(name + content))
    return data[:33] + size + name + content + check + data[33:]


def test_png_keeps_its_gamma(tmp_path):
    data = with_chunk(imagecodecs.png_encode(random_pixels()), b"gAMA", struct.pack(">I", 100000))
    (tmp_path / "in.png").write_bytes(data)
    picture = read_picture(tmp_path / "in.png")
    write_picture(tmp_path / "out.png", picture.image, picture)
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["gamma"] == 1.0


def test_a_broken_profile_is_dropped_silently(tmp_path, capfd):
    (tmp_path / "a.png").write_bytes(with_chunk(imagecodecs.png_encode(random_pixels()), b"iCCP", b"icc\0\0broken"))
    assert read_picture(tmp_path / "a.png").icc is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [(b"zTXt", b"x\0\0", True), (b"iTXt", b"x\0\1\0\0\0", True), (b"iCCP", b"x\0\0", False)],
)
def test_texts_that_unpack_to_far_too_much_are_left_out(tmp_path, name, head, said):
    bomb = zlib.compress(bytes((1 << 24) + 1))
    (tmp_path / "in.png").write_bytes(with_chunk(imagecodecs.png_encode(random_pixels()), name, head + bomb))
    picture = read_picture(tmp_path / "in.png")
    assert picture.icc is None
    assert any("longer than 1 MB" in note for note in picture.notes) == said
    write_picture(tmp_path / "out.png", picture.image, picture)
    assert (tmp_path / "out.png").stat().st_size < 5000


@pytest.mark.parametrize(("name", "head"), [(b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\1\0\0\0")])
def test_packed_texts_are_kept(tmp_path, name, head):
    chunk = head + zlib.compress(b"a sample")
    (tmp_path / "in.png").write_bytes(with_chunk(imagecodecs.png_encode(random_pixels()), name, chunk))
    picture = read_picture(tmp_path / "in.png")
    write_picture(tmp_path / "out.png", picture.image, picture)
    with Image.open(tmp_path / "out.png") as out:
        assert out.text["x"] == "a sample"


def test_what_follows_the_end_is_not_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(random_pixels()) + bytes(10**6))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.restore(picture.image), random_pixels())


@pytest.mark.parametrize("name", [b"gAMA", b"cHRM", b"sRGB", b"cICP"])
@pytest.mark.parametrize("content", [b"", b"abc", bytes(40)])
def test_a_damaged_colour_space_is_not_passed_on(tmp_path, name, content):
    path = tmp_path / "a.png"
    path.write_bytes(with_chunk(imagecodecs.png_encode(random_pixels()), name, content))
    picture = read_picture(path)
    write_picture(tmp_path / "b.png", picture.image, picture)
    assert name not in (tmp_path / "b.png").read_bytes()
