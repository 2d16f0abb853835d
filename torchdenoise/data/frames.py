"""Pictures of many frames, read plane by plane; nothing holds all of them in memory."""

import contextlib
import functools
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.calibration import Calibration
from torchdenoise.data.damage import decode_errors
from torchdenoise.data.picture import as_comment
from torchdenoise.errors import PictureError

Numbered = Iterable[tuple[int, NDArray[Any]]]
"""Planes with their numbers."""


class Planes(ABC):
    """A file or array of one or more planes ``(Y, X)`` or ``(Y, X, S)``, each read when it is asked for.

    Args:
        axes: of the whole.
        shape: of the whole.
        dtype: of the pixels.
        alpha: whether the last sample S is transparency.
        metadata: further fields of a ``Picture``, alike for all frames.

    Example:
        >>> planes = ArrayPlanes(np.zeros((5, 2, 8, 9)), Axes("TCYX"))
        >>> len(planes), planes.plane(3).shape
        (10, (8, 9))
    """

    def __init__(
        self,
        axes: Axes,
        shape: Sequence[int],
        dtype: Any,
        alpha: bool = False,
        metadata: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        axes.check(shape)
        self.axes = axes
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self.alpha = alpha
        self.metadata = metadata
        self.lost: tuple[str, ...] = ()
        """What the result cannot keep, in words."""
        self.nodata: float | None = None
        """The value that stands for none."""
        self.carries = ""
        """What only a result of the same format keeps, in words."""
        self.calibration = Calibration()
        """What the file says about its axes, which other formats may keep, too."""
        self.own_axes = ""
        """The letters by which the file itself calls its axes, where others are given; nothing if it names none."""
        self.remarks: list[str] = []
        """What the metadata of a result say beside those of the input; complete when all its planes are taken."""
        self.resources = contextlib.ExitStack()
        """What ``close`` closes."""

    def __len__(self) -> int:
        return self.axes.planes(self.shape)

    @property
    def comment(self) -> str:
        """The remarks as one line for the metadata of a result; nothing if there are none."""
        return as_comment(self.remarks)

    @abstractmethod
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, S), as ``plane`` does; any exception is reported as a damaged file."""

    def plane(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, S).

        Raises:
            PictureError: it cannot be read.
        """
        with decode_errors():
            return self.read(number)

    def close(self) -> None:
        """Close the file."""
        self.resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class ArrayPlanes(Planes):
    """The planes of an array in memory, or of a memory-mapped file.

    Args:
        array: of as many dimensions as there are axes.
        axes: of the array.
        alpha: whether the last sample S is transparency; by default, if there are 2 or 4 samples.
    """

    def __init__(self, array: NDArray[Any], axes: Axes, alpha: bool | None = None) -> None:
        axes.check(array.shape)
        samples = axes.plane_shape(array.shape)[2:]
        super().__init__(axes, array.shape, array.dtype, samples in ((2,), (4,)) if alpha is None else alpha)
        self.array = array

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane as a view."""
        return self.axes.plane(self.array, number)


@dataclass(frozen=True)
class Frames(Sequence[NDArray[Any]]):
    """What is denoised together: frames ``(H, W)`` or ``(H, W, C)`` of planes, each read when it is asked for.

    Args:
        planes: of a file or an array.
        groups: the numbers of each frame's planes.

    Example:
        >>> planes = ArrayPlanes(np.zeros((5, 2, 8, 9)), Axes("TCYX"))
        >>> frames = Frames.together(planes)
        >>> len(frames), frames[0].shape
        (5, (8, 9, 2))
        >>> [len(each) for each in Frames.apart(planes)]
        [5, 5]
    """

    planes: Planes
    groups: Sequence[tuple[int, ...]]

    @classmethod
    def together(cls, planes: Planes) -> "Frames":
        """Return frames of all channels."""
        return cls(planes, planes.axes.frames(planes.shape))

    @classmethod
    def apart(cls, planes: Planes) -> "list[Frames]":
        """Return the frames of each channel alone."""
        return [cls(planes, groups) for groups in planes.axes.channels(planes.shape)]

    @override
    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, number: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[NDArray[Any]]: ...
    @override
    def __getitem__(self, number: int | slice) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return a frame, or a part of the frames, which are not read yet."""
        if isinstance(number, slice):
            return Frames(self.planes, self.groups[number])
        group = self.groups[number]
        if len(group) == 1:
            return self.planes.plane(group[0])
        return np.stack([self.planes.plane(each) for each in group], -1)

    def beside(self, number: int, reach: int) -> list[int]:
        """Return the numbers of the frames before and after a frame, as ``Axes.beside``."""
        planes = self.planes.axes.beside(self.groups[number][0], self.planes.shape, reach)
        return [self._number_by_plane[plane] for plane in planes]

    @functools.cached_property
    def _number_by_plane(self) -> dict[int, int]:
        return {group[0]: number for number, group in enumerate(self.groups)}

    def split(self, number: int, frame: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the planes of a frame with their numbers."""
        group = self.groups[number]
        if len(group) == 1:
            yield group[0], frame
            return
        for channel, each in enumerate(group):
            yield each, frame[..., channel]

    @property
    def alpha(self) -> bool:
        """Whether the last of a frame's channels is transparency."""
        return self.planes.alpha

    @property
    def values(self) -> int:
        """The number of values, transparency not counted."""
        height, width, *samples = self.planes.axes.plane_shape(self.planes.shape)
        colours = (samples[0] - self.alpha) if samples else 1
        return len(self) * len(self.groups[0]) * height * width * colours


def in_order(planes: Numbered, folder: Path) -> Iterator[NDArray[Any]]:
    """Yield planes by their numbers from 0 on; those that come early wait in a file, so that memory is bounded.

    Args:
        planes: of one shape and dtype, in any order.
        folder: for the file, which has no name and so leaves nothing behind.

    Raises:
        PictureError: a number is missing.

    Example:
        >>> from tempfile import gettempdir
        >>> planes = [(1, np.ones((2, 2))), (0, np.zeros((2, 2)))]
        >>> [int(plane[0, 0]) for plane in in_order(planes, Path(gettempdir()))]
        [0, 1]
    """
    places: dict[int, int] = {}
    turn = 0
    with tempfile.TemporaryFile(dir=folder) as waiting:
        for number, plane in planes:
            dtype, shape = plane.dtype, plane.shape
            if number == turn:
                yield plane
                turn += 1
            else:
                places[number] = waiting.seek(0, 2)
                waiting.write(np.ascontiguousarray(plane).data)
            while turn in places:
                waiting.seek(places.pop(turn))
                yield np.frombuffer(waiting.read(plane.nbytes), dtype).reshape(shape)
                turn += 1
    if places:
        raise PictureError(f"plane {turn} is missing")
