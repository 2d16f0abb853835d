"""Files with wrong bytes or a missing end: each is read, or refused in one line."""

import numpy as np
import pytest
from helpers import random_pixels
from hypothesis import given, settings
from hypothesis import strategies as st

from torchdenoise.data import open_planes, read_picture
from torchdenoise.errors import UserError


def nifti(path, array):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


def mrc(path, array):
    pytest.importorskip("mrcfile").write(path, array)


def fits(path, array):
    pytest.importorskip("astropy.io.fits").PrimaryHDU(array).writeto(path)


def dicom(path, array):
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    dataset.set_pixel_data(array, "MONOCHROME2", 12, generate_instance_uid=False)  # a new one has any length
    dataset.save_as(path, enforce_file_format=True)


def read_planes(path):
    with open_planes(path, "TYX") as planes:
        for number in range(min(len(planes), 9)):
            planes.plane(number)


@pytest.mark.parametrize(("suffix", "save"), [(".nii", nifti), (".mrc", mrc), (".fits", fits), (".dcm", dicom)])
@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_wrong_bytes(tmp_path_factory, suffix, save, data):
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    save(path, random_pixels((4, 9, 8), "uint16") % 4096)
    content = bytearray(path.read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), max_size=5), "bytes"):
        content[min(place, len(content) - 1)] = value
    path.write_bytes(content[: data.draw(st.integers(1, len(content)), "length")])
    for read in (read_planes, read_picture):
        failed = None
        try:
            read(path)
        except UserError as error:
            failed = str(error)
        assert failed is None or "\n" not in failed
