"""A format of the user's own: one class in one file, here ``graymap.py``, is enough."""

import gc
import importlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import noisy_scene, random_pixels, save_picture

from torchdenoise import paths
from torchdenoise.data import PictureFormat, check_output, find_pictures, read_picture, write_picture
from torchdenoise.data.formats import (
    BMP,
    CZI,
    DICOM,
    FITS,
    GIF,
    JPEG,
    JPEG2000,
    LIF,
    MRC,
    ND2,
    PNG,
    TIFF,
    Netpbm,
    NIfTI,
    NIfTIPacked,
    NumPy,
    NumPyArchive,
    WebP,
    Zarr,
    check_fit,
    decode,
    encode,
)
from torchdenoise.data.headers import Header, header
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

OURS = (PNG, TIFF, JPEG, NumPy, NumPyArchive, BMP, GIF, WebP, Netpbm, JPEG2000, Zarr)
OURS += (NIfTI, NIfTIPacked, MRC, FITS, DICOM, CZI, ND2, LIF)


@pytest.fixture
def own(monkeypatch):
    """Forget the formats that a test defines."""
    monkeypatch.setattr(paths, "_FORMATS", dict(paths._FORMATS))
    yield
    gc.collect()


@pytest.fixture
def graymap(own, monkeypatch):
    """Import the user's module."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    importlib.import_module("graymap")
    yield
    del sys.modules["graymap"]


def save_graymap(path, array):
    white = np.iinfo(array.dtype).max
    path.write_bytes(f"G5\n{array.shape[1]} {array.shape[0]}\n{white}\n".encode() + array.byteswap().tobytes())
    return path


def pixels(path):
    """Return the pixels of a 16-bit graymap without any code of the format."""
    lines = path.read_bytes().split(b"\n", 1)
    _, width, height, _ = lines[0].split()
    return np.frombuffer(lines[1], ">u2").reshape(int(height), int(width))


def test_the_ground_floor_knows_the_formats_of_the_package():
    known = {suffix: paths._FORMATS[suffix] for cls in OURS for suffix in cls.suffixes}
    assert known == {suffix: (cls.short_name, cls.output_suffix) for cls in OURS for suffix in cls.suffixes}
    named = paths.format_suffixes()  # other tests may have added a format
    ours = [named[cls.short_name] for cls in OURS]
    assert ours[:11] == [".png", ".tiff", ".jpg", ".npy", ".npz", ".bmp", ".gif", ".webp", ".ppm", ".jp2", ".zarr"]
    assert ours[11:] == [".nii", ".nii.gz", ".mrc", ".fits", ".dcm", ".czi", ".nd2", ".lif"]
    assert {name for name in paths._FOLDERS if name in named} == {cls.short_name for cls in OURS if cls.folder}
    assert {cls.short_name for cls in OURS if cls.floats} <= paths._HOLD_FLOATS


@pytest.mark.usefixtures("graymap")
def test_an_own_format_is_read_and_written(tmp_path):
    array = random_pixels(dtype="uint16")
    picture = read_picture(save_graymap(tmp_path / "in.GRAY", array))
    np.testing.assert_array_equal(picture.restore(picture.image), array)
    assert header(tmp_path / "in.GRAY") == Header.of(picture)
    write_picture(tmp_path / "out.gray", picture.image, picture)
    np.testing.assert_array_equal(pixels(tmp_path / "out.gray"), array)
    write_picture(tmp_path / "out.png", picture.image, picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").image, picture.image)


@pytest.mark.usefixtures("graymap")
def test_a_format_gets_back_what_only_it_can_hold(tmp_path):
    (tmp_path / "in.gray").write_bytes(b"G5 2 1 4095 " + np.array([7, 4095], ">u2").tobytes())
    picture = read_picture(tmp_path / "in.gray")
    write_picture(tmp_path / "out.gray", picture.image, picture)
    assert (tmp_path / "out.gray").read_bytes() == b"G5 2 1 4095\n" + np.array([7, 4095], ">u2").tobytes()


@pytest.mark.usefixtures("graymap")
def test_folders_and_outputs(tmp_path):
    save_graymap(tmp_path / "a.gray", random_pixels(dtype="uint16"))
    save_picture(tmp_path / "b.png", random_pixels())
    (tmp_path / "c.heic").touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.gray", "b.png"]
    assert paths.default_output(Path("a.gray")) == Path("a_denoised.gray")


@pytest.mark.usefixtures("graymap")
def test_messages_name_the_own_format(tmp_path):
    with pytest.raises(PictureError, match=r"a.heic: .heic is not supported; use .png, .* or .gray$"):
        check_output(tmp_path / "a.heic", Picture.from_array(random_pixels()))
    with pytest.raises(PictureError, match=r"no PNG, .* or Graymap picture in this folder"):
        find_pictures(tmp_path)
    with pytest.raises(PictureError, match=r"is not a PNG, .* or Graymap picture, despite its name"):
        decode(io.BytesIO(b"nothing"))
    with pytest.raises(PictureError, match=r"a.gray: Graymap holds grey pictures of 8 and 16 bits; write .tiff"):
        check_output(tmp_path / "a.gray", Picture.from_array(random_pixels((9, 7, 3))))
    (tmp_path / "cut.gray").write_bytes(b"G5 9 7 255\n123")
    with pytest.raises(PictureError, match=r"cut.gray: damaged or cut short \(.*\); copy it again"):
        read_picture(tmp_path / "cut.gray")


def constant(value):
    """Return a format whose pictures have the one given value."""

    class Constant(PictureFormat):
        def read(self, file):
            return np.full((1, 1), value, np.uint8), {}

        def write(self, array, like):
            return b"CON%d" % value

    return Constant


@pytest.mark.usefixtures("own")
def test_the_newest_format_of_a_suffix_wins():
    first = type("First", (constant(1),), {"suffixes": (".con",), "magic": (b"CON",), "output_suffix": ".png"})
    assert paths.default_output(Path("a.con")).name == "a_denoised.png"
    second = type("Second", (constant(2),), {"suffixes": (".con",), "magic": (b"CON",)})
    assert decode(io.BytesIO(b"CON1"), ".con")[0] == 2
    picture = Picture.from_array(np.zeros((1, 1), np.uint8))
    check_fit(".con", picture)
    assert encode(picture.restore(picture.image), picture, ".con") == b"CON2"
    assert paths.default_output(Path("a.con")).name == "a_denoised.con"
    assert (first.short_name, second.short_name) == ("First", "Second")


@pytest.mark.usefixtures("own")
def test_the_suffix_decides_between_formats_that_begin_alike(tmp_path):
    raw = type("Raw", (constant(3),), {"suffixes": (".dng",), "magic": (b"II*\0",)})
    path = save_picture(tmp_path / "a.tif", random_pixels())
    for suffix, shape in ((".dng", (1, 1)), (".tif", (9, 7)), (".png", (9, 7))):  # a TIFF called .png is a TIFF
        assert read_picture(shutil.copy(path, tmp_path / f"b{suffix}")).shape == shape
    assert raw.short_name == "Raw"


@pytest.mark.usefixtures("own")
def test_without_first_bytes_the_suffix_decides(tmp_path):
    plain = type("Plain", (constant(4),), {"suffixes": (".plain",)})
    for name, shape in (("a.plain", (1, 1)), ("b.plain", (9, 7))):
        (tmp_path / name).write_bytes(b"12 13 14")
        if name == "b.plain":
            save_picture(tmp_path / "b.png", random_pixels()).rename(tmp_path / name)
        assert read_picture(tmp_path / name).shape == shape
    (tmp_path / "a.png").write_bytes(b"12 13 14")
    with pytest.raises(PictureError, match=r"is not a PNG, .* or Plain picture"):
        read_picture(tmp_path / "a.png")
    assert plain.short_name == "Plain"


@pytest.mark.usefixtures("own")
def test_an_unknown_suffix_loads_the_installed_plugins(monkeypatch):
    monkeypatch.setattr("torchdenoise.registry.load_plugins_once", lambda: paths.add_format("Late", [".late"]))
    paths.check_suffix(Path("a.png"))
    assert "Late" not in paths.format_suffixes()
    paths.check_suffix(Path("a.late"))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("suffixes", [".con", (".CON",), ("con",)])
def test_suffixes_that_match_no_file_are_refused(suffixes):
    with pytest.raises(TypeError, match=r"Wrong.suffixes is .*: give a tuple of lower-case suffixes"):
        type("Wrong", (constant(5),), {"suffixes": suffixes})


@pytest.mark.usefixtures("graymap")
def test_commands_list_and_denoise_an_own_format(run, tmp_path):
    assert run("--import", "graymap", "list", "formats", "graymap").out.startswith(
        "Graymap\tGrey, 8 and 16 bits, uncompressed.\t"
    )
    path = save_graymap(tmp_path / "noisy.gray", np.round(noisy_scene(channels=1)[..., 0] * 65535).astype(np.uint16))
    words = ["denoise", path, "--recipe", "zsn2n", "--max-steps", "1", "--device", "cpu"]
    assert run("--import", "graymap", *words).code == 0
    assert pixels(tmp_path / "noisy_denoised.gray").shape == (24, 28)


@pytest.mark.slow
def test_denoise_in_a_fresh_process(tmp_path):
    shutil.copy(Path(__file__).with_name("graymap.py"), tmp_path)
    save_graymap(tmp_path / "noisy.gray", np.round(noisy_scene(channels=1)[..., 0] * 65535).astype(np.uint16))
    words = "-m torchdenoise --import graymap denoise noisy.gray --recipe zsn2n --max-steps 1 --device cpu"
    outcome = subprocess.run(
        [sys.executable, *words.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert outcome.returncode == 0, outcome.stderr
    assert pixels(tmp_path / "noisy_denoised.gray").shape == (24, 28)


@pytest.mark.slow
def test_a_strangers_package_brings_a_format(tmp_path):
    """An installed package is a module and its entry point; nothing names it on the command line."""
    shutil.copy(Path(__file__).with_name("graymap.py"), tmp_path)
    (tmp_path / "strange-1.0.dist-info").mkdir()
    (tmp_path / "strange-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (tmp_path / "strange-1.0.dist-info" / "entry_points.txt").write_text("[torchdenoise.plugins]\ngray = graymap\n")
    (tmp_path / "in").mkdir()
    save_graymap(tmp_path / "in" / "noisy.gray", random_pixels(dtype="uint16"))
    code = """
from torchdenoise.cli import main
assert main(["list", "formats", "graymap"]) == 0
assert main("denoise in -o out --strength 0 --device cpu".split()) == 0
assert main("denoise in/noisy.gray -o out/noisy.fits --strength 0 --device cpu".split()) == 0
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(paths.__file__).parents[1])])}
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("Graymap\tGrey, 8 and 16 bits")
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "noisy.gray"), random_pixels(dtype="uint16"))


def test_packages_of_extras_are_imported_where_they_are_used():
    code = "import sys, torchdenoise.data; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"zarr", "nibabel", "mrcfile", "astropy", "pydicom", "czifile", "nd2", "liffile"} & set(loaded)
