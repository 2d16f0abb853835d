"""Reading and writing picture files; depth, layout, transparency, colour profile and density are kept.

EXIF, XMP, the text of a PNG and a TIFF's description are copied where the format of the result can hold them; ``lost``
names the rest.

Every failure is a PictureError of one line that begins with the file's path and names the remedy.
"""

import contextlib
import errno
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchdenoise.data import formats
from torchdenoise.data.formats import check_fit
from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.data.holes import Holes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError
from torchdenoise.isolation import memory_errors
from torchdenoise.paths import (
    check_input,
    check_suffix,
    format_name,
    is_folder_format,
    picture_suffix,
    read_errors,
    shown,
    write_errors,
)

_MEGABYTE = 10**6
_ABANDONED_SECONDS = 10
"""Age of an unfinished result without a lock that is removed; a younger one may just be made."""


def read_picture(
    path: str | Path, data_range: float | tuple[float, float] | None = None, mask: Holes | None = None
) -> Picture:
    """Return the picture in a file, ``data_range`` as in ``Scaling.of``, ``mask`` as in ``Picture.from_array``.

    The content decides the format, not the suffix. Palettes and depths below 8 bits become 8-bit RGB and grey.

    Raises:
        PictureError: the file is not one readable grey or RGB picture; NaN is allowed, infinity is not.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> path = Path(mkdtemp(), "grey.png")
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint8))
        >>> write_picture(path, picture.image, picture)
        >>> read_picture(path).image.shape
        torch.Size([1, 1, 8, 9])
    """
    path = Path(path)
    with read_errors(path), memory_errors():
        check_input(path)
        array, metadata = formats.load(path)
        return Picture.from_array(array, data_range, mask=mask, **metadata)


def write_picture(path: str | Path, image: torch.Tensor, like: Picture, overwrite: bool = False) -> None:
    """Write ``image`` (1, C, H, W) in the format of the suffix, with the type and metadata of ``like``.

    The file appears only when it is complete. JPEG is written at ``like.quality`` without chroma subsampling.

    Raises:
        PictureError: as ``check_output`` and ``Picture.restore``; or the disk is full.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint16))
        >>> path = Path(mkdtemp(), "grey.png")
        >>> write_picture(path, picture.image, picture)
        >>> read_picture(path).scaling.dtype
        dtype('uint16')
    """
    path = Path(path)
    suffix = picture_suffix(path)
    _check_free(path, lambda: check_fit(suffix, like), overwrite)
    with _completed(path) as partial:
        formats.save(partial, suffix, like.restore(image), like)


def open_planes(path: str | Path, axes: str | None = None) -> Planes | None:
    """Return the planes of a file, read one by one, to be closed; None if it holds one picture (``read_picture``).

    Args:
        path: of a TIFF or NumPy file, or of another format that has planes.
        axes: a letter for each axis, ``"TCYX"``; from the file by default. The result is then never None.

    Raises:
        PictureError: the file cannot be read, or the axes do not fit or are not known.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> path = Path(mkdtemp(), "a.npy")
        >>> np.save(path, np.zeros((5, 2, 8, 9)))
        >>> with open_planes(path, "TCYX") as planes:
        ...     len(planes), planes.plane(3).shape
        (10, (8, 9))
    """
    path = Path(path)
    with read_errors(path):
        check_input(path)
        return formats.open_planes(path, axes)


def write_planes(
    path: str | Path, planes: Numbered, like: Planes, dtype: Any | None = None, overwrite: bool = False
) -> None:
    """Write planes in the format of the suffix, with the axes and metadata of ``like``.

    Each plane is computed when it is taken. The file appears only when it is complete.

    Args:
        path: of the result.
        planes: all planes with their numbers, in any order.
        like: the planes of the input, still open.
        dtype: of the pixels; that of the input by default.
        overwrite: whether an existing file is replaced.

    Raises:
        PictureError: as ``check_planes_output``; or the disk is full.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> path = Path(mkdtemp(), "a.tif")
        >>> planes = ArrayPlanes(np.zeros((5, 8, 9), np.uint8), Axes("TYX"))
        >>> write_planes(path, ((number, planes.plane(number)) for number in range(5)), planes)
        >>> with open_planes(path) as written:
        ...     written.axes.letters
        'TYX'
    """
    path, stored = Path(path), np.dtype(like.dtype if dtype is None else dtype)
    suffix = picture_suffix(path)
    _check_free(path, lambda: formats.check_planes(suffix, like, stored), overwrite)
    with _completed(path) as partial:
        formats.write_planes(partial, suffix, planes, like, stored)


@contextlib.contextmanager
def _completed(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` when the block is done, and leaves nothing if it fails.

    Where the picture is a folder, the name is that of an empty one.
    """
    partial = _partial_name(path.parent)
    try:
        with write_errors(path), memory_errors():
            remove_abandoned(path.parent)
            with _made(partial, is_folder_format(path)) as held:
                with contextlib.suppress(OSError):  # a disk without locks
                    _lock(held)
                yield partial
            _move(partial, path)
    finally:  # also after an interrupt
        _remove(partial)


def _partial_name(folder: Path) -> Path:
    return folder / f".torchdenoise-{secrets.token_hex(8)}.part"


@contextlib.contextmanager
def _made(partial: Path, folder: bool) -> Iterator[int | None]:
    """Make a file or a folder, and hold it open meanwhile; None where the system opens no folders."""
    if not folder:
        with partial.open("xb") as file:
            yield file.fileno()
        return
    partial.mkdir()
    with _opened(partial) as held:
        yield held


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file or a folder to lock it; None on Windows, which opens no folders."""
    if os.name == "nt" and path.is_dir():
        yield None
        return
    held = os.open(path, os.O_RDONLY)
    try:
        yield held
    finally:
        os.close(held)


def _move(partial: Path, path: Path) -> None:
    """Give a finished result its name, in the place of an earlier one."""
    if not path.is_dir():
        partial.replace(path)
        return
    earlier = _partial_name(path.parent)  # a folder cannot be replaced in one step
    path.rename(earlier)
    partial.rename(path)
    _remove(earlier)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished results that killed processes left in a folder; those still being written are locked.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / ".torchdenoise-00.part").touch()
        >>> os.utime(folder / ".torchdenoise-00.part", (0, 0))
        >>> remove_abandoned(folder)
        >>> list(folder.iterdir())
        []
    """
    for partial in folder.glob(".torchdenoise-*.part"):
        with contextlib.suppress(OSError):  # finished or removed at this moment, or locked
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                with _opened(partial) as held:
                    _lock(held)
                    _remove(partial)


def _lock(held: int | None) -> None:
    """Lock an open file while it stays open; BlockingIOError if it is locked, nothing where locks do not exist."""
    try:
        import fcntl
    except ImportError:  # Windows, which refuses to remove an open file
        return
    if held is not None:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_output(path: str | Path, like: Picture, overwrite: bool = False) -> None:
    """Raise PictureError if ``write_picture`` would fail, so that it is known before a long fit.

    The disk must have room for the uncompressed picture.

    Example:
        >>> import numpy as np
        >>> check_output("clean.jpg", Picture.from_array(np.zeros((8, 9), dtype=np.uint16)))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: clean.jpg: JPEG cannot hold uint16; write .png or .tiff instead
    """
    path = Path(path)
    _check_free(path, lambda: check_fit(picture_suffix(path), like), overwrite)
    _check_room(path, math.prod(like.shape) * like.scaling.dtype.itemsize)


def check_planes_output(path: str | Path, like: Planes, dtype: Any | None = None, overwrite: bool = False) -> None:
    """Raise PictureError if ``write_planes`` would fail, so that it is known before a long fit.

    Example:
        >>> import numpy as np
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> check_planes_output("clean.png", ArrayPlanes(np.zeros((5, 8, 9)), Axes("TYX")))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: clean.png: PNG holds one picture, and this is a stack: write .tiff or .npy
    """
    path, stored = Path(path), np.dtype(like.dtype if dtype is None else dtype)
    _check_free(path, lambda: formats.check_planes(picture_suffix(path), like, stored), overwrite)
    _check_room(path, math.prod(like.shape) * stored.itemsize)


def _check_room(path: Path, size: int) -> None:
    """Raise PictureError unless a folder can be written to and has room for so many bytes."""
    with write_errors(path):
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
        free = shutil.disk_usage(path.parent).free
        needed = size + _MEGABYTE  # for the metadata
        if free < needed:
            raise PictureError(
                f"the disk has {free // _MEGABYTE} MB free and the result may need {math.ceil(needed / _MEGABYTE)} MB; "
                "free some space or choose another output with -o"
            )


def _check_free(path: Path, fits: Callable[[], None], overwrite: bool) -> None:
    """Raise PictureError unless the suffix's format can hold the picture and ``path`` is free."""
    with write_errors(path):
        check_suffix(path)
        fits()
        _check_kind(path)
        if path.exists() and not overwrite:
            raise PictureError("exists already; pass --overwrite or choose another output with -o")
        if not path.parent.is_dir():
            raise PictureError(f"{shown(path.parent)}: no such folder; create it first")


def _check_kind(path: Path) -> None:
    """Raise PictureError if a result would replace a folder that is none, or a file by a folder."""
    if not is_folder_format(path):
        if path.is_dir():
            raise PictureError("is a folder; choose another output with -o")
    elif path.exists() and not (path.is_dir() and formats.recognizes(path)):
        raise PictureError(f"exists and is no {format_name(path)} picture; choose another output with -o")
