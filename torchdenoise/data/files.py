"""Pictures in and out of PNG, TIFF and JPEG files: same depth, layout, transparency, colour profile and density.

EXIF goes along, and a TIFF's description; other notes do not: authors, XMP, coordinates on Earth.

What goes wrong with a file is a UserError of one line that begins with its path and says what to do about it.
"""

import errno
import math
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from torchdenoise.data.formats import check_fit, decode, encode
from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError
from torchdenoise.paths import check_input, check_suffix, read_errors, write_errors

_MEGABYTE = 10**6


def read_picture(path: str | Path, data_range: float | tuple[float, float] | None = None) -> Picture:
    """Return the picture in a PNG, TIFF or JPEG file, ``data_range`` as in ``Scaling.of``.

    PNG palettes and depths below 8 bits become 8-bit RGB and grey. The content decides the format, not the name.
    Raises UserError for whatever is not one readable grey or RGB picture of finite values.

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
    with read_errors(path):
        check_input(path)
        with path.open("rb") as file:
            array, metadata = decode(file)
        return Picture.from_array(array, data_range, **metadata)


def read_alike(paths: Sequence[str | Path]) -> list[Picture]:
    """Return pictures of one scene, all on its widest scale: a dim one may have found another white by itself.

    Raises:
        UserError: as ``read_picture``; or they do not hold the same type of values.
    """
    pictures = [read_picture(path) for path in paths]
    scalings = [picture.scaling for picture in pictures]
    for path, scaling in zip(paths, scalings, strict=True):
        if scaling.dtype != scalings[0].dtype:
            both = f"{paths[0]} holds {scalings[0].dtype}, {path} {scaling.dtype}"
            raise UserError(f"{both}: write both with the same type and range")
    if len({(scaling.low, scaling.high) for scaling in scalings}) == 1:
        return pictures
    widest = min(scaling.low for scaling in scalings), max(scaling.high for scaling in scalings)
    return [read_picture(path, widest) for path in paths]


def write_picture(path: str | Path, image: torch.Tensor, like: Picture, overwrite: bool = False) -> None:
    """Write ``image`` (1, C, H, W) in the format of the suffix, as the same kind of picture as ``like``.

    All or nothing: the file appears when it is complete. JPEG is written at quality 95 without subsampling.
    Raises UserError as ``check_output`` and ``Picture.restore`` do, and when the disk does not take it.

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
    _check_place(path, like, overwrite)
    partial = path.with_name(f".torchdenoise-{secrets.token_hex(8)}.part")
    try:
        with write_errors(path):
            encoded = encode(like.restore(image), like, path.suffix.lower())
            with partial.open("xb") as file:
                file.write(encoded)
            partial.replace(path)
    finally:  # an interrupt too leaves nothing behind
        partial.unlink(missing_ok=True)


def check_output(path: str | Path, like: Picture, overwrite: bool = False) -> None:
    """Raise UserError if ``write_picture`` would refuse ``path``, which is better known before a long fit than after.

    So is a disk with less room than the picture needs unpacked.

    Example:
        >>> import numpy as np
        >>> check_output("clean.jpg", Picture.from_array(np.zeros((8, 9), dtype=np.uint16)))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: clean.jpg: JPEG cannot hold uint16; write .png or .tiff instead
    """
    path = Path(path)
    _check_place(path, like, overwrite)
    with write_errors(path):
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
        free = shutil.disk_usage(path.parent).free
        needed = math.prod(like.shape) * like.scaling.dtype.itemsize + _MEGABYTE  # for what stands beside the pixels
        if free < needed:
            raise UserError(
                f"the disk has {free // _MEGABYTE} MB free and the result may need {math.ceil(needed / _MEGABYTE)} MB; "
                "free some space or choose another output with -o"
            )


def _check_place(path: Path, like: Picture, overwrite: bool) -> None:
    """Raise UserError unless the picture fits the format that ``path`` names, and ``path`` is free to take it."""
    with write_errors(path):
        check_suffix(path)
        check_fit(path.suffix.lower(), like)
        if path.is_dir():
            raise UserError("is a folder; choose another output with -o")
        if path.exists() and not overwrite:
            raise UserError("exists already; pass --overwrite or choose another output with -o")
        if not path.parent.is_dir():
            raise UserError(f"{path.parent}: no such folder; create it first")
