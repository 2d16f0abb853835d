"""Reading and writing picture files; depth, layout, transparency, colour profile and density are kept.

EXIF, XMP, the text of a PNG and a TIFF's description are copied where the format of the result can hold them; ``lost``
names the rest.

Every failure is a PictureError of one line that begins with the file's path and names the remedy.
"""

import contextlib
import math
import shutil
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
from torchdenoise.errors import PictureError, UserError
from torchdenoise.isolation import memory_errors
from torchdenoise.partial_files import completed
from torchdenoise.paths import (
    check_input,
    check_suffix,
    format_name,
    is_folder_format,
    picture_suffix,
    read_errors,
    writable_folder,
    write_errors,
)
from torchdenoise.scenes import Source

NAMED = frozenset("TZCYXS")
"""Axes with a meaning; other letters number the pages of a file that does not name them."""
_MEGABYTE = 10**6


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


def open_planes(path: str | Path, axes: str | None = None, scene: int | str | None = None) -> Planes | None:
    """Return the planes of a file, read one by one, to be closed; None if it holds one picture (``read_picture``).

    Args:
        path: of a TIFF or NumPy file, or of another format that has planes.
        axes: a letter for each axis, ``"TCYX"``; from the file by default. The result is then never None.
        scene: of a file of several, by number from 1 on or by name; see ``scene_names``.

    Raises:
        PictureError: the file cannot be read, the axes do not fit or are not known, there is no such scene, or there
            are several and none is given.

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
    with read_errors(Source(path, scene)):
        check_input(path)
        planes = formats.open_planes(path, axes, scene)
        if planes is not None and axes is not None:
            planes.own_axes = _own_axes(path, scene)
        return planes


def _own_axes(path: Path, scene: int | str | None) -> str:
    """Return the letters by which a file calls its axes; nothing if it names none, or some only by numbers."""
    try:
        planes = formats.open_planes(path, None, scene)
    except UserError:
        return ""  # such as an array of many dimensions, whose axes must be given
    if planes is None:
        return ""
    with planes:
        return planes.axes.letters if set(planes.axes.letters) <= NAMED else ""


def scene_names(path: str | Path) -> list[str]:
    """Return the names of the scenes of a file, in their order; empty texts where it does not name them.

    Raises:
        PictureError: the file cannot be read.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> path = Path(mkdtemp(), "a.npy")
        >>> np.save(path, np.zeros((8, 9)))
        >>> scene_names(path)
        ['']
    """
    path = Path(path)
    with read_errors(path):
        check_input(path)
        return list(formats.scene_names(path))


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
    """As ``completed``, with errors that begin with ``path``."""
    with write_errors(path), memory_errors(), completed(path, is_folder_format(path)) as partial:
        yield partial


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
        free = shutil.disk_usage(writable_folder(path.parent)).free
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
        _check_name(path)
        _check_kind(path)
        if path.exists() and not overwrite:
            raise PictureError("exists already; add --overwrite, or choose another output with -o")
        writable_folder(path.parent)


def _check_name(path: Path) -> None:
    """Raise OSError if the file system refuses a name; ``Path.exists`` of Python 3.14 takes it for one that is free."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.stat()


def _check_kind(path: Path) -> None:
    """Raise PictureError if a result would replace a folder that is none, or a file by a folder."""
    if not is_folder_format(path):
        if path.is_dir():
            raise PictureError("is a folder; choose another output with -o")
    elif path.exists() and not (path.is_dir() and formats.recognizes(path)):
        raise PictureError(f"exists and is no {format_name(path)} picture; choose another output with -o")
