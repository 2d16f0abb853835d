"""Formats whose pictures are read plane by plane, single pictures too."""

import contextlib
import copy
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.formats.base import PictureFormat, Pixels
from torchdenoise.data.frames import ArrayPlanes, Numbered, Planes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

CARRIES = "carries"
"""Key in ``Picture.extra`` of what only a result of the same format keeps, in words."""


class PlanesFormat(PictureFormat):
    """A format that is read and written by planes: write ``planes``, ``check_planes``, ``write_planes`` in a subclass.

    Those that can only be read leave the last two out and name ``output_suffix``.
    """

    cannot_keep = ("icc", "exif", "xmp", "dpi", "text")

    @abstractmethod
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of a file or folder; ``letters`` of the axes, if the user gives them."""

    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes, also of a single picture."""
        return self.planes(path, letters)

    def metadata(self, planes: Planes) -> dict[str, Any]:  # noqa: ARG002
        """Return further fields of the ``Picture`` of a single plane."""
        return {}

    @override
    def load(self, path: Path) -> Pixels:
        """Return the only plane of a file or folder."""
        with self.planes(path, None) as planes:
            if len(planes) != 1:
                raise PictureError(
                    f"holds {len(planes)} planes; split it into single ones first "
                    "(only `denoise` and `inspect` take stacks)"
                )
            return np.array(planes.plane(0)), {"calibration": planes.calibration, **self.metadata(planes)}

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Return the only plane of an open file."""
        return self.load(Path(file.name))

    @override
    def save(self, path: Path, array: NDArray[Any], like: Picture) -> None:
        """Write a picture as a single plane."""
        planes = self._planes(array, like)
        planes.remarks = [*like.remarks]
        plane = array[..., 0] if array.shape[2:] == (1,) else array
        self.write_planes(path, [(0, plane)], planes, array.dtype)

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Return the bytes of a file with a single plane."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "picture")
            self.save(path, array, like)
            return path.read_bytes()

    @override
    def check(self, like: Picture) -> None:
        """Raise PictureError unless the format can hold such a plane."""
        self.check_planes(self._planes(empty_array(like), like), like.scaling.dtype)

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        """Raise PictureError: without this method the format can only be read."""
        raise PictureError(f"{self.short_name} can only be read; write {self.output_suffix} instead")

    def _planes(self, array: NDArray[Any], like: Picture) -> Planes:
        """Return what describes a single plane that is to be written."""
        return planes_of_picture(array, like)


class PictureAndPlanesFormat(PlanesFormat):
    """A format whose single pictures may have holes, so that they are read as pictures, not as stacks of one plane."""

    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes; None for a single picture."""
        planes = self.planes(path, letters)
        if letters is None and len(planes) == 1:
            planes.close()
            return None
        return planes

    @override
    def metadata(self, planes: Planes) -> dict[str, Any]:
        """Return the header of the file, which the result needs, and the value for no data."""
        header = copy.copy(planes)
        header.resources = contextlib.ExitStack()
        if isinstance(header, ArrayPlanes):
            header.array = np.empty(0)
        notes = tuple(f"not kept: {each}" for each in planes.lost)
        return {"extra": {"header": header}, "nodata": getattr(planes, "nodata", None), "notes": notes}

    @override
    def _planes(self, array: NDArray[Any], like: Picture) -> Planes:
        header = like.extra.get("header")
        return header if isinstance(header, Planes) else super()._planes(array, like)


def planes_of_picture(array: NDArray[Any], like: Picture) -> ArrayPlanes:
    """Return a picture as a single plane with what it says about its axes.

    Args:
        array: (H, W) or (H, W, samples).
        like: the picture whose array it is.
    """
    plane = array[..., 0] if array.shape[2:] == (1,) else array
    planes = ArrayPlanes(plane, Axes.of(plane.shape), like.alpha is not None)
    planes.calibration = like.calibration
    planes.carries = like.extra.get(CARRIES, "")
    planes.metadata = {"tiff": like.tiff}
    return planes


def empty_array(like: Picture) -> NDArray[Any]:
    """Return an array like that of a picture which takes no memory."""
    return np.broadcast_to(np.zeros((), like.scaling.dtype), like.shape)


def put_planes(array: Any, letters: str, planes: Numbered, like: Planes) -> None:
    """Store planes in an array whose axes may have another order, or more of one element.

    Args:
        array: on the disk.
        letters: of its axes.
        planes: with their numbers.
        like: the planes of the input.
    """
    order = [like.axes.inner.index(letter) for letter in letters if letter in like.axes.inner]
    for number, plane in planes:
        place = like.axes.place(number, like.shape)
        index = tuple(slice(None) if letter in like.axes.inner else place.get(letter, 0) for letter in letters)
        array[index] = plane.transpose(order)
