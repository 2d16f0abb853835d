"""What the bytes of a JPEG say before it is decoded, and whether its data are complete afterwards.

The decoder fills what is missing with grey and passes over what is too much, without a word.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from torchdenoise.data.formats.base import check_claim, check_size
from torchdenoise.errors import PictureError

_START_OF_SCAN, _END_OF_IMAGE, _HUFFMAN_TABLE = 0xDA, 0xD9, 0xC4
_NOTE = 0xE1  # of EXIF and XMP
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_HUFFMAN_TABLE, 0xC8, 0xCC}
_ONE_PASS, _SEVERAL_PASSES = (0xC0, 0xC1), 0xC2
_MAX_JUNK = 1 << 16
"""Bytes between segments that are passed over."""
_MAX_SCANS = 200
"""A progressive JPEG has about 10; thousands keep the decoder busy for minutes."""
_PIXELS_OF_A_BYTE = 512
"""A block of 8x8 pixels needs 1 bit at least."""
_TAIL = 256
"""Bytes at the end of a scan without which no picture is complete."""
_FILLER = b"\xaa" * 16
"""More than the decoder reads ahead, and too little for the rest of a picture."""
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_END_OF_DATA = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SHORTEST = {b"JFIF\0": 16, b"ICC_PROFILE\0": 16}
"""Lengths of segments that the decoder trusts; shorter ones are left out."""
_REMEDY = "; copy it again from its source"


@dataclass(frozen=True)
class Layout:
    """What a JPEG says of itself.

    ``end`` is where the data of its only scan end; None if it has several scans. ``unusable`` are segments to leave
    out, each from start to end.
    """

    width: int
    height: int
    channels: int
    end: int | None
    unusable: tuple[tuple[int, int], ...]

    def usable(self, data: bytes) -> bytes:
        """Return the bytes without unusable segments; ``end`` holds for them."""
        edges = [0, *(at for each in self.unusable for at in each), len(data)]
        return b"".join(data[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True))


class Segment(NamedTuple):
    """A marker, and where its bytes start, its content begins and ends."""

    marker: int
    start: int
    content: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of the first picture in a JPEG; those of scans without their data.

    Raises:
        PictureError: bytes that belong to no segment, or a length that cannot be.
    """
    at = 2
    while at < len(data):
        found = _MARKER.search(data, at, at + _MAX_JUNK)
        if found is None:
            raise PictureError(f"damaged or cut short (no JPEG segment where one is due){_REMEDY}")
        marker, at = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2])
        if length < 2 or at + length > len(data):
            raise PictureError(f"damaged or cut short (a segment of {length} bytes){_REMEDY}")
        yield Segment(marker, found.start(), at + 2, at + length)
        at += length
        if marker == _START_OF_SCAN:
            end = _END_OF_DATA.search(data, at)
            at = end.start() if end else len(data)


def read_size(data: bytes, found: Segment) -> tuple[int, int, int]:
    """Return width, height and channels from the segment that begins a frame."""
    if found.marker not in (*_ONE_PASS, _SEVERAL_PASSES):
        raise PictureError("is a lossless or arithmetic-coded JPEG; save it as a usual JPEG or as PNG first")
    height, width, channels = struct.unpack_from(">HHB", data, found.content + 1)
    return width, height, channels


def find_frame(data: bytes) -> Segment | None:
    """Return the segment that begins the frame of a JPEG; None if these bytes end before it."""
    return next((each for each in segments(data) if each.marker in _FRAMES), None)


def find_note(data: bytes, name: bytes) -> bytes | None:
    """Return the content of the first application segment that begins with ``name``; None if there is none."""
    for each in segments(data):
        if each.marker == _START_OF_SCAN:
            return None
        if each.marker == _NOTE and data.startswith(name, each.content):
            return data[each.content + len(name) : each.end]
    return None


def note(content: bytes) -> bytes:
    """Return an application segment.

    Example:
        >>> note(b"abc")
        b'\\xff\\xe1\\x00\\x05abc'
    """
    return struct.pack(">BBH", 0xFF, _NOTE, len(content) + 2) + content


def read_layout(data: bytes) -> Layout:
    """Return the layout of the first picture in the bytes of a JPEG.

    Raises:
        PictureError: it is cut short, has no picture, or was made to exhaust the decoder.
    """
    frame, packed, end, scans, tables, unusable = None, 0, len(data), 0, 0, []
    for each in segments(data):
        frame = each if frame is None and each.marker in _FRAMES else frame
        tables += each.marker == _HUFFMAN_TABLE
        shortest = (size for name, size in _SHORTEST.items() if data.startswith(name, each.content))
        if each.end - each.content + 2 < next(shortest, 0):
            unusable.append((each.start, each.end))
        if each.marker == _START_OF_SCAN:
            scans += 1
            found = _END_OF_DATA.search(data, each.end)
            if found is None:
                raise PictureError(f"damaged or cut short (a JPEG without its end){_REMEDY}")
            end = found.start()
            packed += end - each.end
        if scans > _MAX_SCANS:
            raise PictureError(f"holds more than {_MAX_SCANS} scans; open and save it in an image editor first")
    if frame is None or not (scans and tables):
        raise PictureError(f"damaged or cut short (a JPEG without a picture){_REMEDY}")
    width, height, channels = read_size(data, frame)
    check_size(width, height, max(channels, 1))
    check_claim(width * height, packed, _PIXELS_OF_A_BYTE)
    single = scans == 1 and frame.marker in _ONE_PASS
    cut = sum(stop - start for start, stop in unusable)
    return Layout(width, height, channels, end - cut if single else None, tuple(unusable))


class WatchedFile(io.BytesIO):
    """The bytes of a JPEG, read in parts, which remembers which of them the decoder asked for.

    The decoder stops as soon as the picture is complete. Behind the data of the scan come a few bytes that say nothing,
    because it looks ahead.

    Args:
        data: of the whole file.
        end: where the data of the only scan end.
    """

    def __init__(self, data: bytes, end: int) -> None:
        super().__init__(data[:end] + _FILLER + data[end:])
        self.watching = False
        """Set it when decoding begins."""
        self._stops = {"tail": max(end - _TAIL, 0), "behind": end + len(_FILLER)}
        self._reached: set[str] = set()

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        size = len(self.getbuffer()) if size is None or size < 0 else size
        if self.watching:
            self._reached |= {name for name, stop in self._stops.items() if at == stop}
            size = min([size, *(stop - at for stop in self._stops.values() if stop > at)])
        return super().read(size)

    def check(self) -> None:
        """Raise PictureError if the decoder needed more than there is, or did without the end."""
        if "behind" in self._reached:
            raise PictureError(f"damaged or cut short (the data end before the picture does){_REMEDY}")
        if "tail" not in self._reached:
            raise PictureError(f"damaged (the data go on after the picture){_REMEDY}")
