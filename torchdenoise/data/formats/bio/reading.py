"""What the formats that can only be read share: planes from a library's own reader."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes, letters_of
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.frames import Planes
from torchdenoise.errors import PictureError

MICROMETERS = 1e6
"""Of a meter."""
ReadPlane = Callable[[Mapping[str, int]], NDArray[Any]]
"""Returns the plane (Y, X) or (Y, X, S) at a place: the number along each axis, by the library's name of it."""


class LibraryPlanes(Planes):
    """The planes that a library reads.

    Args:
        sizes: of the axes by the library's names, those of a plane last.
        dtype: of the pixels.
        read_plane: of the library.
        letters: of the axes, if the user gives them.
    """

    def __init__(self, sizes: Mapping[str, int], dtype: Any, read_plane: ReadPlane, letters: str | None) -> None:
        axes = Axes.of(tuple(sizes.values()), letters or letters_of(list(sizes)))
        if axes.letters[-len(axes.inner) :] != axes.inner:
            raise PictureError(f"axes {axes.letters}: the last ones must be {axes.inner}, as the planes are stored")
        inner = axes.plane_shape(tuple(sizes.values()))
        check_size(inner[1], inner[0])
        super().__init__(axes, tuple(sizes.values()), dtype, inner[2:] in ((2,), (4,)))
        self._names = dict(zip(axes.letters, sizes, strict=True))
        self._read_plane = read_plane

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, S)."""
        place = self.axes.place(number, self.shape)
        plane = self._read_plane({self._names[letter]: at for letter, at in place.items()})
        return plane.reshape(self.axes.plane_shape(self.shape)).astype(self.dtype, copy=False)


def planes_of(file: Any, find: Callable[[Any], Planes]) -> Planes:
    """Return the planes that are found in a library's open file; closing them closes it, and an error does at once."""
    with contextlib.ExitStack() as closing:
        closing.callback(file.close)
        planes = find(file)
        planes.resources.push(closing.pop_all())
    return planes


def check_only(names: Sequence[str]) -> None:
    """Raise PictureError unless a file holds one picture.

    Example:
        >>> check_only(["night", "day"])
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: holds 2 pictures (night, day); export the one to denoise as .ome.tif
    """
    if not names:
        raise PictureError("holds no picture: damaged or cut short; copy it again from its source")
    if len(names) != 1:
        some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise PictureError(f"holds {len(names)} pictures ({some}); export the one to denoise as .ome.tif")
