"""NIfTI."""

import gzip
import io
import math
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.calibration import Calibration, unit_name, unit_symbol
from torchdenoise.data.formats.base import check_claim, check_size, check_unpacked
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.raw_arrays import RawArray
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import ArrayPlanes, Numbered, Planes
from torchdenoise.errors import PictureError

LETTERS = "XYZTCQR"
"""Of the axes of a file, the first of which runs fastest."""
NEW_LETTERS = LETTERS[:5]
_TYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"})
_MAX_SIDE = 32767
"""Of NIfTI-1; NIfTI-2 has no limit."""
_GZIP_RATIO = 1100
_COPY_BYTES = 1 << 20
_LENGTHS = {"meter", "millimeter", "micrometer"}
_TIMES = {"second", "millisecond", "microsecond"}


class NIfTI(PlanesFormat, source="https://nifti.nimh.nih.gov"):
    """Brain scans, versions 1 and 2; stored values, their scaling stays in the header; needs the extra bio."""

    suffixes = (".nii",)
    floats = True

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of an array whose axes are X, Y, Z, T, C in this order."""
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        if not packed:
            with path.open("rb") as file:
                header = _read_header(file)
            return NiftiPlanes(header, path, letters)
        with gzip.open(path) as stream, tempfile.TemporaryDirectory() as folder:  # mapped files outlive their names
            header = _read_header(stream)  # type: ignore[arg-type]
            needed = _offset(header) + _layout(header).nbytes
            check_claim(needed, path.stat().st_size, _GZIP_RATIO)
            check_unpacked(needed, folder)
            stream.seek(0)
            unpacked = Path(folder, "array.nii")
            with unpacked.open("wb") as file:
                while needed > 0 and (part := stream.read(min(needed, _COPY_BYTES))):
                    needed -= file.write(part)
            return NiftiPlanes(header, unpacked, letters)

    @override
    def not_kept(self, like: Planes) -> list[str]:
        if isinstance(like, NiftiPlanes):
            return []
        return [like.carries, *(word for word in like.calibration.said if word != "pixel size")]

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        bio_module("nibabel", "NIfTI")
        if dtype.name not in _TYPES:
            raise PictureError(f"NIfTI cannot hold {dtype.name}; write .tiff instead")
        if not isinstance(like, NiftiPlanes) and not set(like.axes.letters) <= set(NEW_LETTERS):
            raise PictureError(f"NIfTI holds the axes X, Y, Z, T, C, not {like.axes.letters}; write .tiff instead")

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write planes with the header of the input."""
        with path.open("w+b") as file:
            self._write(file, planes, like, dtype)

    def _write(self, file: BinaryIO, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        header = like.header.copy() if isinstance(like, NiftiPlanes) else _new_header(like, dtype)
        if dtype != like.dtype:
            header.set_data_dtype(dtype)
        layout = _layout(header)
        letters = like.axes.letters if isinstance(like, NiftiPlanes) else layout.letters
        RawArray(letters, layout.shape, layout.dtype, "F").write(file, _head(header), planes, like)
        if like.comment:
            before = header["descrip"].item()
            header["descrip"] = b"; ".join(filter(None, [before, like.comment.encode("ascii", "replace")]))
            file.seek(0)
            file.write(_head(header))


class NIfTIPacked(NIfTI, name="NIfTI packed", source="https://nifti.nimh.nih.gov"):
    """The same in a gzip file."""

    suffixes = (".nii.gz",)
    floats = True

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write planes with the header of the input into a file beside the result, then pack it."""
        with tempfile.TemporaryFile(dir=path.parent) as unpacked:  # it has no name, and so leaves nothing behind
            self._write(unpacked, planes, like, dtype)
            unpacked.seek(0)
            with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                shutil.copyfileobj(unpacked, packed, _COPY_BYTES)


class NiftiPlanes(ArrayPlanes):
    """The planes of a NIfTI file.

    Args:
        header: of nibabel.
        path: of the file, not packed.
        letters: of the axes; by default those of NIfTI.
    """

    def __init__(self, header: Any, path: Path, letters: str | None) -> None:
        layout = _layout(header)
        check_size(*(*layout.shape, 1)[:2])
        super().__init__(layout.mapped(path, _offset(header)), Axes.of(layout.shape, letters or layout.letters))
        self.header = header
        self.carries = "the header of the NIfTI"
        self.calibration = _calibration(header)


def _read_header(file: BinaryIO) -> Any:
    """Return the header of an open file; the length with which it begins tells NIfTI-1 from NIfTI-2."""
    nibabel = bio_module("nibabel", "NIfTI")
    first = file.read(4)
    file.seek(0)
    second = 540 in (int.from_bytes(first, "little"), int.from_bytes(first, "big"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about extensions, which are copied as they are
        header = (nibabel.Nifti2Header if second else nibabel.Nifti1Header).from_fileobj(file, check=False)
    if bytes(header["magic"])[:2] != b"n+":
        raise PictureError("is not a NIfTI file of header and pixels; convert it to a single .nii")
    return header


def _layout(header: Any) -> RawArray:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise PictureError(f"holds values of type {dtype}; convert them to integers or floating point first")
    shape = tuple(int(size) for size in header.get_data_shape())
    if min(shape, default=0) < 1:
        raise PictureError(f"damaged (the size in its header is {shape}); copy it again from its source")
    return RawArray(LETTERS[: len(shape)], shape, dtype, "F")


def _head(header: Any) -> bytes:
    """Return all bytes before the pixels."""
    buffer = io.BytesIO()
    header.write_to(buffer)
    return buffer.getvalue().ljust(_offset(header), b"\0")


def _offset(header: Any) -> int:
    return int(header.get_data_offset())


def _calibration(header: Any) -> Calibration:
    try:
        space, time = (unit_name(each) for each in header.get_xyzt_units())
    except KeyError:  # a code that stands for nothing
        space = time = "unknown"
    named = zip(LETTERS, header.get_zooms(), strict=False)
    steps = {letter: float(step) for letter, step in named if letter in "XYZT" and step > 0 and math.isfinite(step)}
    units = {letter: time if letter == "T" else space for letter in steps}
    return Calibration(steps, {letter: unit for letter, unit in units.items() if unit != "unknown"})


def _new_header(like: Planes, dtype: np.dtype[Any]) -> Any:
    """Return a header for planes of another format; all lengths get the unit of X."""
    nibabel = bio_module("nibabel", "NIfTI")
    sizes = dict(zip(like.axes.letters, like.shape, strict=True))
    used = NEW_LETTERS[: 1 + max(NEW_LETTERS.index(letter) for letter in sizes)]
    shape = [sizes.get(letter, 1) for letter in used]
    header = nibabel.Nifti2Header() if max(shape) > _MAX_SIDE else nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_data_offset(header.single_vox_offset)
    header.set_zooms([like.calibration.steps.get(letter, 1.0) for letter in used])
    space, time = like.calibration.units.get("X", ""), like.calibration.units.get("T", "")
    symbols = {"micrometer": "micron", "second": "sec", "millisecond": "msec", "microsecond": "usec"}
    header.set_xyzt_units(
        symbols.get(space, unit_symbol(space)) if space in _LENGTHS else "unknown",
        symbols.get(time, time) if time in _TIMES else "unknown",
    )
    return header
