"""BMP."""

import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin
from typing_extensions import override

from torchdenoise.data.formats import pillow
from torchdenoise.data.formats.base import Header, PictureFormat, Pixels, check_claim, check_length, check_size
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_METRES_PER_INCH = 0.0254
_RUN_LENGTHS, _RUN = (1, 2), 256
"""Compressions, and pixels of a byte at most."""
_BITS = {"1": 1, "P": 1, "L": 1}
"""Of a pixel, at least, by Pillow's mode; others have 16 or more."""
_V4_SIZE, _BIT_FIELDS = 108, 3


class BMP(PictureFormat, source="https://learn.microsoft.com/windows/win32/gdi/bitmap-storage"):
    """8 bits, uncompressed; palettes and depths below 8 bits become 8-bit RGB and grey."""

    suffixes = (".bmp", ".dib")
    magic = (b"BM",)
    cannot_keep = ("icc", "exif", "xmp", "text")

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a BMP."""
        size = check_length(file)
        picture = BmpImagePlugin.BmpImageFile(file)
        check_size(*picture.size, 3)
        ratio = _RUN if picture.info.get("compression") in _RUN_LENGTHS else 1
        check_claim(picture.width * picture.height * _BITS.get(picture.mode, 16) // 8, size, ratio)
        metadata = pillow.metadata(picture)
        return pillow.pixels(picture), metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a BMP of 8 (grey), 24 (RGB) or 32 bits (with alpha)."""
        samples = array.reshape(*array.shape[:2], -1)
        height, width, count = samples.shape
        if count == 2:
            samples, count = np.concatenate([np.repeat(samples[..., :1], 3, -1), samples[..., 1:]], -1), 4
        order = [2, 1, 0, 3][:count] if count > 1 else [0]
        rows = samples[::-1, :, order].reshape(height, -1)
        packed = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
        palette = b"".join(bytes((value, value, value, 0)) for value in range(256)) if count == 1 else b""
        across, down = (round(value / _METRES_PER_INCH) for value in like.dpi or (0, 0))
        alpha = count == 4
        head = struct.pack(
            "<IiiHHIIiiII",
            _V4_SIZE if alpha else 40, width, height, 1, 8 * count, _BIT_FIELDS if alpha else 0, len(packed),
            across, down, 256 if count == 1 else 0, 0,
        )  # fmt: skip
        if alpha:  # the masks of red, green, blue and alpha; sRGB
            head += struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs").ljust(_V4_SIZE - 40, b"\0")
        offset = 14 + len(head) + len(palette)
        return struct.pack("<2sIHHI", b"BM", offset + len(packed), 0, 0, offset) + head + palette + packed

    @override
    def check(self, like: Picture) -> None:
        dtype = like.scaling.dtype
        if dtype != np.uint8:
            raise PictureError(f"BMP cannot hold {dtype}; write {'.png or ' * (dtype == np.uint16)}.tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        return pillow.header(BmpImagePlugin.BmpImageFile(file))
