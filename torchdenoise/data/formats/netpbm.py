"""PBM, PGM and PPM."""

import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.formats.base import (
    Header,
    PictureFormat,
    Pixels,
    check_claim,
    check_length,
    check_single,
    check_size,
)
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P([14])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_GREY_OR_RGB = re.compile(rb"P([2356])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")
_HEAD_BYTES = 1 << 16  # comments may be long


class Netpbm(PictureFormat, name="PPM", source="https://netpbm.sourceforge.net/doc/ppm.html"):
    """Grey and RGB, 8 and 16 bits, uncompressed, binary or plain; fewer than 8 bits become 8, also those of PBM."""

    suffixes = (".ppm", ".pgm", ".pnm", ".pbm")
    magic = tuple(b"P%d%s" % (kind, gap) for kind in range(1, 7) for gap in (b"\n", b" ", b"\t", b"\r", b"#"))
    cannot_keep = ("icc", "exif", "xmp", "dpi", "text")

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode the only picture of a file."""
        check_length(file)
        data = file.read()
        kind, width, height, white, at = _parse(data)
        channels = 3 if kind in (3, 6) else 1
        check_size(width, height, channels)
        if kind in (1, 4):
            return np.where(_bits(data, at, kind, width, height), np.uint8(0), np.uint8(255)), {}
        count = width * height * channels
        check_claim(count * (2 if kind > 3 and white > 255 else 1), len(data) - at)
        if kind > 3:
            dtype = np.dtype(">u2" if white > 255 else "u1")
            values = np.frombuffer(data, dtype, count, at).astype(dtype.newbyteorder("="))
            rest = data[at + count * dtype.itemsize :]
            check_single(2 if _GREY_OR_RGB.match(rest) else 1)
        else:
            numbers = np.array(re.sub(rb"#[^\r\n]*", b"", data[at:]).split()[:count], dtype=np.int64)
            if len(numbers) < count or (numbers > white).any():
                raise PictureError("damaged or cut short (missing or wrong numbers); copy it again from its source")
            values = numbers.astype(np.uint16 if white > 255 else np.uint8)
        if white < 255:
            values = np.rint(np.minimum(values, white) * (255 / white)).astype(np.uint8)
        shape = (height, width, 3) if channels == 3 else (height, width)
        return values.reshape(shape), {"extra": {"white": max(white, 255)}}

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a binary PGM or PPM with the white value of the input."""
        limit = int(np.iinfo(array.dtype).max)
        white = min(like.extra.get("white", limit), limit)
        white = limit if white <= 255 < limit else white
        kind = 6 if array.shape[2:] == (3,) else 5
        values = np.minimum(array, white).astype(array.dtype.newbyteorder(">"))
        head = b"P%d\n%d %d\n%d\n" % (kind, array.shape[1], array.shape[0], white)
        return head + bytes(values.tobytes())

    @override
    def check(self, like: Picture) -> None:
        if like.scaling.dtype not in (np.uint8, np.uint16):
            raise PictureError(f"PGM and PPM cannot hold {like.scaling.dtype}; write .tiff instead")
        if like.alpha is not None:
            raise PictureError("PGM and PPM cannot hold transparency; write .png or .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        kind, width, height, white, _ = _parse(file.read(_HEAD_BYTES))
        return Header(3 if kind in (3, 6) else 1, height, width, np.dtype(np.uint16 if white > 255 else np.uint8))


def _parse(data: bytes) -> tuple[int, int, int, int, int]:
    """Return the kind, 1 to 6, width, height, white and the place of the pixels."""
    head = data[:_HEAD_BYTES]
    found = _GREY_OR_RGB.match(head) or _BITMAP.match(head)
    if found is None:
        raise PictureError("damaged or cut short (no PGM header); copy it again from its source")
    kind, width, height, *white = (int(number) for number in found.groups())
    value = white[0] if white else 1
    if not 1 <= value <= 65535:
        raise PictureError(f"damaged (white is {value}); copy it again from its source")
    return kind, width, height, value, found.end()


def _bits(data: bytes, at: int, kind: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return the bits of a PBM, 1 for black."""
    if kind == 1:
        digits = np.frombuffer(re.sub(rb"#[^\r\n]*|\s", b"", data[at:]), np.uint8)
        check_claim(width * height, len(digits))
        return digits[: width * height].reshape(height, width) & np.uint8(1)
    row = -(-width // 8)
    check_claim(row * height, len(data) - at)
    packed = np.frombuffer(data, np.uint8, row * height, at).reshape(height, row)
    return np.unpackbits(packed, axis=1)[:, :width]
