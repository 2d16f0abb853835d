import errno
import io
import shutil
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from torchdenoise.data import files
from torchdenoise.data.files import check_output, read_picture, write_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError

LAYOUTS = {"grey": (9, 7), "grey-alpha": (9, 7, 2), "rgb": (9, 7, 3), "rgb-alpha": (9, 7, 4)}


def pixels(shape=(9, 7), dtype="uint8"):
    """Random values of the full range of integers, of 0..1 for floats."""
    random = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, min(np.iinfo(dtype).max, 1 << 20), shape, dtype=dtype, endpoint=True)


def tiff_options(shape):
    alpha = len(shape) == 3 and shape[-1] in (2, 4)
    return {
        "photometric": "rgb" if len(shape) == 3 and shape[-1] > 2 else "minisblack",
        "planarconfig": "contig" if len(shape) == 3 else None,
        "extrasamples": ["unassalpha"] if alpha else None,
    }


def save(path, array, **options):
    """Write a picture with the libraries alone."""
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(array))
    elif path.suffix == ".jpg":
        Image.fromarray(array).save(path, **options)
    else:
        tifffile.imwrite(path, array, **tiff_options(array.shape) | options)
    return path


def stored(path):
    return tifffile.imread(path) if path.suffix == ".tif" else np.asarray(imagecodecs.png_decode(path.read_bytes()))


@pytest.mark.parametrize("shape", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", "uint8"), (".png", "uint16")]
    + [(".tif", dtype) for dtype in ("uint8", "uint16", "int16", "int32", "float16", "float32", "float64")],
)
def test_pictures_come_back_as_they_were(tmp_path, suffix, dtype, shape):
    array = pixels(shape, dtype)
    picture = read_picture(save(tmp_path / f"in{suffix}", array))
    channels = 3 if shape[2:] in ((3,), (4,)) else 1
    assert picture.image.shape == (1, channels, 9, 7)
    assert picture.image.dtype == torch.float32
    assert 0 <= picture.image.min() <= picture.image.max() <= 1
    restored = picture.restore(picture.image)
    assert (restored.shape, restored.dtype) == (array.shape, array.dtype)
    exact = dtype != "float64"  # images are float32
    np.testing.assert_allclose(restored, array, rtol=0 if exact else 1e-6)

    write_picture(tmp_path / f"out{suffix}", picture.image, picture)
    np.testing.assert_array_equal(stored(tmp_path / f"out{suffix}"), restored)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


def test_alpha_is_neither_denoised_nor_part_of_the_range():
    array = np.dstack([pixels(dtype="uint8")] * 3 + [np.full((9, 7), 65535)]).astype("uint16")
    picture = Picture.from_array(array)
    assert picture.scaling.high == 1023
    np.testing.assert_array_equal(picture.restore(torch.zeros_like(picture.image))[..., 3], array[..., 3])


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4), (1, 1)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_arrays_keep_their_layout_in_memory_and_in_files(tmp_path, suffix, shape):
    array = pixels(shape)
    picture = Picture.from_array(array)
    np.testing.assert_array_equal(picture.restore(picture.image), array)
    write_picture(tmp_path / f"a{suffix}", picture.image, picture)
    np.testing.assert_array_equal(stored(tmp_path / f"a{suffix}").reshape(shape), array)


@pytest.mark.parametrize("shape", [(7,), (2, 9, 7, 3), (3, 9, 7), (0, 5)])
def test_other_shapes_are_no_pictures(shape):
    with pytest.raises(UserError, match="shape"):
        Picture.from_array(np.zeros(shape))


def test_restoring_another_size_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="expected an image of shape"):
        Picture.from_array(pixels()).restore(torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_read_and_written_on_request(tmp_path, mode):
    save(tmp_path / "in.jpg", np.asarray(Image.fromarray(pixels((16, 16, 3))).convert(mode)))
    picture = read_picture(tmp_path / "in.jpg")
    np.testing.assert_array_equal(picture.restore(picture.image), np.asarray(Image.open(tmp_path / "in.jpg")))
    write_picture(tmp_path / "out.jpg", picture.image, picture)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == mode
        assert all(component[1:3] == (1, 1) for component in image.layer)  # no subsampling


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
    grey = Image.fromarray(pixels())
    image = grey.convert("RGB").quantize(4) if mode == "P" else grey.convert(mode)
    image.save(tmp_path / "a.png", **options)
    picture = read_picture(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(picture.restore(picture.image), np.asarray(opened.convert(target)))


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", [bool, "uint8", "uint16"])
def test_tiff_of_one_bit_or_with_white_as_zero_reads_as_grey(tmp_path, dtype, photometric):
    array = pixels() > 99 if dtype is bool else pixels(dtype=dtype)
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
def test_tiff_keeps_packing_resolution_and_notes(tmp_path, options):
    array, tags = pixels((20, 30, 3), "uint16"), [(274, "H", 1, 6, True)]
    note = "ImageJ=1.54\nunit=micron\n"
    options |= {"resolution": (12.5, 25), "resolutionunit": 3, "iccprofile": b"profile", "description": note}
    save(tmp_path / "in.tif", array, metadata=None, extratags=tags, **options)
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
    array = pixels((3, 9, 7))
    tifffile.imwrite(tmp_path / "in.tif", array, photometric="rgb", planarconfig="separate")
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), np.moveaxis(array, 0, -1))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), array)


def test_lossy_tiff_is_read_and_written_without_loss(tmp_path):
    picture = read_picture(save(tmp_path / "in.tif", pixels((16, 16, 3)), compression="jpeg"))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(stored(tmp_path / "out.tif"), picture.restore(picture.image))


def test_previews_do_not_count_as_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(pixels(), metadata=None)
        writer.write(pixels((3, 3)), subfiletype=1, metadata=None)
    assert read_picture(tmp_path / "a.tif").shape == (9, 7)


@pytest.mark.parametrize("source", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".tif"])
def test_orientation_profile_and_density_survive_every_change_of_format(tmp_path, source, target):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.fromarray(pixels((16, 8, 3)))
    image.save(tmp_path / f"in{source}", exif=exif, icc_profile=b"profile" * 30, dpi=(100, 200))
    picture = read_picture(tmp_path / f"in{source}")
    assert picture.image.shape[2:] == (16, 8)  # as stored
    write_picture(tmp_path / f"out{target}", picture.image, picture)
    with Image.open(tmp_path / f"out{target}") as out:
        assert out.getexif()[274] == 6
        assert out.info["icc_profile"] == b"profile" * 30
        assert [float(value) for value in out.info["dpi"]] == pytest.approx([100, 200], rel=1e-3)


def with_chunk(data, name, content):
    """A PNG with one more chunk after its header."""
    size, check = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(name + content))
    return data[:33] + size + name + content + check + data[33:]


def test_png_keeps_its_gamma(tmp_path):
    data = with_chunk(imagecodecs.png_encode(pixels()), b"gAMA", struct.pack(">I", 100000))
    (tmp_path / "in.png").write_bytes(data)
    picture = read_picture(tmp_path / "in.png")
    write_picture(tmp_path / "out.png", picture.image, picture)
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["gamma"] == 1.0


def test_a_broken_profile_is_dropped_in_silence(tmp_path, capfd):
    (tmp_path / "a.png").write_bytes(with_chunk(imagecodecs.png_encode(pixels()), b"iCCP", b"icc\0\0broken"))
    assert read_picture(tmp_path / "a.png").icc is None
    assert capfd.readouterr() == ("", "")


def test_the_content_decides_not_the_name(tmp_path):
    save(tmp_path / "a.jpg", pixels((16, 16)))
    (tmp_path / "a.jpg").rename(tmp_path / "a.PNG")
    assert read_picture(str(tmp_path / "a.PNG")).shape == (16, 16)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def tiff_header(width, height):
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def jpeg_header(width, height):
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


HEADERS = {".png": png_header, ".tif": tiff_header, ".jpg": jpeg_header}


@pytest.mark.parametrize("suffix", HEADERS)
def test_bombs_are_refused_by_their_header(tmp_path, suffix):
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(HEADERS[suffix](60000, 60000))
    with pytest.raises(UserError, match=r"claims 60000 x 60000 pixels, more than the limit of 500 million; crop"):
        read_picture(path)


@pytest.mark.parametrize("suffix", HEADERS)
def test_pillow_has_no_say_in_the_size(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(save(tmp_path / f"a{suffix}", pixels((16, 16)))).shape == (16, 16)


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=["plain", "packed"])
def test_cut_files_are_named_as_such(tmp_path, suffix, kept, options):
    path = save(tmp_path / f"a{suffix}", pixels((64, 64, 3)), **options if suffix == ".tif" else {})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(UserError, match=r"cut short.*copy it again") as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def several(path, array, **options):
    with tifffile.TiffWriter(path) as writer:
        for _ in range(12):
            writer.write(array, metadata=None, **options)


def animation(path):
    frames = [Image.fromarray(pixels((9, 7, 3))), Image.fromarray(255 - pixels((9, 7, 3)))]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def with_nan(path):
    array = pixels(dtype="float32")
    array[0, :3] = np.nan
    tifffile.imwrite(path, array)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", lambda path: None, "no such file; check its name"),
        ("a.png", Path.mkdir, "is a folder, not a picture"),
        ("a.bmp", Path.touch, r"\.bmp is not supported; use \.png, \.tiff or \.jpg"),
        ("a", Path.touch, "a name without suffix is not supported"),
        ("a.png", lambda path: path.write_text("hello " * 9), "is not a PNG, TIFF or JPEG picture"),
        ("a.png", Path.touch, r"is empty \(0 bytes\)"),
        ("a.tif", Path.touch, r"is empty \(0 bytes\)"),
        ("a.tif", lambda path: path.write_bytes(b"II*\0" + bytes(8)), "holds no picture: empty or cut"),
        ("a.tif", lambda path: several(path, pixels()), "holds 12 pages; split it"),
        ("a.tif", lambda path: tifffile.imwrite(path, pixels((5, 9, 7)), imagej=True), "holds 5 pages"),
        ("a.png", animation, "holds 2 pages"),
        ("a.png", lambda path: path.write_bytes(png_header(0, 5)), r"has no pixels \(0 x 5\)"),
        ("a.tif", lambda path: path.write_bytes(tiff_header(0, 5)), r"has no pixels \(0 x 5\)"),
        ("a.jpg", lambda path: Image.new("CMYK", (9, 7)).save(path), "is a CMYK JPEG; convert it to RGB"),
        ("a.tif", lambda path: Image.new("CMYK", (9, 7)).save(path), "kind SEPARATED, YXS; convert it"),
        ("a.tif", lambda path: Image.new("P", (9, 7)).save(path), "kind PALETTE, YX; convert it"),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, pixels((9, 7, 5)), photometric="rgb", extrasamples=[0, 0]),
            "has 5 channels; keep 1",
        ),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, pixels((9, 7, 2)), photometric="minisblack", planarconfig="contig"),
            "has 2 channels; keep 1",
        ),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, pixels((9, 7), "float32").astype(complex)),
            "complex128 are not supported",
        ),
        ("a.tif", with_nan, "3 pixel values are NaN or infinite: replace them first"),
    ],
)
def test_every_bad_file_is_one_line_with_its_path(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        read_picture(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [(PermissionError(errno.EACCES, "no"), "no permission to read it"), (OSError(errno.EIO, "bad disk"), "bad disk")],
)
def test_what_the_system_refuses_to_read(tmp_path, monkeypatch, error, message):
    def refuse(*_, **__):
        raise error

    path = save(tmp_path / "a.png", pixels())
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=rf"a\.png: .*{message}"):
        read_picture(path)


def test_a_stack_that_one_page_tells_of_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((5, 24, 30), "u2"), photometric="minisblack", truncate=True)
    with pytest.raises(UserError, match=r"stack.tif: holds 5 pages; split it into single pages first"):
        read_picture(path)


def test_a_folder_that_cannot_be_written_is_told_before_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"a.png: no permission to write in this folder"):
        check_output(tmp_path / "a.png", Picture.from_array(np.zeros((4, 4), np.uint8)))


def test_too_little_memory_is_said(tmp_path, monkeypatch):
    def too_much(_):
        raise MemoryError

    monkeypatch.setattr(imagecodecs, "png_decode", too_much)
    with pytest.raises(UserError, match=r"a\.png: does not fit into memory"):
        read_picture(save(tmp_path / "a.png", pixels()))


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "message"),
    [
        ("a.png", "float32", (9, 7), r"PNG cannot hold float32; write \.tiff instead"),
        ("a.jpg", "uint16", (9, 7), r"JPEG cannot hold uint16; write \.png or \.tiff instead"),
        ("a.jpg", "float32", (9, 7), r"JPEG cannot hold float32; write \.tiff instead"),
        ("a.JPEG", "uint8", (9, 7, 4), "JPEG cannot hold transparency"),
        ("a.gif", "uint8", (9, 7), r"\.gif is not supported"),
        ("none/a.png", "uint8", (9, 7), "none: no such folder; create it first"),
        ("there.png", "uint8", (9, 7), "exists already; pass --overwrite or choose another output with -o"),
        ("folder.png", "uint8", (9, 7), "is a folder"),
        ("a" * 300 + ".png", "uint8", (9, 7), "cannot be written"),
    ],
)
def test_outputs_that_cannot_be(tmp_path, name, dtype, shape, message):
    (tmp_path / "there.png").write_text("precious")
    (tmp_path / "folder.png").mkdir()
    picture = Picture.from_array(pixels(shape, dtype))
    for refuse in (
        lambda: check_output(tmp_path / name, picture),
        lambda: write_picture(tmp_path / name, picture.image, picture),
    ):
        with pytest.raises(UserError, match=message) as caught:
            refuse()
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "there.png"]
    assert (tmp_path / "there.png").read_text() == "precious"


def test_premultiplied_alpha_stays_in_tiff(tmp_path):
    picture = read_picture(save(tmp_path / "a.tif", pixels((9, 7, 4)), extrasamples=["assocalpha"]))
    write_picture(tmp_path / "b.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].extrasamples == (1,)
    with pytest.raises(UserError, match="premultiplied"):
        check_output(tmp_path / "b.png", picture)


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError(errno.ENOSPC, "full"), UserError, "the disk is full"),
        (OSError(errno.EACCES, "no"), UserError, "no permission"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
    ids=["full", "forbidden", "interrupted"],
)
@pytest.mark.parametrize("stage", ["encode", "write", "replace"])
def test_failures_leave_nothing_behind(tmp_path, monkeypatch, stage, error, raised, message):
    class Half(io.FileIO):
        def write(self, data):
            super().write(data[:9])
            raise error

    def fail(*_):
        raise error

    path = tmp_path / "a.png"
    path.write_text("precious")
    picture = Picture.from_array(pixels())
    with monkeypatch.context() as patch:
        if stage == "encode":
            patch.setattr(files, "encode", fail)
        elif stage == "write":
            patch.setattr(Path, "open", lambda path, mode: Half(path, "x"))
        else:
            patch.setattr(Path, "replace", fail)
        with pytest.raises(raised, match=message):
            write_picture(path, picture.image, picture, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "precious"


@pytest.mark.parametrize(("shape", "dtype", "needed"), [((9, 7), "uint8", 2), ((1000, 1000, 3), "float32", 13)])
def test_a_disk_too_full_for_the_result_is_told_before_the_fit(tmp_path, monkeypatch, shape, dtype, needed):
    def usage(folder):
        assert folder == tmp_path
        return shutil._ntuple_diskusage(10**9, 10**9 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    picture = Picture.from_array(pixels(shape, dtype))
    free = (needed - 1) * 10**6 - 1
    message = (
        rf"a\.tif: the disk has {needed - 2} MB free and the result may need {needed} MB; "
        "free some space or choose another output with -o"
    )
    with pytest.raises(UserError, match=message):
        check_output(tmp_path / "a.tif", picture)
    write_picture(tmp_path / "b.tif", picture.image, picture)  # what is done is worth a try
    free = needed * 10**6
    check_output(tmp_path / "a.tif", picture)


def test_overwriting_replaces(tmp_path):
    path = save(tmp_path / "a.png", pixels())
    picture = read_picture(path)
    write_picture(path, torch.zeros_like(picture.image), picture, overwrite=True)
    assert not stored(path).any()
