"""Picture headers: size and type without decoding, so that unsuitable pictures are refused before any work."""

import contextlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from torchdenoise.data.files import read_picture
from torchdenoise.data.formats import MAX_PIXELS, Header, read_header
from torchdenoise.data.memory import check_fit_memory
from torchdenoise.errors import PictureError
from torchdenoise.paths import picture_suffix, read_errors


def header(path: Path) -> Header:
    """Return size and type of a picture; formats with a ``header`` are not decoded for that.

    Raises:
        PictureError: as ``read_picture``.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.data import Picture, write_picture
        >>> path = Path(mkdtemp(), "grey.png")
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint16))
        >>> write_picture(path, picture.image, picture)
        >>> header(path)
        Header(channels=1, height=8, width=9, dtype=dtype('uint16'))
    """
    modified, size = 0, 0
    with contextlib.suppress(OSError):  # _header reports it
        modified, size = path.stat().st_mtime_ns, path.stat().st_size
    return _header(path, modified, size)


def check_fits(path: Path, at_once: int = 1) -> None:
    """Raise PictureError if memory is too small to denoise a picture; formats without a ``header`` are not looked at.

    Known before the picture is decoded, which takes memory and time. ``at_once`` pictures like it are denoised at the
    same time.
    """
    found = None
    with contextlib.suppress(Exception):  # the reader reports what is wrong
        if path.is_file():
            with path.open("rb") as file:
                found = read_header(file, picture_suffix(path))
    if found is not None:
        with read_errors(path):
            check_fit_memory(found.width, found.height, found.channels, at_once)


def check_crop(paths: Iterable[Path], crop: int, option: str) -> None:
    """Raise PictureError if a picture is smaller than a square crop; ``option`` is the option that sets the crop."""
    headers = {path: header(path) for path in paths}
    small = {path: each for path, each in headers.items() if min(each.height, each.width) < crop}
    for path, first in small.items():
        side = min(min(each.height, each.width) for each in small.values())
        raise PictureError(
            f"{path}{and_more(len(small) - 1)}: {first.width}x{first.height} pixels, smaller than the crop of {crop}: "
            f"set {option} {side} or leave the picture out"
        )


def and_more(count: int) -> str:
    """Return how a message ends its list of examples.

    Example:
        >>> and_more(2), and_more(0)
        (' and 2 more', '')
    """
    return f" and {count} more" if count > 0 else ""


@lru_cache(maxsize=2**16)
def _header(path: Path, modified: int, size: int) -> Header:  # noqa: ARG001  # a changed file is read again
    found = None
    # Anything unusual is left to the full reader, which reports what is wrong.
    with contextlib.suppress(Exception), path.open("rb") as file:
        found = read_header(file, picture_suffix(path))
    if found is not None and 0 < found.height * found.width <= MAX_PIXELS:
        return found
    return Header.of(read_picture(path))
