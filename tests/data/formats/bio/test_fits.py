"""FITS: pixels, cards and the other parts of a file come back."""

import numpy as np
import pytest
from helpers import copy_planes, copy_with_remark, random_pixels

from torchdenoise.data import ArrayPlanes, Axes, Picture, check_planes_output, open_planes, read_picture, write_picture
from torchdenoise.errors import PictureError

fits = pytest.importorskip("astropy.io.fits")

TYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def save(path, array, *others, cards=(), **options):
    header = fits.Header([("OBJECT", "M 31", "a galaxy"), ("CRVAL1", 10.68), ("EXPTIME", 30.0), *cards])
    header["HISTORY"] = "flat divided"
    fits.HDUList([fits.PrimaryHDU(array, header), *others]).writeto(path, **options)
    return path


@pytest.mark.parametrize("dtype", TYPES)
def test_a_cube_comes_back_byte_by_byte(tmp_path, dtype):
    array = (random_pixels((5, 9, 8), "uint8") // 2).astype(dtype)
    path = save(tmp_path / "in.fits", array)
    planes = copy_planes(path, tmp_path / "out.fits", "TYX", order=-1)
    assert planes.dtype == dtype
    np.testing.assert_array_equal(planes.plane(1) if dtype != "int8" else array[1], array[1])
    assert (tmp_path / "out.fits").read_bytes() == path.read_bytes()


def test_tables_and_the_errors_beside_a_picture_stay(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(4.0))])
    science = fits.ImageHDU(random_pixels((3, 9, 8), "uint16"), name="SCI")
    errors = fits.ImageHDU(np.ones((3, 9, 8), np.float32), name="ERR")
    path = tmp_path / "in.fits"
    fits.HDUList([fits.PrimaryHDU(), table, science, errors]).writeto(path)
    copy_planes(path, tmp_path / "out.fits", "TYX")
    assert (tmp_path / "out.fits").read_bytes() == path.read_bytes()
    copy_planes(path, tmp_path / "float.fits", "TYX", dtype=np.dtype("float32"))
    with fits.open(tmp_path / "float.fits") as parts:
        parts.verify("exception")
        assert [part.name for part in parts] == ["PRIMARY", "", "SCI", "ERR"]
        assert parts["SCI"].data.dtype == ">f4"
        np.testing.assert_array_equal(parts["SCI"].data, random_pixels((3, 9, 8), "uint16"))
        assert "BZERO" not in parts["SCI"].header
        np.testing.assert_array_equal(parts["ERR"].data, 1)
    fits.HDUList([fits.PrimaryHDU(np.ones((9, 8))), errors]).writeto(tmp_path / "two.fits")
    with pytest.raises(PictureError, match=r"two.fits: holds 2 pictures \(PRIMARY, ERR\), none or several called SCI"):
        open_planes(tmp_path / "two.fits", "TYX")


def test_scaled_values_stay_as_they_are_stored(tmp_path):
    array = random_pixels((3, 9, 8), "uint8").astype("int16")
    path = save(tmp_path / "in.fits", array)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as parts:
        parts[0].header["BSCALE"], parts[0].header["BZERO"] = 0.5, 100
    copy_planes(path, tmp_path / "out.fits", "TYX")
    assert (tmp_path / "out.fits").read_bytes() == path.read_bytes()


def test_a_checksum_is_not_kept(tmp_path):
    path = save(tmp_path / "in.fits", random_pixels((3, 9, 8)), checksum=True)
    planes = copy_planes(path, tmp_path / "out.fits", "TYX")
    assert planes.lost == ("the checksum",)
    header = fits.getheader(tmp_path / "out.fits")
    assert "CHECKSUM" not in header
    assert (header["OBJECT"], header.comments["OBJECT"]) == ("M 31", "a galaxy")


def test_a_remark_is_a_line_of_the_history(tmp_path):
    path = save(tmp_path / "in.fits", random_pixels((3, 9, 8)))
    copy_with_remark(path, tmp_path / "stack.fits", "noise: white, level 25 of 255, " + 60 * "x", "TYX")
    one = Picture.from_array(random_pixels((9, 8))).with_remarks(["noise: \u03c3 2"])
    write_picture(tmp_path / "one.fits", one.image, one)
    for name, expected in {
        "stack": ["flat divided", "torchdenoise: noise: white, level 25 of 255, " + 27 * "x", 33 * "x"],
        "one": ["torchdenoise: noise: ? 2"],
    }.items():
        with fits.open(tmp_path / f"{name}.fits") as parts:
            parts.verify("exception")
            assert list(parts[0].header["HISTORY"]) == expected


def test_cards_that_break_a_rule_stay_beside_the_history(tmp_path):
    path = save(tmp_path / "in.fits", random_pixels((9, 8)))
    path.write_bytes(path.read_bytes().replace(b"OBJECT  =", b"object  =", 1))
    picture = read_picture(path).with_remarks(["noise: white"])
    write_picture(tmp_path / "out.fits", picture.image, picture)
    before, after = path.read_bytes(), (tmp_path / "out.fits").read_bytes()
    end = before.index(b"END" + 77 * b" ")
    line = b"HISTORY torchdenoise: noise: white".ljust(80)
    assert after == before[:end] + line + before[end : 2880 - 80] + before[2880:]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_single_picture_with_holes(tmp_path, dtype):
    array = random_pixels((1, 9, 8), "uint16" if dtype == "uint16" else "uint8").astype(dtype)
    if dtype == "float32":
        array[0, 2:4, 3] = np.nan
    path = save(tmp_path / "in.fits", array)
    assert open_planes(path) is None
    picture = read_picture(path)
    assert (picture.holes is not None) == (dtype == "float32")
    write_picture(tmp_path / "out.fits", picture.image, picture)
    assert (tmp_path / "out.fits").read_bytes() == path.read_bytes()


def test_the_value_for_no_data_is_a_hole(tmp_path):
    array = random_pixels((9, 8), "uint8").astype("int16")
    array[3, 4] = -999
    path = save(tmp_path / "a.fits", array, cards=[("BLANK", -999)])
    assert np.argwhere(read_picture(path).holes).tolist() == [[3, 4]]
    path = save(tmp_path / "b.fits", np.stack([array, array]), cards=[("BLANK", -999)])
    with open_planes(path, "TYX") as planes:
        assert planes.lost == ("holes (the value for no data, -999, counts as a brightness)",)


def test_what_another_format_lacks_of_a_single_picture_is_said(run, tmp_path):
    path = save(tmp_path / "a.fits", random_pixels((9, 8)), checksum=True)
    outcome = run("denoise", path, "-o", "a.tif", "--strength", "0", "--device", "cpu")
    assert outcome.code == 0
    assert f"{path}: not kept: the checksum" in outcome.out
    assert "a.tif: cannot hold what the input has: the header of the FITS" in outcome.out
    assert "cannot hold" not in run("denoise", path, "-o", "b.fits", "--strength", "0", "--device", "cpu").out


@pytest.mark.parametrize("dtype", TYPES)
def test_a_new_file(tmp_path, dtype):
    array = (random_pixels((5, 2, 9, 8), "uint8") // 2).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    copy_planes(tmp_path / "a.npy", tmp_path / "a.fits", "TCYX")
    with fits.open(tmp_path / "a.fits") as parts:
        parts.verify("exception")
        np.testing.assert_array_equal(parts[0].data, array)


def test_what_is_refused(tmp_path):
    path = save(tmp_path / "a.fits", random_pixels((5, 9, 8), "uint16"))
    with pytest.raises(PictureError, match=r"a.fits: shape \(5, 9, 8\) is not one picture .*--axes TYX"):
        open_planes(path)
    with pytest.raises(PictureError, match=r"FITS cannot hold float16"):
        check_planes_output(tmp_path / "b.fits", ArrayPlanes(np.zeros((5, 9, 8), np.float16), Axes("TYX")))
    with pytest.raises(PictureError, match=r"FITS holds no colours"):
        check_planes_output(tmp_path / "b.fits", ArrayPlanes(np.zeros((9, 8, 3), np.uint8), Axes("YXS")))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(random_pixels((40, 40)))]).writeto(tmp_path / "c.fits")
    with pytest.raises(PictureError, match=r"c.fits: holds a packed picture; unpack it with funpack first"):
        open_planes(tmp_path / "c.fits")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:1000], "damaged or cut short"),
        (lambda data: data[:3000], "damaged or cut short"),
        (
            lambda data: data.replace(b"NAXIS1  =                    8", b"NAXIS1  =            888888888"),
            "claims 888888888 x 9",
        ),
        (
            lambda data: data.replace(b"NAXIS3  =                    5", b"NAXIS3  =            555555555"),
            "damaged or cut",
        ),
        (lambda data: data.replace(b"BITPIX  =                    8", b"BITPIX  =                    9"), "damaged"),
        (
            lambda data: data.replace(b"NAXIS   =                    3", b"NAXIS   =                    0"),
            "damaged or cut",
        ),
        (lambda data: data[:80] + b"\xff\0\x1b" * 900, "damaged or cut short|holds 0 pictures"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, damage, message):
    path = save(tmp_path / "a.fits", random_pixels((5, 9, 8)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PictureError, match=message) as caught:
        open_planes(path, "TYX")
    assert "\n" not in str(caught.value)
