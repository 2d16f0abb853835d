"""Picture formats: bytes to arrays and back, with their metadata; one file for each format.

Pixels keep their stored order. Orientation is copied as a tag, so viewers rotate the result as they did the input.
"""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from torchdenoise.data.damage import decode_errors
from torchdenoise.data.formats.base import MAX_PIXELS, Header, PictureFormat, Pixels, quiet
from torchdenoise.data.formats.bmp import BMP
from torchdenoise.data.formats.gif import GIF
from torchdenoise.data.formats.jpeg import JPEG
from torchdenoise.data.formats.jpeg2000 import JPEG2000
from torchdenoise.data.formats.netpbm import Netpbm
from torchdenoise.data.formats.numpy_arrays import NumPy, NumPyArchive
from torchdenoise.data.formats.planes_format import empty_array, planes_of_picture
from torchdenoise.data.formats.png import PNG
from torchdenoise.data.formats.tiff import TIFF
from torchdenoise.data.formats.webp import WebP
from torchdenoise.data.formats.zarr_arrays import Zarr
from torchdenoise.data.formats.zarr_zip import ZarrZip
from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError
from torchdenoise.paths import either, format_suffixes, picture_suffix
from torchdenoise.registry import subclasses
from torchdenoise.scenes import find_scene

# isort: split
# After JPEG 2000, because old ND2 files begin as its files do, and the oldest definition reads a file of another name.
from torchdenoise.data.formats.bio.czi import CZI
from torchdenoise.data.formats.bio.dicom import DICOM
from torchdenoise.data.formats.bio.fits import FITS
from torchdenoise.data.formats.bio.lif import LIF
from torchdenoise.data.formats.bio.mrc import MRC
from torchdenoise.data.formats.bio.nd2 import ND2
from torchdenoise.data.formats.bio.nifti import NIfTI, NIfTIPacked

__all__ = [
    "BMP",
    "CZI",
    "DICOM",
    "FITS",
    "GIF",
    "JPEG",
    "JPEG2000",
    "LIF",
    "MAX_PIXELS",
    "MRC",
    "ND2",
    "PNG",
    "TIFF",
    "Header",
    "NIfTI",
    "NIfTIPacked",
    "Netpbm",
    "NumPy",
    "NumPyArchive",
    "PictureFormat",
    "WebP",
    "Zarr",
    "ZarrZip",
    "check_fit",
    "check_planes",
    "decode",
    "encode",
    "load",
    "lost",
    "lost_of_planes",
    "open_planes",
    "read_header",
    "recognizes",
    "save",
    "scene_names",
    "write_planes",
]

_HEAD_BYTES = 32  # longer than the signature of any format


def decode(file: BinaryIO, suffix: str = "") -> Pixels:
    """Return the array of an open file, (H, W) or (H, W, samples), and its metadata: further fields of a Picture.

    The content decides the format. The suffix decides between formats that begin with the same bytes.

    Raises:
        PictureError: the file cannot be decoded.

    Example:
        >>> import io, imagecodecs
        >>> decode(io.BytesIO(imagecodecs.png_encode(np.zeros((8, 9), dtype=np.uint16))))[0].shape
        (8, 9)
    """
    found = _known(_head(file), suffix)
    with quiet(), decode_errors():
        return found.read(file)


def load(path: Path) -> Pixels:
    """Return what ``decode`` returns, of a file, or of a folder that is a picture.

    Raises:
        PictureError: as ``decode``.
    """
    found = _format_of(path)
    with quiet(), decode_errors():
        return found.load(path)


def save(path: Path, suffix: str, array: NDArray[Any], like: Picture) -> None:
    """Write an array from ``like.restore`` to a new file, or folder, in the format of ``suffix``; see ``check_fit``."""
    _by_suffix(suffix).save(path, array, like)


def open_planes(path: Path, letters: str | None, scene: int | str | None = None) -> Planes | None:
    """Return the planes of a file, or of a scene; None if it holds one picture, which ``decode`` takes.

    Raises:
        PictureError: as ``decode``, the axes do not fit, or as ``find_scene``.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "a.npy")
        >>> np.save(path, np.zeros((5, 8, 9)))
        >>> len(open_planes(path, "TYX"))
        5
    """
    found = _format_of(path)
    with quiet(), decode_errors():
        if scene is None:
            return found.open(path, letters)
        names = found.scenes(path) or ("",)
        place = find_scene(names, scene)
        return found.open_scene(path, place, letters) if len(names) > 1 else found.open(path, letters)


def scene_names(path: Path) -> Sequence[str]:
    """Return the names of the scenes of a file; one if it holds one picture.

    Raises:
        PictureError: as ``decode``.
    """
    found = _format_of(path)
    with quiet(), decode_errors():
        return found.scenes(path) or ("",)


def check_planes(suffix: str, like: Planes, dtype: np.dtype[Any]) -> None:
    """Raise PictureError unless the format of ``suffix`` can hold planes like these of a type."""
    _by_suffix(suffix).check_planes(like, dtype)


def write_planes(path: Path, suffix: str, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
    """Write planes in the format of ``suffix``; each is computed when it is taken."""
    _by_suffix(suffix).write_planes(path, planes, like, dtype)


def lost_of_planes(suffix: str, like: Planes) -> str:
    """Return what planes have that a file of the format of ``suffix`` does not keep, in words; empty if it keeps all.

    Example:
        >>> from torchdenoise.data.axes import Axes
        >>> from torchdenoise.data.calibration import Calibration
        >>> from torchdenoise.data.frames import ArrayPlanes
        >>> planes = ArrayPlanes(np.zeros((5, 8, 9)), Axes("TYX"))
        >>> planes.calibration = Calibration({"X": 0.1})
        >>> lost_of_planes(".npy", planes)
        'pixel size'
    """
    return ", ".join(filter(None, _by_suffix(suffix).not_kept(like)))


def recognizes(folder: Path) -> bool:
    """Return whether a folder is a picture of the format of its suffix."""
    return _by_suffix(picture_suffix(folder)).recognizes(folder)


def _format_of(path: Path) -> PictureFormat:
    """Return the format of a file by its first bytes, of a folder by its suffix."""
    if path.is_dir():
        return _by_suffix(picture_suffix(path))
    with path.open("rb") as file:
        return _known(_head(file), picture_suffix(path))


def _known(head: bytes, suffix: str) -> PictureFormat:
    """Return the format of a file by its first bytes."""
    if not head:
        raise PictureError("is empty (0 bytes); copy it again from its source")
    found = _by_content(head, suffix)
    if found is None:
        names = either(format_suffixes())
        raise PictureError(f"is not a {names} picture, despite its name; export it as one of these")
    return found


def read_header(file: BinaryIO, suffix: str = "") -> Header | None:
    """Return the size and type of the picture in an open file, or None if only ``decode`` can find them."""
    found = _by_content(_head(file), suffix)
    with quiet():
        return found.header(file) if found else None


def encode(array: NDArray[Any], like: Picture, suffix: str) -> bytes:
    """Return the encoded bytes of an array from ``like.restore`` in the format of ``suffix``; see ``check_fit``.

    Example:
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint16))
        >>> encode(picture.restore(picture.image), picture, ".tif")[:2]
        b'II'
    """
    return _by_suffix(suffix).write(array, like)


def check_fit(suffix: str, like: Picture) -> None:
    """Raise PictureError unless the format of ``suffix`` can hold a picture like this one.

    Example:
        >>> check_fit(".png", Picture.from_array(np.zeros((8, 9))))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: PNG cannot hold float64; write .tiff instead
    """
    _by_suffix(suffix).check(like)


_LABELS = {
    "icc": "colour profile",
    "exif": "EXIF (orientation, camera)",
    "xmp": "XMP",
    "dpi": "resolution",
    "text": "text notes",
}


def lost(suffix: str, like: Picture) -> str:
    """Return the metadata of a picture that the format of ``suffix`` cannot hold, in words; empty if it holds all.

    Example:
        >>> lost(".bmp", Picture.from_array(np.zeros((8, 9)), icc=b"profile", dpi=(72, 72)))
        'colour profile'
    """
    missing = [_LABELS[name] for name in _by_suffix(suffix).cannot_keep if getattr(like, name)]
    header = like.extra.get("header")
    planes = header if isinstance(header, Planes) else planes_of_picture(empty_array(like), like)
    return ", ".join(filter(None, [*missing, lost_of_planes(suffix, planes)]))


def _head(file: BinaryIO) -> bytes:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    return head


def _by_content(head: bytes, suffix: str) -> PictureFormat | None:
    formats = _formats()
    begins = [cls for cls in formats if head.startswith(cls.magic)]
    begins = begins or [cls for cls in formats if not cls.magic and suffix in cls.suffixes]
    named = [cls for cls in begins if suffix in cls.suffixes]
    # The newest definition wins; for a file with the suffix of another format, the most general one, the oldest.
    return next((cls() for cls in [*named[-1:], *begins]), None)


def _by_suffix(suffix: str) -> PictureFormat:
    """Return the format that writes ``suffix``: its newest definition."""
    return [cls for cls in _formats() if suffix in cls.suffixes][-1]()


def _formats() -> list[type[PictureFormat]]:
    found: Iterator[type[PictureFormat]] = subclasses(PictureFormat)  # type: ignore[type-abstract]
    return [cls for cls in found if not inspect.isabstract(cls)]
