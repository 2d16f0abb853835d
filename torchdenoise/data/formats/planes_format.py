"""Formats whose pictures are read plane by plane, single pictures too."""

import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.formats.base import PictureFormat, Pixels
from torchdenoise.data.frames import ArrayPlanes, Planes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError


class PlanesFormat(PictureFormat):
    """A format that is read and written by planes: subclass it and write ``open``, ``check_planes``, ``write_planes``.

    Those that can only be read leave the last two out and name ``output_suffix``.
    """

    cannot_keep = ("icc", "exif", "xmp", "dpi", "text")

    @abstractmethod
    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes of a file or folder, as that of ``PictureFormat``."""

    def metadata(self, planes: Planes) -> dict[str, Any]:  # noqa: ARG002
        """Return further fields of the ``Picture`` of a single plane."""
        return {}

    @override
    def load(self, path: Path) -> Pixels:
        """Return the only plane of a file or folder."""
        planes = self.open(path, None)
        assert planes is not None
        with planes:
            if len(planes) != 1:
                raise PictureError(
                    f"holds {len(planes)} planes; split it into single ones first "
                    "(only `denoise` and `inspect` take stacks)"
                )
            return np.array(planes.plane(0)), self.metadata(planes)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Return the only plane of an open file."""
        return self.load(Path(file.name))

    @override
    def save(self, path: Path, array: NDArray[Any], like: Picture) -> None:
        """Write a picture as a single plane."""
        planes = _planes(array)
        self.write_planes(path, [(0, planes.plane(0))], planes, array.dtype)

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
        empty: NDArray[Any] = np.broadcast_to(np.zeros((), like.scaling.dtype), like.shape)
        self.check_planes(_planes(empty), like.scaling.dtype)

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        """Raise PictureError: without this method the format can only be read."""
        raise PictureError(f"{self.short_name} can only be read; write {self.output_suffix} instead")


def _planes(array: NDArray[Any]) -> ArrayPlanes:
    array = array[..., 0] if array.shape[2:] == (1,) else array
    return ArrayPlanes(array, Axes.of(array.shape))
