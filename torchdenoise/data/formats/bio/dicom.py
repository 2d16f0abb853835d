"""DICOM."""

import copy
import hashlib
import shutil
import struct
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.planes_format import PictureAndPlanesFormat
from torchdenoise.data.frames import Numbered, Planes, in_order
from torchdenoise.errors import PictureError

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
"""Transfer syntaxes of pixels that are not packed: without and with a type for each element."""
_PIXEL_DATA = 0x7FE00010
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_STALE = ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelDataProviderURL")
_COPY_BYTES = 1 << 20
_TEXT_LENGTH = 1024
"""Characters of a short text (ST)."""


class DICOM(PictureAndPlanesFormat, source="https://www.dicomstandard.org"):
    """Scanners of hospitals; stored values, their rescaling stays in the header; needs the extra bio."""

    suffixes = (".dcm", ".dicom")

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of a file; those of several frames are a time series (T) or a volume (Z)."""
        bio_module("pydicom", "DICOM")
        return DicomPlanes(path, letters)

    @override
    def not_kept(self, like: Planes) -> list[str]:
        return [] if isinstance(like, DicomPlanes) else super().not_kept(like)

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        if not isinstance(like, DicomPlanes):
            raise PictureError("DICOM is written only where the input is DICOM, too; write .tiff instead")
        if dtype != like.dtype:
            raise PictureError(f"DICOM cannot hold {dtype.name}; write .tiff instead")

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write the dataset of the input with new pixels, not packed, as an instance of its own."""
        assert isinstance(like, DicomPlanes)
        low, high = like.limits
        content = hashlib.sha256()
        with tempfile.TemporaryFile(dir=path.parent) as waiting:  # the pixels come last, and name the instance
            for plane in in_order(planes, path.parent):
                data = np.clip(plane, low, high).astype(dtype.newbyteorder("<")).tobytes()
                content.update(data)
                waiting.write(data)
            size = waiting.tell()
            dataset = _derived(like, content.hexdigest())
            dataset.save_as(path, enforce_file_format=True)
            waiting.seek(0)
            with path.open("ab") as file:
                file.write(_pixel_element(dataset, size + size % 2))
                shutil.copyfileobj(waiting, file, _COPY_BYTES)
                file.write(bytes(size % 2))


class DicomPlanes(Planes):
    """The planes of a DICOM file.

    Args:
        path: of the file.
        letters: of the axes.
    """

    def __init__(self, path: Path, letters: str | None) -> None:
        pydicom = bio_module("pydicom", "DICOM")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about values that break a rule; they are copied as they are
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
        _check(dataset)
        frames, colours = int(dataset.get("NumberOfFrames") or 1), int(dataset.SamplesPerPixel) == 3
        frames_letter = ("T" if "FrameTime" in dataset else "Z") if frames > 1 else ""
        shape = (*((frames,) if frames > 1 else ()), dataset.Rows, dataset.Columns, *((3,) if colours else ()))
        axes = Axes.of(shape, letters or f"{frames_letter}YX{'S' if colours else ''}")
        sign = "i" if dataset.PixelRepresentation else "u"
        super().__init__(axes, shape, f"{sign}{dataset.BitsAllocated // 8}")
        self.path = path
        self.dataset = dataset
        self.carries = "the header of the DICOM"
        self.calibration = _calibration(dataset)
        self.nodata = None if "PixelPaddingValue" not in dataset else float(dataset.PixelPaddingValue)
        self.lost = tuple(self._lost())

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value that the header allows."""
        bits = int(self.dataset.BitsStored)
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.dtype.kind == "i" else (0, (1 << bits) - 1)

    def _lost(self) -> Iterator[str]:
        if self.dataset.file_meta.TransferSyntaxUID.is_compressed:
            yield "the compression (now none)"
        if self.dataset.PhotometricInterpretation in _COLOURS[1:]:
            yield "the coding of colours (now RGB)"
        if self.nodata is not None and len(self) > 1:
            yield f"holes (the value for no data, {self.nodata:g}, counts as a brightness)"

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, 3), its values as they are stored."""
        pixels = bio_module("pydicom.pixels", "DICOM")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plane: NDArray[Any] = pixels.pixel_array(self.path, index=number)
        return np.asarray(plane).reshape(self.axes.plane_shape(self.shape)).astype(self.dtype, copy=False)


def _check(dataset: Any) -> None:
    """Raise PictureError unless a dataset has pixels of a kind that is supported."""
    needed = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation")
    if missing := [name for name in needed if dataset.get(name) is None]:
        raise PictureError(f"holds no picture ({missing[0]} is missing)")
    check_size(int(dataset.Columns), int(dataset.Rows))
    kind, bits = str(dataset.PhotometricInterpretation), int(dataset.BitsAllocated)
    known = (*_GREY, *_COLOURS)
    if kind not in known or bits not in (8, 16, 32) or not 1 <= int(dataset.BitsStored) <= bits:
        raise PictureError(f"holds pixels of kind {kind} with {bits} bits; convert it to grey or RGB first")
    if int(dataset.get("SamplesPerPixel", 0)) != (1 if kind in _GREY else 3):
        raise PictureError(f"damaged ({dataset.get('SamplesPerPixel')} samples of kind {kind})")


def _calibration(dataset: Any) -> Calibration:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or (None, None)
    found = {
        "Y": spacing[0],
        "X": spacing[1],
        "Z": dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness"),
        "T": dataset.get("FrameTime"),
    }
    steps = {letter: float(step) for letter, step in found.items() if step}
    return Calibration(steps, {letter: "millisecond" if letter == "T" else "millimeter" for letter in steps})


def _derived(like: DicomPlanes, content: str) -> Any:
    """Return the dataset of a result without its pixels: a derived picture, named by its content."""
    dataset = copy.deepcopy(like.dataset)
    for name in _STALE:
        if name in dataset:
            del dataset[name]
    kinds = list(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    dataset.ImageType = ["DERIVED", *kinds[1:]]
    dataset.DerivationDescription = like.comment[:_TEXT_LENGTH] or "torchdenoise"
    if int(dataset.SamplesPerPixel) == 3:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    generate_uid = bio_module("pydicom.uid", "DICOM").generate_uid
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(dataset.get("SOPInstanceUID")), content])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if dataset.file_meta.TransferSyntaxUID != IMPLICIT:
        dataset.file_meta.TransferSyntaxUID = bio_module("pydicom.uid", "DICOM").UID(EXPLICIT)
    return dataset


def _pixel_element(dataset: Any, size: int) -> bytes:
    """Return what stands before the pixels: their tag, their type unless it is implicit, and their length."""
    tag = struct.pack("<HH", _PIXEL_DATA >> 16, _PIXEL_DATA & 0xFFFF)
    if dataset.file_meta.TransferSyntaxUID == IMPLICIT:
        return tag + struct.pack("<I", size)
    return tag + (b"OW" if dataset.BitsAllocated > 8 else b"OB") + struct.pack("<HI", 0, size)
