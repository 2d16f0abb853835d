"""Checks of a TIFF that tifffile leaves out: its chain of pages, and whether the data can hold the pixels."""

import contextlib
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import tifffile
from tifffile import COMPRESSION

from torchdenoise.data.formats.base import MAX_PIXELS, check_claim
from torchdenoise.errors import PictureError

_BY_PAGES: dict[str, Any] = {"is_shaped": False, "is_imagej": False, "is_ome": False}
"""Arguments of ``TiffFile`` to ignore all kinds of descriptions that anybody may write."""
NO_SENSE = "a description that makes no sense"
_REMEDY = "; copy it again from its source"
_BIG = 43
_BITS = 258
_GDAL_NODATA = 42113
_RATIOS = {
    COMPRESSION.NONE: 1,
    COMPRESSION.PACKBITS: 64,
    COMPRESSION.LZW: 4096,
    COMPRESSION.ADOBE_DEFLATE: 1100,
    COMPRESSION.DEFLATE: 1100,
}
"""Bytes of pixels that a byte of data can hold."""
_UNKNOWN_RATIO = 1 << 20
_FAX = frozenset({COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6})
_FAX_GROWTH, _GROWTH, _SLACK = 6, 3, 256
"""How much longer than its pixels badly compressed data can be, and bytes for the tables of each part."""


def directories(file: BinaryIO) -> Iterator[int]:
    """Yield the place of each page's directory; the file's position is left where it was.

    Raises:
        PictureError: the pages form a loop, or a directory has no entries.

    Example:
        >>> import io
        >>> list(directories(io.BytesIO(struct.pack("<2sHIH12sI", b"II", 42, 8, 1, bytes(12), 0))))
        [8]
    """
    before = file.seek(0, os.SEEK_CUR)
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = len(head) == 16 and struct.unpack_from(order + "H", head, 2)[0] == _BIG
    count_format, entry, link_format = (order + "Q", 20, order + "Q") if big else (order + "H", 12, order + "I")
    head = head.ljust(16, b"\0")
    (at,) = struct.unpack_from(link_format, head, 8 if big else 4)
    seen: set[int] = set()
    try:
        while at:
            if at in seen:
                raise PictureError(f"damaged (its pages form a loop){_REMEDY}")
            seen.add(at)
            count = _number(file, at, count_format)
            if count is None:
                return  # beyond the end of the file; tifffile ends there, too
            if count == 0:
                raise PictureError(f"damaged (a page without entries){_REMEDY}")
            yield at
            at = _number(file, at + struct.calcsize(count_format) + entry * count, link_format) or 0
    finally:
        file.seek(before)


def _number(file: BinaryIO, at: int, kind: str) -> int | None:
    with contextlib.suppress(OSError, ValueError, OverflowError):  # a place that cannot be
        file.seek(at)
        data = file.read(struct.calcsize(kind))
        if len(data) == struct.calcsize(kind):
            return int(struct.unpack(kind, data)[0])
    return None


def opened(source: Path | BinaryIO) -> tifffile.TiffFile:
    """Return an open TIFF; what its description says about its pages is ignored if it makes no sense."""
    tiff = tifffile.TiffFile(source, offset=0)
    try:
        len(tiff.series)  # reads them
    except MemoryError:
        tiff.close()
        raise
    except Exception:  # tifffile raises what it meets
        tiff.close()
        return tifffile.TiffFile(source, offset=0, **_BY_PAGES)
    return tiff


def ignores_description(tiff: tifffile.TiffFile) -> bool:
    """Return whether the description of an ``opened`` TIFF makes no sense."""
    return any(getattr(tiff.pages.first, name) and not getattr(tiff, name) for name in _BY_PAGES)


def claimed_pages(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    """Return how many pages a comment claims to follow in one; 1 if there is no comment or if it makes no sense.

    ImageJ, and tifffile too, can write a large stack as one page and a comment with its shape.
    """
    found = 1
    with contextlib.suppress(Exception):  # a comment is free text
        found = max(found, int((tiff.imagej_metadata or {}).get("images", 1)))
    with contextlib.suppress(Exception):
        for comment in tiff.shaped_metadata or ():
            found = max(found, math.prod(comment.get("shape", ())) // math.prod(page.shape))
    return found


def check_data(data: tifffile.TiffPage | tifffile.TiffFrame, file_bytes: int) -> None:
    """Raise PictureError unless the data of a page can be its pixels: neither too few nor far too many."""
    page: Any = data.keyframe  # a frame has the tags of its key frame
    if page.is_tiled and page.tilewidth * page.tilelength > MAX_PIXELS:
        raise PictureError(f"damaged (tiles of {page.tilewidth} x {page.tilelength} pixels){_REMEDY}")
    depth = _depth(page)
    pixels = _pixel_bytes(page)
    parts = list(zip(data.dataoffsets, data.databytecounts, strict=False))
    packed = sum(max(min(count, file_bytes - at), 0) for at, count in parts if at)
    check_claim(pixels, packed, _RATIOS.get(COMPRESSION(page.compression), _UNKNOWN_RATIO))
    padded = max(pixels, len(parts) * page.tilewidth * page.tilelength * page.samplesperpixel * depth / 8)
    growth = _FAX_GROWTH if page.compression in _FAX else _GROWTH
    # Programs store plain data of any length. If the depth is missing, which means one bit, the length shows a mistake.
    length_matters = page.compression != COMPRESSION.NONE or _BITS not in page.tags
    if length_matters and packed > growth * padded + _SLACK * max(len(parts), 1):
        raise PictureError(f"damaged ({packed} bytes of data for {pixels} bytes of pixels){_REMEDY}")


def check_stack(page: tifffile.TiffPage, pages: int, file_bytes: int) -> None:
    """Raise PictureError if a file is too short for pages like this one, such as pages that share their data."""
    check_claim(pages * _pixel_bytes(page), file_bytes, _RATIOS.get(COMPRESSION(page.compression), _UNKNOWN_RATIO))


def _depth(page: tifffile.TiffPage) -> float:
    """Return the bits of a sample, the mean where they differ."""
    bits: Any = page.bitspersample
    return float(sum(bits) / len(bits) if isinstance(bits, tuple) else bits)


def _pixel_bytes(page: tifffile.TiffPage) -> int:
    return math.ceil(page.imagewidth * page.imagelength * page.samplesperpixel * _depth(page) / 8)


def nodata_value(page: tifffile.TiffPage) -> float | None:
    """Return the value that stands for none in a page, as GDAL writes it; None if there is no such value."""
    with contextlib.suppress(Exception):  # free text
        return float(page.tags[_GDAL_NODATA].value)
    return None


def whole_number(value: Any, default: int) -> int:
    """Return the value of a tag as an integer; ``default`` if it is something else.

    Example:
        >>> whole_number("up", 1), whole_number(6, 1)
        (1, 6)
    """
    return value if isinstance(value, int) else default
