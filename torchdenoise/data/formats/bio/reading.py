"""What the formats that can only be read share: scenes and planes from a library's own reader."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes, letters_of
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import Planes
from torchdenoise.errors import PictureError
from torchdenoise.scenes import find_scene

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


class Scene(NamedTuple):
    """A picture of a library's open file."""

    name: str
    """Empty if it has none."""
    planes: Callable[[str | None], Planes]
    """Returns its planes; takes the letters of the axes, if the user gives them."""


class LibraryFormat(PlanesFormat):
    """A format that a library reads: write ``open_file`` and ``scenes_of`` in a subclass, name ``output_suffix``."""

    @abstractmethod
    def open_file(self, path: Path) -> Any:
        """Return the library's open file, which has ``close``."""

    @abstractmethod
    def scenes_of(self, file: Any) -> Sequence[Scene]:
        """Return the pictures of an open file."""

    @override
    def scenes(self, path: Path) -> Sequence[str]:
        with contextlib.closing(self.open_file(path)) as file:
            return [scene.name for scene in self.scenes_of(file)]

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of the only picture."""
        return self._planes_at(path, None, letters)

    @override
    def open_scene(self, path: Path, place: int, letters: str | None) -> Planes:
        return self._planes_at(path, place, letters)

    def _planes_at(self, path: Path, place: int | None, letters: str | None) -> Planes:
        """Return the planes of a scene; closing them closes the file, and an error does at once."""
        with contextlib.ExitStack() as closing:
            file = self.open_file(path)
            closing.callback(file.close)
            scenes = self.scenes_of(file)
            place = find_scene([scene.name for scene in scenes]) if place is None else place
            planes = scenes[place].planes(letters)
            planes.resources.push(closing.pop_all())
        return planes
