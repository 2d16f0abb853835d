"""Files that are a header and an array as it lies in memory: read by mapping it, written plane by plane."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from torchdenoise.data.formats.planes_format import put_planes
from torchdenoise.data.frames import Numbered, Planes

Order = Literal["C", "F"]


@dataclass(frozen=True)
class RawArray:
    """An array in a file.

    Args:
        letters: of its axes.
        shape: of the array.
        dtype: with its byte order.
        order: ``"C"``, or ``"F"`` if the first index runs fastest.
    """

    letters: str
    shape: Sequence[int]
    dtype: np.dtype[Any]
    order: Order = "C"

    @property
    def nbytes(self) -> int:
        """Of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def mapped(self, path: Path, offset: int) -> NDArray[Any]:
        """Return the array in a file, not loaded.

        Raises:
            ValueError: the file is too short.
        """
        array: NDArray[Any] = np.memmap(path, self.dtype, "r", offset, tuple(self.shape), self.order)
        return array

    def write(self, file: BinaryIO, head: bytes, planes: Numbered, like: Planes, tail: bytes = b"") -> None:
        """Write a file of a header, this array and what follows it.

        Args:
            file: new, open for reading and writing.
            head: all before the array.
            planes: of the array.
            like: the planes of the input.
            tail: all behind the array.
        """
        file.write(head)
        file.truncate(len(head) + self.nbytes)
        file.seek(0, os.SEEK_END)
        file.write(tail)
        file.flush()
        array: NDArray[Any] = np.memmap(file, self.dtype, "r+", len(head), tuple(self.shape), self.order)
        put_planes(array, self.letters, planes, like)
        assert isinstance(array, np.memmap)
        array.flush()
