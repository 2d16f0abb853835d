"""Reading and writing picture files; depth, layout, transparency, colour profile and density are kept.

EXIF, XMP, the text of a PNG and a TIFF's description are copied where the format of the result can hold them; ``lost``
names the rest.

Every failure is a PictureError of one line that begins with the file's path and names the remedy.
"""

import errno
import math
import os
import secrets
import shutil
from pathlib import Path

import torch

from torchdenoise.data.formats import check_fit, decode, encode
from torchdenoise.data.holes import Holes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError
from torchdenoise.isolation import memory_errors
from torchdenoise.paths import check_input, check_suffix, read_errors, shown, write_errors

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
        with path.open("rb") as file:
            array, metadata = decode(file, path.suffix.lower())
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
    _check_free(path, like, overwrite)
    partial = path.with_name(f".torchdenoise-{secrets.token_hex(8)}.part")
    try:
        with write_errors(path), memory_errors():
            encoded = encode(like.restore(image), like, path.suffix.lower())
            with partial.open("xb") as file:
                file.write(encoded)
            partial.replace(path)
    finally:  # also after an interrupt
        partial.unlink(missing_ok=True)


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
    _check_free(path, like, overwrite)
    with write_errors(path):
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
        free = shutil.disk_usage(path.parent).free
        needed = math.prod(like.shape) * like.scaling.dtype.itemsize + _MEGABYTE  # for the metadata
        if free < needed:
            raise PictureError(
                f"the disk has {free // _MEGABYTE} MB free and the result may need {math.ceil(needed / _MEGABYTE)} MB; "
                "free some space or choose another output with -o"
            )


def _check_free(path: Path, like: Picture, overwrite: bool) -> None:
    """Raise PictureError unless the suffix's format can hold the picture and ``path`` is free."""
    with write_errors(path):
        check_suffix(path)
        check_fit(path.suffix.lower(), like)
        if path.is_dir():
            raise PictureError("is a folder; choose another output with -o")
        if path.exists() and not overwrite:
            raise PictureError("exists already; pass --overwrite or choose another output with -o")
        if not path.parent.is_dir():
            raise PictureError(f"{shown(path.parent)}: no such folder; create it first")
