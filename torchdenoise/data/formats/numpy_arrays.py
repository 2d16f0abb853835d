"""NumPy's files."""

import io
import math
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.formats.base import Header, PictureFormat, Pixels, check_unpacked
from torchdenoise.data.frames import ArrayPlanes, Numbered, Planes
from torchdenoise.data.memory import check_memory
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_COPY_BYTES = 1 << 20


class NumPy(PictureFormat, source="https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"):
    """One array of any number of axes; more than (H, W) or (H, W, C) needs ``--axes``."""

    suffixes = (".npy",)
    floats = True
    magic = (b"\x93NUMPY",)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Load an array."""
        _check_picture(_npy_header(file)[0])
        file.seek(0)
        array: NDArray[Any] = np.load(file, allow_pickle=False)
        return array, {}

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Store an array."""
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()

    @override
    def header(self, file: BinaryIO) -> Header | None:
        shape, _, dtype = _npy_header(file)
        return _picture_header(shape, dtype)

    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes of an array, which stays on the disk."""
        with path.open("rb") as file:
            shape, _, _ = _npy_header(file)
        return _array_planes(_mapped(path), letters, shape)

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        pass

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Store planes in an array on the disk."""
        with path.open("w+b") as file:
            _store(file, planes, like, dtype)


class NumPyArchive(
    PictureFormat, name="NumPy archive", source="https://numpy.org/doc/stable/reference/generated/numpy.savez.html"
):
    """One array in a zip file, compressed or not, as ``numpy.savez`` writes it."""

    suffixes = (".npz",)
    floats = True
    magic = (b"PK\x03\x04",)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Load the only array."""
        with zipfile.ZipFile(file) as archive:
            member = _only_member(archive)
            _check_picture(_checked_header(archive, member)[0])
            with archive.open(member) as stored:
                array = npy.read_array(stored, allow_pickle=False)
        return array, {"extra": {"member": member.filename, "compression": member.compress_type}}

    @override
    def header(self, file: BinaryIO) -> Header | None:
        with zipfile.ZipFile(file) as archive:
            shape, _, dtype = _checked_header(archive, _only_member(archive))
        return _picture_header(shape, dtype)

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Store an array under its name."""
        inner, buffer = io.BytesIO(), io.BytesIO()
        np.save(inner, array)
        compression = like.extra.get("compression", zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            archive.writestr(_member(like.extra.get("member")), inner.getvalue())
        return buffer.getvalue()

    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes of the only array, unpacked into a temporary file."""
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive)
            shape, _, _ = _checked_header(archive, member)
            if letters is None and len(shape) == 2:
                return None
            with tempfile.TemporaryDirectory() as folder:  # the mapped file stays open after its name is gone
                check_unpacked(member.file_size, folder)
                unpacked = Path(folder, "array.npy")
                with archive.open(member) as stored, unpacked.open("wb") as file:
                    shutil.copyfileobj(stored, file, _COPY_BYTES)
                planes = _array_planes(_mapped(unpacked), letters, shape)
        if planes is not None:
            planes.metadata = {"extra": {"member": member.filename, "compression": member.compress_type}}
        return planes

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        pass

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Store planes in an array on the disk, then pack it."""
        extra = like.metadata.get("extra", {})
        with tempfile.TemporaryFile(dir=path.parent) as unpacked:  # it has no name, and so leaves nothing behind
            _store(unpacked, planes, like, dtype)
            unpacked.seek(0)
            with (
                zipfile.ZipFile(path, "w", extra.get("compression", zipfile.ZIP_DEFLATED)) as archive,
                archive.open(_member(extra.get("member")), "w", force_zip64=True) as member,
            ):
                shutil.copyfileobj(unpacked, member, _COPY_BYTES)


def _store(file: Any, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
    """Write an array to an open file plane by plane."""
    fortran = isinstance(like, ArrayPlanes) and like.array.flags.fnc
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": fortran, "shape": like.shape}
    npy.write_array_header_1_0(file, header)
    order: Literal["F", "C"] = "F" if fortran else "C"
    array: NDArray[Any] = np.memmap(file, dtype, "r+", file.tell(), like.shape, order)
    for number, plane in planes:
        like.axes.put(array, number, plane)
    assert isinstance(array, np.memmap)
    array.flush()


def _npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of an array."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, fortran, dtype


def _picture_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Header:
    """Return the header of an array that is one picture."""
    height, width = Axes.of(shape).plane_shape(shape)[:2]
    colours = {1: 1, 2: 1, 3: 3, 4: 3}[(*shape, 1)[2]]
    return Header(colours, height, width, dtype.newbyteorder("="))


def _check_picture(shape: tuple[int, ...]) -> None:
    """Raise PictureError unless an array is one picture that fits into memory."""
    height, width, *samples = Axes.of(shape).plane_shape(shape)
    check_memory(width, height, math.prod(samples))


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = npy.open_memmap(path, "r")
    return array


def _array_planes(array: NDArray[Any], letters: str | None, shape: tuple[int, ...]) -> Planes | None:
    """Return the planes of an array; None if it is one picture and the axes are not given."""
    axes = Axes.of(shape, letters)
    return None if letters is None else ArrayPlanes(array, axes)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
    if len(members) != 1:
        names = ", ".join(each.filename.removesuffix(".npy") for each in members[:5])
        held = f"{len(members)} arrays ({names})" if members else "no array"
        raise PictureError(f"holds {held}; save the one to denoise alone, as .npy")
    return members[0]


def _checked_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of an array; PictureError if its length is another one, such as that of a bomb."""
    with archive.open(member) as stored:
        shape, fortran, dtype = _npy_header(stored)
        held, due = member.file_size - stored.tell(), math.prod(shape) * dtype.itemsize
    if held != due and not dtype.hasobject:
        raise PictureError(f"damaged ({held} bytes of data for {due} bytes of values); save it again from its source")
    return shape, fortran, dtype


def _member(name: Any) -> str:
    return str(name or "arr_0.npy")
