"""Axes: what each dimension of an array or file means, and which of its planes are denoised together.

A *plane* is one image ``(Y, X)`` or ``(Y, X, S)``. A *frame* is what is denoised together: one plane, or the planes of
all channels C. Letters are those of OME and tifffile: T time, Z depth, C channel, Y row, X column, S samples (RGB).
"""

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchdenoise.errors import PictureError

EXAMPLES = {3: "TYX", 4: "TCYX", 5: "TZCYX"}
"""Axes that are common, by their number."""
FRAME_LETTERS = "TZQ"
"""Of the axes beside the channel, the rows and the columns where only ``channel_axis`` is given."""
IN_ORDER = "TZQI"
"""Of the axes along which frames resemble those before and after them; TIFF pages without a name are Q or I."""

_NAMES = {
    "T": ("time", "times", "frame", "frames"),
    "Z": ("depth", "slice", "plane"),
    "C": ("channel", "channels", "band", "bands", "wavelength"),
    "Y": ("row", "rows", "lat", "latitude", "height"),
    "X": ("col", "column", "columns", "lon", "longitude", "width"),
    "S": ("sample", "samples", "rgb", "rgba"),
}
_LETTERS = {name: letter for letter, names in _NAMES.items() for name in names}
_OTHERS = "QABDEFGHIJKLMNOPRUVW"

Index = tuple[int | slice, ...]


@dataclass(frozen=True)
class Axes:
    """The letters of an array's axes, first axis first.

    Y and X are required. S holds the samples of a pixel: RGB, with or without transparency. C holds channels; if there
    is S too, each channel is a picture of its own. Every other letter numbers frames.

    Args:
        letters: as ``"TCYX"``.

    Raises:
        PictureError: a letter twice, no Y, no X, or something else than letters.

    Example:
        >>> axes = Axes("TCYX")
        >>> axes.outer, axes.planes((6, 2, 100, 90))
        ('TC', 12)
        >>> axes.frames((3, 2, 100, 90))
        [(0, 1), (2, 3), (4, 5)]
    """

    letters: str

    def __post_init__(self) -> None:
        wrong = not self.letters or set(self.letters) - set(string.ascii_uppercase)
        if wrong or len(set(self.letters)) < len(self.letters) or not {"Y", "X"} <= set(self.letters):
            raise PictureError(f"axes {self.letters!r}: each letter once, Y and X among them; {how(len(self.letters))}")

    @classmethod
    def of(cls, shape: Sequence[int], letters: str | None = None, channel_axis: int | None = None) -> "Axes":
        """Return the axes of an array: those that are given, else (H, W) or (H, W, C) with C from 1 to 4.

        Args:
            shape: of the array.
            letters: one for each axis; small ones count as capitals.
            channel_axis: number of the channel axis, from -n to n - 1; the last two others are rows and columns.

        Raises:
            PictureError: the letters do not fit the array, or nothing is given and the shape does not tell.

        Example:
            >>> Axes.of((5, 100, 90), channel_axis=0).letters, Axes.of((100, 90, 3)).letters
            ('CYX', 'YXS')
        """
        if letters is not None and channel_axis is not None:
            raise PictureError("axes and channel_axis say the same: give one of them")
        if letters is not None:
            axes = cls(letters.upper())
        elif channel_axis is not None:
            axes = cls(_with_channels(len(shape), channel_axis))
        elif len(shape) == 2:
            axes = cls("YX")
        elif len(shape) == 3 and 1 <= shape[-1] <= 4:
            axes = cls("YXS")
        else:
            remedy = f": {how(len(shape))}" if len(shape) > 2 else ""
            raise PictureError(
                f"shape {tuple(shape)} is not one picture (H, W) or (H, W, C) with C from 1 to 4{remedy}"
            )
        axes.check(shape)
        return axes

    def check(self, shape: Sequence[int]) -> None:
        """Raise PictureError unless there is a letter for each axis, and no axis is empty."""
        if len(self.letters) != len(shape):
            raise PictureError(
                f"axes {self.letters} are {len(self.letters)}, but the shape {tuple(shape)} has {len(shape)}: "
                "give one letter for each"
            )
        if 0 in shape:
            raise PictureError(f"shape {tuple(shape)} has no pixels")

    @property
    def outer(self) -> str:
        """The letters of the axes that number planes, in order."""
        return "".join(letter for letter in self.letters if letter not in "YXS")

    @property
    def inner(self) -> str:
        """The axes of a plane: ``YX``, or ``YXS`` with samples."""
        return "YXS" if "S" in self.letters else "YX"

    def planes(self, shape: Sequence[int]) -> int:
        """Return the number of planes."""
        return math.prod(self._sizes(shape, self.outer))

    def plane_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a plane, (Y, X) or (Y, X, S)."""
        return self._sizes(shape, self.inner)

    def _sizes(self, shape: Sequence[int], letters: str) -> tuple[int, ...]:
        return tuple(shape[self.letters.index(letter)] for letter in letters)

    def place(self, number: int, shape: Sequence[int]) -> dict[str, int]:
        """Return where a plane lies, by letter.

        Example:
            >>> Axes("TCYX").place(3, (6, 2, 100, 90))
            {'T': 1, 'C': 1}
        """
        places = np.unravel_index(number, self._sizes(shape, self.outer)) if self.outer else ()
        return {letter: int(at) for letter, at in zip(self.outer, places, strict=True)}

    def beside(self, number: int, shape: Sequence[int], reach: int) -> list[int]:
        """Return the planes before and after a plane, nearest first, along each axis of time or depth.

        Args:
            number: of the plane.
            shape: of the whole.
            reach: how many in each direction.

        Example:
            >>> Axes("TCYX").beside(3, (6, 2, 100, 90), 1), Axes("TZYX").beside(0, (6, 2, 100, 90), 2)
            ([1, 5], [2, 1, 4])
        """
        place, sizes = self.place(number, shape), self._sizes(shape, self.outer)
        found = []
        for step in (sign * far for far in range(1, reach + 1) for sign in (-1, 1)):
            for letter, size in zip(self.outer, sizes, strict=True):
                if letter in IN_ORDER and 0 <= place[letter] + step < size:
                    moved = {**place, letter: place[letter] + step}
                    found.append(int(np.ravel_multi_index(tuple(moved.values()), sizes)))
        return found

    def plane(self, array: NDArray[Any], number: int) -> NDArray[Any]:
        """Return a plane of an array, (Y, X) or (Y, X, S), as a view."""
        return array[self._index(array, number)].transpose(self._inner_order())

    def put(self, array: NDArray[Any], number: int, plane: NDArray[Any]) -> None:
        """Store a plane, (Y, X) or (Y, X, S), in an array."""
        array[self._index(array, number)] = plane.transpose(np.argsort(self._inner_order()))

    def _index(self, array: NDArray[Any], number: int) -> Index:
        place = self.place(number, array.shape)
        return tuple(place.get(letter, slice(None)) for letter in self.letters)

    def _inner_order(self) -> list[int]:
        stored = [letter for letter in self.letters if letter in "YXS"]
        return [stored.index(letter) for letter in self.inner]

    def frames(self, shape: Sequence[int], together: bool = True) -> list[tuple[int, ...]]:
        """Return the planes of each frame: all channels of it, or one plane where ``together`` is False.

        Example:
            >>> Axes("TZCYX").frames((1, 2, 2, 9, 9)), Axes("CTYX").frames((2, 2, 9, 9))
            ([(0, 1), (2, 3)], [(0, 2), (1, 3)])
        """
        if not (together and self.has_channels):
            return [(number,) for number in range(self.planes(shape))]
        sizes = dict(zip(self.outer, self._sizes(shape, self.outer), strict=True))
        numbers = np.arange(self.planes(shape)).reshape(tuple(sizes.values()))
        rows = np.moveaxis(numbers, self.outer.index("C"), -1).reshape(-1, sizes["C"])
        return [tuple(row) for row in rows.tolist()]

    def channels(self, shape: Sequence[int]) -> list[list[tuple[int, ...]]]:
        """Return the frames of each channel alone.

        Example:
            >>> Axes("TCYX").channels((2, 2, 9, 9))
            [[(0,), (2,)], [(1,), (3,)]]
        """
        if "C" not in self.letters:
            return [self.frames(shape)]
        by_channel = [[] for _ in range(shape[self.letters.index("C")])]  # type: list[list[tuple[int, ...]]]
        for number in range(self.planes(shape)):
            by_channel[self.place(number, shape)["C"]].append((number,))
        return by_channel

    def without_channels(self) -> "Axes":
        """Return the axes with a letter that numbers frames where the channels or samples are.

        Example:
            >>> Axes("CTYX").without_channels().letters, Axes("YXS").without_channels().letters
            ('ZTYX', 'YXT')
        """
        free = next(letter for letter in FRAME_LETTERS + _OTHERS if letter not in self.letters)
        return Axes("".join(free if letter in "CS" else letter for letter in self.letters))

    @property
    def has_channels(self) -> bool:
        """Whether channels can be denoised together: there is a C, and no S beside it."""
        return "C" in self.letters and "S" not in self.letters


def how(dimensions: int) -> str:
    """Return how to name the axes of an array.

    Example:
        >>> how(3)
        "give axes='TYX' (--axes TYX): T time, Z depth, C channel, Y row, X column, S samples (RGB)"
    """
    example = EXAMPLES.get(dimensions, "TCYX")
    return f"give axes='{example}' (--axes {example}): T time, Z depth, C channel, Y row, X column, S samples (RGB)"


def _with_channels(dimensions: int, channel_axis: int) -> str:
    others = FRAME_LETTERS[: max(0, dimensions - 3)] + "YX"
    if not (3 <= dimensions <= 3 + len(FRAME_LETTERS) and -dimensions <= channel_axis < dimensions):
        raise PictureError(f"channel_axis={channel_axis} does not fit an array of {dimensions} axes: {how(dimensions)}")
    place = channel_axis % dimensions
    return others[:place] + "C" + others[place:]


def letters_of(names: Sequence[str]) -> str:
    """Return letters for axes from their names in a file; a name that is not known gets a letter that is free.

    Example:
        >>> letters_of(["time", "angle", "y", "x"])
        'TQYX'
    """
    short = [name.upper() if len(name) == 1 else _LETTERS.get(name.lower(), "") for name in names]
    known = [
        letter if letter in string.ascii_uppercase and letter not in short[:at] else ""
        for at, letter in enumerate(short)
    ]
    free = (letter for letter in _OTHERS if letter not in known)
    return "".join(letter or next(free) for letter in known)
