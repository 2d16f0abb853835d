"""What ``denoise`` says about pictures that it converts, and the options that concern files."""

import re

import numpy as np
import pytest
import tifffile
from helpers import noisy_scene, random_pixels, write_png
from PIL import Image

from torchdenoise.data import Picture, read_picture, write_picture

FEW = ("--max-steps", "2", "--device", "cpu")


def pixels(path):
    picture = read_picture(path)
    return picture.restore(picture.image)


def test_masked_pixels_stay_as_they_are(run, tmp_path, noisy_png):
    mask = np.zeros((*pixels(noisy_png).shape[:2], 1))
    mask[4:9, 5:20] = 1
    write_png(tmp_path / "mask.png", mask)
    assert run("denoise", "noisy.png", "--mask", "mask.png", *FEW).code == 0
    before, after = pixels(noisy_png), pixels(tmp_path / "noisy_denoised.png")
    hidden = mask[..., 0] > 0
    np.testing.assert_array_equal(after[hidden], before[hidden])
    assert (after[~hidden] != before[~hidden]).any()
    write_png(tmp_path / "small.png", mask[:5])
    outcome = run("denoise", "noisy.png", "--mask", "small.png", "--overwrite", *FEW)
    assert outcome.code == 2
    assert "noisy.png: the mask is 28x5 pixels, the picture 28x24: give a mask of the picture's size" in outcome.err


@pytest.mark.parametrize(
    ("suffix", "shape", "dtype"),
    [
        (".png", (9, 7, 4), "uint16"),
        (".tif", (9, 7, 3), "float32"),
        (".bmp", (9, 7, 4), "uint8"),
        (".webp", (9, 7, 3), "uint8"),
        (".pgm", (1, 7), "uint16"),
        (".jp2", (9, 7, 3), "uint16"),
    ],
)
def test_strength_0_gives_the_same_pixels_and_metadata(run, tmp_path, suffix, shape, dtype):
    exif = Image.Exif()
    exif[274] = 6
    fields = {"icc": b"profile", "exif": exif.tobytes().removeprefix(b"Exif\0\0"), "xmp": b"<x/>", "dpi": (100, 200)}
    array = random_pixels(shape, dtype)
    written = Picture.from_array(array, text=((b"tEXt", b"Author\0A. Smith"),), **fields)
    write_picture(tmp_path / f"a{suffix}", written.image, written)
    outcome = run("denoise", f"a{suffix}", "--strength", "0", *FEW)
    assert outcome.code == 0, outcome.err
    before, after = (read_picture(tmp_path / f"{name}{suffix}") for name in ("a", "a_denoised"))
    np.testing.assert_array_equal(after.restore(after.image), array)
    for name in fields:
        assert getattr(after, name) == getattr(before, name)
    assert after.text[: len(before.text)] == before.text  # what was found about the noise follows


def test_quality(run, tmp_path, noisy_png):
    for quality in ("30", "95"):
        assert run("denoise", "noisy.png", "-o", f"{quality}.jpg", "--quality", quality, *FEW).code == 0
    assert run("denoise", "noisy.png", "-o", "default.jpg", *FEW).code == 0
    sizes = {name: (tmp_path / f"{name}.jpg").stat().st_size for name in ("30", "95", "default")}
    assert sizes["30"] < sizes["95"] == sizes["default"]
    assert "give a whole number from 1 to 100" in run("denoise", "noisy.png", "--quality", "0", *FEW).err


def test_conversions_and_losses_are_said(run, tmp_path):
    image = Image.fromarray(random_pixels((24, 24, 3)))
    image.convert("CMYK").save(tmp_path / "a.jpg")
    image.save(tmp_path / "b.png", icc_profile=b"profile")
    outcome = run("denoise", "a.jpg", *FEW)
    assert "a.jpg: is CMYK: converted to RGB, and the result is RGB" in outcome.out
    outcome = run("denoise", "b.png", "-o", "b.bmp", *FEW)
    assert "b.bmp: cannot hold what the input has: colour profile" in outcome.out


@pytest.mark.parametrize("suffix", [".png", ".npy", ".jpg", ".tif"])
def test_what_only_a_tiff_keeps_of_a_single_one_is_named(run, tmp_path, suffix):
    tags = [(33550, "d", 3, (1.0, 1.0, 0.0), True)]
    save = {"description": "stained with eosin", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", random_pixels((24, 24)), extratags=tags, **save)
    tifffile.imwrite(tmp_path / "b.tif", random_pixels((24, 24)))  # with a description of its shape only
    line = "cannot hold what the input has: the description of the TIFF, GeoTIFF tags"
    outcome = run("denoise", "a.tif", "-o", f"c{suffix}", *FEW)
    assert (f"c{suffix}: {line}" in outcome.out) == (suffix != ".tif")
    assert "cannot hold" not in run("denoise", "b.tif", "-o", f"d{suffix}", *FEW).out


def test_names_reach_the_terminal_without_escape_sequences(run, tmp_path):
    write_png(tmp_path / "a\x1b[31mb.png", noisy_scene())
    outcome = run("denoise", "a\x1b[31mb.png", *FEW)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert "a\\x1b[31mb_denoised.png" in outcome.out
    (tmp_path / "bad\x1b.png").write_text("no picture")
    outcome = run("denoise", "bad\x1b.png", *FEW)
    assert (outcome.code, "\x1b" in outcome.err) == (2, False)


@pytest.mark.parametrize("words", [("--recipe", "r" * 300), ("--ckpt", "c" * 300)])
def test_names_that_are_too_long(run, noisy_png, words):
    outcome = run("denoise", "noisy.png", *words)
    assert outcome.code == 2
    # Since Python 3.14, Path.exists keeps what the system says of the name to itself.
    assert re.search("the name is too long|unknown recipe|no such file", outcome.err)
    assert len(outcome.err.splitlines()) == 1
