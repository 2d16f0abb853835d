"""DICOM: the dataset comes back with new pixels, as an instance of its own."""

import numpy as np
import pytest
from helpers import copy_planes, copy_with_remark, random_pixels

from torchdenoise.data import (
    ArrayPlanes,
    Axes,
    check_output,
    check_planes_output,
    open_planes,
    read_picture,
    write_picture,
)
from torchdenoise.errors import PictureError

pydicom = pytest.importorskip("pydicom")

CHANGED = {"SOPInstanceUID", "ImageType", "PixelData", "SmallestImagePixelValue"}


def save(path, array, syntax="1.2.840.10008.1.2.1", frames=False, **elements):
    """Write a scan with stored values of 12 bits and their rescaling."""
    colours = array.shape[-1] == 3
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    dataset.PatientName, dataset.Modality = "Nobody", "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PixelSpacing, dataset.SliceThickness = [0.5, 0.25], 2
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1024
    dataset.add_new(0x00091001, "LO", "private")
    rows = array.shape[1:] if frames else array.shape
    dataset.Rows, dataset.Columns = rows[:2]
    if frames:
        dataset.NumberOfFrames = len(array)
    dataset.SamplesPerPixel = 3 if colours else 1
    dataset.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
    if colours:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = 8 * array.dtype.itemsize
    dataset.BitsStored = 8 if array.dtype.itemsize == 1 else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    for name, value in elements.items():
        setattr(dataset, name, value)
    data = array.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


def pixels(shape, dtype="uint16"):
    array = random_pixels(shape, "uint16") % (256 if dtype == "uint8" else 4096)
    return array.astype(dtype) - (2048 if dtype == "int16" else 0)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@pytest.mark.parametrize(("shape", "letters"), [((3, 9, 7), "ZYX"), ((3, 9, 7, 3), "ZYXS")])
def test_frames_come_back(tmp_path, syntax, dtype, shape, letters):
    array = pixels(shape, dtype)
    path = save(tmp_path / "in.dcm", array, syntax, frames=True, SmallestImagePixelValue=3)
    planes = copy_planes(path, tmp_path / "out.dcm", order=-1)
    assert planes.axes.letters == letters
    assert planes.lost == ()
    assert planes.calibration.steps == {"Y": 0.5, "X": 0.25, "Z": 2}
    before, after = pydicom.dcmread(path), pydicom.dcmread(tmp_path / "out.dcm")
    np.testing.assert_array_equal(after.pixel_array, array)
    assert {each.keyword for each in before if after.get(each.tag) != each} <= CHANGED
    assert after.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID != before.SOPInstanceUID
    copy_planes(path, tmp_path / "again.dcm")
    assert (tmp_path / "again.dcm").read_bytes() == (tmp_path / "out.dcm").read_bytes()


def test_a_single_picture(tmp_path):
    array = pixels((9, 7))
    array[2, 3] = 4000
    path = save(tmp_path / "in.dcm", array, PixelPaddingValue=4000)
    assert open_planes(path) is None
    picture = read_picture(path)
    assert picture.holes[2, 3]
    write_picture(tmp_path / "out.dcm", picture.image * 0 + 1, picture)
    after = pydicom.dcmread(tmp_path / "out.dcm").pixel_array
    assert (after[2, 3], np.delete(after, 2 * 7 + 3).min()) == (4000, 4095)  # no more than 12 bits


def test_packed_pixels_are_unpacked(tmp_path):
    path = save(tmp_path / "a.dcm", pixels((3, 9, 7)), frames=True)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    planes = copy_planes(path, tmp_path / "b.dcm")
    assert planes.lost == ("the compression (now none)",)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "b.dcm").pixel_array, pixels((3, 9, 7)))


def test_a_film_is_a_time_series_and_its_sizes_reach_a_tiff(tmp_path):
    path = save(tmp_path / "a.dcm", pixels((3, 9, 7)), frames=True, FrameTime=40)
    copy_planes(path, tmp_path / "a.tif")
    with open_planes(tmp_path / "a.tif") as planes:
        assert planes.axes.letters == "TYX"
        assert planes.calibration.steps == {"X": 0.25, "Y": 0.5, "Z": 2, "T": 40}
        assert planes.calibration.units == {"T": "millisecond", **dict.fromkeys("ZYX", "millimeter")}


def test_other_types_and_formats_are_refused(tmp_path):
    with pytest.raises(PictureError, match=r"DICOM is written only where the input is DICOM, too; write .tiff"):
        check_planes_output(tmp_path / "b.dcm", ArrayPlanes(pixels((3, 9, 7)), Axes("TYX")))
    picture = read_picture(save(tmp_path / "a.dcm", pixels((9, 7))))
    with pytest.raises(PictureError, match=r"DICOM cannot hold float32; write .tiff instead"):
        check_output(tmp_path / "b.dcm", picture.stored_as("float32"))


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": None}, "holds no picture (Rows is missing)"),
        ({"Rows": 60000, "Columns": 60000}, "claims 60000 x 60000 pixels"),
        ({"Rows": 0}, "has no pixels"),
        ({"Rows": 50}, "damaged or cut short"),
        ({"BitsStored": 99}, "holds pixels of kind MONOCHROME2 with 16 bits"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "holds pixels of kind PALETTE COLOR with 16 bits"),
        ({"PhotometricInterpretation": "RGB"}, "damaged (1 samples of kind RGB)"),
        ({"NumberOfFrames": 9}, "damaged or cut short"),
    ],
)
def test_damaged_datasets_are_one_line(tmp_path, elements, message):
    path = save(tmp_path / "a.dcm", pixels((9, 7)), **elements)
    with pytest.raises(PictureError) as caught:
        read_picture(path) if "NumberOfFrames" not in elements else open_planes(path).plane(8)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: data[:-40], lambda data: b"nothing" * 90])
def test_damaged_files_are_one_line(tmp_path, damage):
    path = save(tmp_path / "a.dcm", pixels((9, 7)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PictureError, match="damaged or cut short") as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_a_remark_describes_the_derivation(tmp_path):
    path = save(tmp_path / "in.dcm", pixels((3, 9, 7)), frames=True)
    copy_with_remark(path, tmp_path / "out.dcm", "noise: white, level 12.3 of 255")
    copy_planes(path, tmp_path / "silent.dcm")
    found = [pydicom.dcmread(tmp_path / name).DerivationDescription for name in ("out.dcm", "silent.dcm")]
    assert found == ["torchdenoise: noise: white, level 12.3 of 255", "torchdenoise"]


def test_the_remarks_of_a_single_picture_describe_the_derivation(tmp_path):
    picture = read_picture(save(tmp_path / "in.dcm", pixels((9, 7))))
    for name, result in (("out.dcm", picture.with_remarks(["noise: white"])), ("silent.dcm", picture)):
        write_picture(tmp_path / name, picture.image, result)
    found = [pydicom.dcmread(tmp_path / name).DerivationDescription for name in ("out.dcm", "silent.dcm")]
    assert found == ["torchdenoise: noise: white", "torchdenoise"]
