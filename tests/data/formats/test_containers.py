"""BMP, WebP, PGM and PPM, GIF, JPEG 2000, and the kinds of pixels that become grey or RGB."""

import io

import numpy as np
import pytest
from helpers import random_pixels, save_picture
from PIL import Image, ImageCms

from torchdenoise.data import check_output, read_picture, write_picture
from torchdenoise.data.formats import Header, lost
from torchdenoise.data.headers import header
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def values(path):
    picture = read_picture(path)
    return picture.restore(picture.image)


@pytest.mark.parametrize(
    ("suffix", "shape", "dtype"),
    [(suffix, shape, "uint8") for suffix in (".bmp", ".jp2") for shape in ((9, 7), (9, 7, 3), (9, 7, 4), (1, 1))]
    + [(".webp", shape, "uint8") for shape in ((9, 7, 3), (9, 7, 4))]
    + [(".jp2", shape, "uint16") for shape in ((9, 7), (9, 7, 2), (9, 7, 3), (9, 7, 4))]
    + [(suffix, (9, 7), dtype) for suffix in (".pgm", ".ppm") for dtype in ("uint8", "uint16")]
    + [(".ppm", (9, 7, 3), dtype) for dtype in ("uint8", "uint16")]
    + [(".gif", (9, 7), "uint8")],
)
def test_pixels_come_back(tmp_path, suffix, shape, dtype):
    array = random_pixels(shape, dtype)
    picture = Picture.from_array(array)
    path = tmp_path / f"a{suffix}"
    write_picture(path, picture.image, picture)
    np.testing.assert_array_equal(values(path), array)
    assert header(path) == Header.of(picture)
    if dtype == "uint8":  # Pillow reads 16 bits as 8
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), array)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", ".bmp"), ("P", ".bmp"), ("L", ".bmp"), ("RGB", ".webp"), ("1", ".pbm"), ("P", ".gif")]
)
def test_pixels_of_others(tmp_path, mode, suffix):
    image = Image.fromarray(random_pixels((9, 7, 3))).convert(mode)
    image.save(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    expected = np.asarray(image.convert("L" if mode in ("1", "L") else "RGB"))
    np.testing.assert_array_equal(values(tmp_path / f"a{suffix}"), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"P2 # grey\n2 2\n# white\n255\n0 1\n2 255", [[0, 1], [2, 255]]),
        (b"P2\n2 1\n15\n3 15\n", [[51, 255]]),
        (b"P3 1 1 65535 1 2 65535", [[[1, 2, 65535]]]),
        (b"P1\n3 2\n1 0 1\n011", [[0, 255, 0], [255, 0, 0]]),
        (b"P4\n9 1\n\x80\x80", [[0, 255, 255, 255, 255, 255, 255, 255, 0]]),
        (b"P5 2 1 1000 " + np.array([7, 1000], ">u2").tobytes(), [[7, 1000]]),
    ],
)
def test_the_kinds_of_netpbm(tmp_path, text, expected):
    (tmp_path / "a.pnm").write_bytes(text)
    np.testing.assert_array_equal(values(tmp_path / "a.pnm"), expected)


def test_the_white_of_a_pgm_is_kept(tmp_path):
    pixels = np.array([7, 1000], ">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 1000 " + pixels)
    picture = read_picture(tmp_path / "a.pgm")
    write_picture(tmp_path / "b.pgm", picture.image, picture)
    assert (tmp_path / "b.pgm").read_bytes() == b"P5\n2 1\n1000\n" + pixels


def test_transparency_of_palettes(tmp_path):
    image = Image.fromarray(random_pixels((9, 7)) % 4).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    image.save(tmp_path / "a.gif", transparency=2)
    assert values(tmp_path / "a.gif").shape == (9, 7, 4)
    np.testing.assert_array_equal(values(tmp_path / "a.gif")[..., 3] == 0, np.asarray(image) == 2)


def test_cmyk_becomes_rgb_and_says_so(tmp_path):
    image = Image.fromarray(random_pixels((16, 16, 3))).convert("CMYK")
    image.save(tmp_path / "a.jpg", quality=100, icc_profile=b"profile of CMYK")
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.notes == ("is CMYK: converted to RGB, and the result is RGB",)
    assert picture.icc is None
    with Image.open(tmp_path / "a.jpg") as stored:
        expected = np.asarray(stored.convert("RGB"))
    np.testing.assert_array_equal(picture.restore(picture.image), expected)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".jp2"])
def test_metadata_is_kept(tmp_path, suffix):
    exif = Image.Exif()
    exif[274] = 6
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    text = ((b"tEXt", b"Author\0A. Smith"), (b"zTXt", b"Note\0\0x\x9c\x03\0\0\0\0\x01"))
    picture = Picture.from_array(random_pixels((16, 8, 3)), icc=PROFILE, exif=content, xmp=XMP, text=text)
    path = tmp_path / f"a{suffix}"
    write_picture(path, picture.image, picture)
    again = read_picture(path)
    assert (again.icc, again.exif, again.xmp) == (PROFILE, content, XMP)
    assert again.text == (text if suffix == ".png" else ())
    assert lost(suffix, picture) == ("" if suffix == ".png" else "text notes")
    if suffix != ".jp2":  # whose EXIF and XMP Pillow does not read
        with Image.open(path) as image:
            assert image.getexif()[274] == 6
            assert (image.info["icc_profile"], image.info["xmp"]) == (PROFILE, XMP)


def test_compressed_xmp_of_a_png(tmp_path):
    import zlib

    picture = Picture.from_array(
        random_pixels(), text=((b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(XMP)),)
    )
    write_picture(tmp_path / "a.png", picture.image, picture)
    again = read_picture(tmp_path / "a.png")
    assert (again.xmp, again.text) == (XMP, ())


def test_what_a_format_cannot_hold_is_named():
    picture = Picture.from_array(random_pixels(), icc=b"p", exif=b"e", xmp=b"x", dpi=(72, 72))
    assert lost(".bmp", picture) == "colour profile, EXIF (orientation, camera), XMP"
    assert lost(".pgm", picture).endswith("XMP, resolution")
    assert not lost(".png", picture)


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "message"),
    [
        ("a.bmp", "uint16", (9, 7), r"BMP cannot hold uint16; write \.png or \.tiff"),
        ("a.webp", "float32", (9, 7), r"WebP cannot hold float32; write \.tiff"),
        ("a.webp", "uint8", (1, 20_000), "WebP cannot hold more than 16383 rows or columns"),
        ("a.jpg", "uint8", (1, 66_000), "JPEG cannot hold more than 65500 rows or columns"),
        ("a.ppm", "uint8", (9, 7, 4), r"PGM and PPM cannot hold transparency; write \.png"),
        ("a.pgm", "float32", (9, 7), r"PGM and PPM cannot hold float32; write \.tiff"),
        (
            "a.gif",
            "uint8",
            (9, 7, 3),
            "GIF holds only 8-bit grey results, others need more than 256 colours; write .png",
        ),
        ("a.jp2", "float32", (9, 7), r"JPEG 2000 cannot hold float32; write \.tiff"),
    ],
)
def test_what_a_format_cannot_write(tmp_path, name, dtype, shape, message):
    with pytest.raises(PictureError, match=rf"{name}: {message}"):
        check_output(tmp_path / name, Picture.from_array(random_pixels(shape, dtype)))


def encoded(kind, count=1, **options):
    frames = [Image.fromarray(random_pixels((32, 30, 3)) // (number + 1)) for number in range(count)]
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if count > 1 else {}
    frames[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_animations_are_refused(tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind, 3))
    with pytest.raises(PictureError, match="holds 3 pages"):
        read_picture(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".bmp", encoded("BMP")),
        (".webp", encoded("WEBP", lossless=True)),
        (".ppm", encoded("PPM")),
        (".gif", encoded("GIF")),
        (".jp2", encoded("JPEG2000")),
    ],
)
def test_what_is_cut_short_is_refused(tmp_path, suffix, data, share):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PictureError, match=r"copy it again"):
        read_picture(path)


def test_names_of_other_formats(tmp_path):
    path = save_picture(tmp_path / "a.png", random_pixels())
    np.testing.assert_array_equal(values(path.rename(tmp_path / "a.webp")), random_pixels())
