"""NIfTI: pixels, header and extensions come back."""

import gzip
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import copy_planes, copy_with_remark, random_pixels

from torchdenoise.data import ArrayPlanes, Axes, Picture, check_planes_output, open_planes, read_picture, write_picture
from torchdenoise.errors import PictureError, UserError

nibabel = pytest.importorskip("nibabel")


def save(path, array, version=1, slope=None, big=False, zooms=(0.7, 0.8, 1.5, 2.0)):
    kind = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[version]
    header = kind.header_class(endianness=">" if big else "<")
    header.set_data_dtype(array.dtype)
    image = kind(array, np.diag([0.7, 0.8, 1.5, 1]), header)
    image.header.set_zooms(zooms[: array.ndim])
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"night"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"of the scanner"))
    if slope:
        image.header.set_slope_inter(*slope)
    nibabel.save(image, path)
    return path


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 4), (9, 8, 4, 3)])
def test_a_scan_comes_back_byte_by_byte(tmp_path, suffix, dtype, shape):
    path = save(tmp_path / f"in{suffix}", random_pixels(shape, "uint8" if dtype == "uint8" else "uint16").astype(dtype))
    planes = copy_planes(path, tmp_path / f"out{suffix}", order=-1)
    assert planes.axes.letters == "XYZT"[: len(shape)]
    assert content(tmp_path / f"out{suffix}") == content(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


@pytest.mark.parametrize("options", [{"version": 2}, {"big": True}, {"slope": (0.5, 10)}])
def test_other_headers_come_back(tmp_path, options):
    array = random_pixels((9, 8, 4), "uint16").astype("int16" if "slope" not in options else "int32") // 2
    path = save(tmp_path / "in.nii", array, **options)
    planes = copy_planes(path, tmp_path / "out.nii")
    assert content(tmp_path / "out.nii") == content(path)
    assert planes.calibration.steps == pytest.approx({"X": 0.7, "Y": 0.8, "Z": 1.5})
    assert planes.calibration.units == dict.fromkeys("XYZ", "millimeter")


def test_another_type_keeps_affine_and_scaling(tmp_path):
    path = save(tmp_path / "in.nii.gz", random_pixels((9, 8, 4), "uint16").astype("int32"), slope=(0.5, 10))
    copy_planes(path, tmp_path / "out.nii", dtype=np.dtype("float32"))
    before, after = nibabel.load(path), nibabel.load(tmp_path / "out.nii")
    assert after.get_data_dtype() == np.float32
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata())
    assert after.header.extensions[0].get_content() == before.header.extensions[0].get_content()


def test_a_new_scan(tmp_path):
    array = random_pixels((3, 4, 8, 9), "uint16")
    planes = ArrayPlanes(array, Axes("TZYX"))
    np.save(tmp_path / "a.npy", array)
    copy_planes(tmp_path / "a.npy", tmp_path / "a.nii", "TZYX")
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "a.nii").dataobj), array.transpose())
    copy_planes(save(tmp_path / "b.nii", array.transpose().astype("int16")), tmp_path / "b.tif")
    copy_planes(tmp_path / "b.tif", tmp_path / "c.nii")
    with open_planes(tmp_path / "c.nii") as found:  # through an OME-TIFF
        assert found.calibration.steps == pytest.approx({"X": 0.7, "Y": 0.8, "Z": 1.5, "T": 2.0})
        assert found.calibration.units == {"T": "second", **dict.fromkeys("XYZ", "millimeter")}
    for letters, dtype, message in (
        ("TQYX", "int16", "holds the axes X, Y"),
        ("TZYX", "float16", "cannot hold float16"),
    ):
        with pytest.raises(PictureError, match=f"NIfTI {message}"):
            check_planes_output(tmp_path / "d.nii", ArrayPlanes(planes.array, Axes(letters)), dtype)


def test_single_pictures(tmp_path):
    path = save(tmp_path / "a.nii", random_pixels((9, 8), "uint8"))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.restore(picture.image), random_pixels((9, 8), "uint8").T)
    write_picture(tmp_path / "b.nii.gz", picture.image, picture)
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(tmp_path / "b.nii.gz").dataobj), random_pixels((9, 8), "uint8")
    )


def claim(*shape):
    def change(data):
        header = nibabel.Nifti1Header(data[:348])
        header["dim"][: len(shape) + 1] = [len(shape), *shape]
        return header.binaryblock + data[348:]

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:300], "damaged or cut short"),
        (lambda data: data[:-9], "damaged or cut short"),
        (lambda data: b"nothing" * 99, "damaged or cut short"),
        (claim(30000, 30000, 30000), "claims 30000 x 30000 pixels|damaged or cut short"),
        (claim(20000, 20000, 9), "damaged or cut short"),
        (claim(9, -8, 4), "damaged"),
        (
            lambda data: data[:344] + b"ni1\0" + data[348:],
            "damaged or cut short|is not a NIfTI file of header and pixels",
        ),
        (lambda data: data[:70] + b"\x80\0\x18\0" + data[74:], "holds values of type"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_damaged_files_are_one_line(tmp_path, damage, message, suffix):
    path = tmp_path / f"a{suffix}"
    data = damage(content(save(path, random_pixels((9, 8, 4), "uint16"))))
    path.write_bytes(gzip.compress(data) if suffix == ".nii.gz" else data)
    with pytest.raises(PictureError, match=message) as caught:
        open_planes(path)
    assert "\n" not in str(caught.value)


def test_a_scan_is_unpacked_only_where_there_is_room(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii.gz", random_pixels((9, 8, 4), "uint16").astype("int16"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**7))
    with pytest.raises(PictureError, match=r"a.nii.gz: unpacks to .* folder for temporary files has 0.01 GB .* TMPDIR"):
        open_planes(path)


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii", random_pixels((9, 8, 4)))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(UserError, match=r"a.nii: NIfTI needs an extra: pip install 'torchdenoise\[bio\]'$"):
        open_planes(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_remark_is_in_the_description_and_nothing_else_changes(tmp_path, suffix):
    path = save(tmp_path / f"in{suffix}", random_pixels((9, 8, 4), "uint16").astype("int16"))
    copy_with_remark(path, tmp_path / f"out{suffix}", "noise: white, level 12.3 of 255" + 70 * ".")
    before, after = content(path), content(tmp_path / f"out{suffix}")
    text = b"night; torchdenoise: noise: white, level 12.3 of 255".ljust(80, b".")
    assert nibabel.load(tmp_path / f"out{suffix}").header["descrip"].item() == text
    assert after.replace(text, b"night".ljust(80, b"\0")) == before


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_single_picture_has_its_remarks_in_the_description(tmp_path, suffix):
    picture = Picture.from_array(random_pixels((9, 8))).with_remarks(["noise: white"])
    write_picture(tmp_path / f"out{suffix}", picture.image, picture)
    assert nibabel.load(tmp_path / f"out{suffix}").header["descrip"].item() == b"torchdenoise: noise: white"
