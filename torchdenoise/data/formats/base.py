"""What a picture format is, and the checks that formats share."""

import contextlib
import logging
import os
import shutil
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.data.memory import check_memory
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError
from torchdenoise.paths import add_format
from torchdenoise.registry import Registered

MAX_PIXELS = 500_000_000
"""Files whose header claims more pixels are refused before decoding."""

MAX_BYTES = 4_000_000_000
"""Longer files are refused, except for formats that are read in parts."""

_SPARE_BYTES = 10**8
"""Of a disk, left to others."""

EXIF_PREFIX = b"Exif\0\0"

Pixels = tuple[NDArray[Any], dict[str, Any]]
"""An array (H, W) or (H, W, samples), and further fields of its ``Picture``."""


class Header(NamedTuple):
    """Size and type of a picture, alpha not counted."""

    channels: int
    height: int
    width: int
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, picture: Picture) -> "Header":
        """Return the header of a decoded picture."""
        _, channels, height, width = picture.image.shape
        return cls(channels, height, width, picture.scaling.dtype)


class PictureFormat(Registered, ABC, kind="formats"):
    """A file format: subclass it in one module of your own, and every command reads and writes the format::

    class NumPy(PictureFormat):
        suffixes = (".npy",)
        magic = (b"\\x93NUMPY",)

        def read(self, file):
            return np.load(file), {}

        def write(self, array, like):
            buffer = io.BytesIO()
            np.save(buffer, array)
            return buffer.getvalue()
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name suffixes in lower case, such as ``.png``; messages show the first one."""
    magic: ClassVar[tuple[bytes, ...]] = ()
    """First bytes of a file, by which it is recognized; if there are none, its suffix decides."""
    output_suffix: ClassVar[str] = ""
    """Suffix of a result whose name is not given; empty for that of the input. A lossy format names a lossless one."""

    cannot_keep: ClassVar[tuple[str, ...]] = ()
    """Fields of a ``Picture`` that a file of this format cannot hold: icc, exif, xmp, dpi, text."""

    folder: ClassVar[bool] = False
    """Whether a picture is a folder of several files; ``recognizes`` tells it from other folders."""
    floats: ClassVar[bool] = False
    """Whether the format holds floating point, so that such results need no other suffix."""

    @override
    def __new__(cls) -> Self:
        """Remember no arguments: formats have none, and reading a file makes an object, so that speed matters."""
        made = object.__new__(cls)
        made.arguments = {}
        return made

    @override
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        scenes = cls.scenes is not PictureFormat.scenes
        add_format(cls.short_name, cls.suffixes, cls.output_suffix, folder=cls.folder, floats=cls.floats, scenes=scenes)

    @abstractmethod
    def read(self, file: BinaryIO) -> Pixels:
        """Return the array (H, W) or (H, W, samples) of an open file, and further fields of its ``Picture``.

        The field ``extra`` is for what only this format can hold.

        Raises:
            PictureError: the picture is not supported. Any other exception is reported as a damaged file.
        """

    @abstractmethod
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Return the encoded bytes of an array with the shape and dtype of ``like``, and its metadata."""

    def load(self, path: Path) -> Pixels:
        """Return what ``read`` returns, of the file or folder ``path``."""
        with path.open("rb") as file:
            return self.read(file)

    def save(self, path: Path, array: NDArray[Any], like: Picture) -> None:
        """Write what ``write`` returns to a new file."""
        path.write_bytes(self.write(array, like))

    def recognizes(self, folder: Path) -> bool:  # noqa: ARG002
        """Return whether a folder is a picture of this format, which may be overwritten."""
        return False

    def check(self, like: Picture) -> None:
        """Raise PictureError, which names another suffix, unless the format can hold a picture like this one.

        Called before a fit. A format that can only be read always raises.
        """

    def header(self, file: BinaryIO) -> Header | None:
        """Return size and type of an open file without decoding it, or None if that is not possible."""

    # -- pictures of many planes; formats of single pictures need none of these ----------------------------------------

    def open(self, path: Path, letters: str | None) -> Planes | None:  # noqa: ARG002
        """Return the planes of a file, which are read one by one; None if it holds one picture, which ``read`` takes.

        Args:
            path: of the file.
            letters: of the axes, if the user gives them; the result is then never None.

        Raises:
            PictureError: as ``read``.
        """
        if letters is not None:
            raise PictureError(f"{self.short_name} holds one picture, which has no other axes: leave axes (--axes) out")
        return None

    def scenes(self, path: Path) -> Sequence[str]:  # noqa: ARG002
        """Return the names of a file's scenes in their order, empty where it has none; for formats that have scenes.

        Raises:
            PictureError: as ``read``.
        """
        return ()

    def open_scene(self, path: Path, place: int, letters: str | None) -> Planes:
        """Return the planes of one of several ``scenes``, whose places begin at 0; else as ``open``."""
        raise NotImplementedError(f"{type(self).__name__}.open_scene")

    def not_kept(self, like: Planes) -> list[str]:
        """Return what a file of this format does not keep of planes, in words; by default all that they say."""
        return [like.carries, *like.calibration.said]

    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:  # noqa: ARG002
        """Raise PictureError, which names another suffix, unless the format can hold such planes of a type."""
        raise PictureError(f"{self.short_name} holds one picture, and this is a stack: write .tiff or .npy")

    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write planes with the axes and metadata of ``like``.

        Args:
            path: of the new file.
            planes: all planes with their numbers, in any order; each is computed when it is taken.
            like: the planes of the input.
            dtype: of the pixels.
        """
        raise NotImplementedError(f"{type(self).__name__}.write_planes")


def check_size(width: int, height: int, channels: int = 1) -> None:
    """Raise PictureError if the size in a header is zero, or too large for us or for the memory."""
    if not width * height:
        raise PictureError(f"has no pixels ({width} x {height}); export it again from its source")
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:g} million"
        raise PictureError(f"claims {width} x {height} pixels, more than the limit of {limit}; crop or split it first")
    check_memory(width, height, channels)


def check_length(file: BinaryIO) -> int:
    """Return the number of bytes of an open file; PictureError if they do not fit into memory."""
    length = os.fstat(file.fileno()).st_size if hasattr(file, "name") else file.seek(0, os.SEEK_END)
    file.seek(0)
    if length > MAX_BYTES:
        raise PictureError(
            f"has {length / 1e9:.1f} GB, more than any picture of this kind; copy it again from its source"
        )
    return length


def check_claim(pixel_bytes: int, packed_bytes: int, ratio: int = 1) -> None:
    """Raise PictureError if a file holds too few bytes for the size that its header claims.

    Args:
        pixel_bytes: of the decoded pixels.
        packed_bytes: of the file that hold them.
        ratio: by which the compression makes pixels smaller at most.
    """
    if pixel_bytes > packed_bytes * ratio:
        raise PictureError(
            f"damaged or cut short ({packed_bytes} bytes cannot hold the size in its header); "
            "copy it again from its source"
        )


def check_unpacked(size: int, folder: str | Path) -> None:
    """Raise PictureError unless a temporary folder has room for a file that is unpacked there, and some to spare.

    Example:
        >>> from tempfile import gettempdir
        >>> check_unpacked(10**18, gettempdir())  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: unpacks to 1e+09 GB, and the folder for temporary files has ...
    """
    free = shutil.disk_usage(folder).free
    if size + _SPARE_BYTES > free:
        raise PictureError(
            f"unpacks to {size / 1e9:.2g} GB, and the folder for temporary files has {free / 1e9:.2g} GB free: "
            "name another one in the environment variable TMPDIR, or unpack it first"
        )


def check_single(count: int, hint: str = "") -> None:
    """Raise PictureError unless a file holds one picture; ``hint`` follows the remedy."""
    if count == 0:
        raise PictureError("holds no picture: empty or cut short; copy it again from its source")
    if count > 1:
        raise PictureError(f"holds {count} pages; split it into single pages first{hint}")


class _StandardError:
    """Standard error of the process, silent while anybody asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._askers = 0
        self._kept: int | None = None

    def mute(self) -> None:
        with self._lock:
            self._askers += 1
            if self._askers == 1:
                with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:  # if closed, nobody reads it
                    self._kept = os.dup(2)
                    os.dup2(nowhere.fileno(), 2)

    def unmute(self) -> None:
        with self._lock:
            self._askers -= 1
            if not self._askers and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)
                self._kept = None


_standard_error = _StandardError()


@contextlib.contextmanager
def silent_codecs() -> Iterator[None]:
    """Keep what C libraries print about unusual files off standard error; failures still raise.

    The whole process is silent meanwhile, other threads included: keep the block short.
    """
    _standard_error.mute()
    try:
        yield
    finally:
        _standard_error.unmute()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings of Pillow and log messages of tifffile about unusual metadata; failures still raise."""
    logger = logging.getLogger("tifffile")

    def mute(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(mute)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        logger.removeFilter(mute)


def valid_dpi(density: tuple[float, float], units_per_inch: float = 1) -> tuple[float, float] | None:
    """Return pixels per inch, or None if the density is invalid or some format cannot hold it."""
    across, down = (float(value) * units_per_inch for value in density)
    return (across, down) if min(across, down) > 0 and max(across, down) < 1 << 16 else None
