"""WebP."""

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import WebPImagePlugin
from typing_extensions import override

from torchdenoise.data.formats import pillow
from torchdenoise.data.formats.base import (
    EXIF_PREFIX,
    Header,
    PictureFormat,
    Pixels,
    check_length,
    check_single,
    check_size,
)
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_MAX_SIDE = 16383


class WebP(PictureFormat, name="WebP", source="https://developers.google.com/speed/webp/docs/riff_container"):
    """8 bits, RGB; lossy or lossless, results are lossless."""

    suffixes = (".webp",)
    magic = (b"RIFF",)
    cannot_keep = ("dpi", "text")

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a WebP of one frame."""
        check_length(file)
        data = file.read()
        width, height = _size(data)
        check_size(width, height, 4)
        (length,) = struct.unpack_from("<I", data, 4)
        if length + 8 > len(data):
            raise PictureError(f"cut short ({len(data)} bytes of {length + 8}); copy it again from its source")
        picture = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
        check_single(picture.n_frames)
        metadata = pillow.metadata(picture)
        return pillow.pixels(picture), metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a lossless WebP; grey becomes RGB, and the colours of transparent pixels are kept."""
        metadata = {"icc_profile": like.icc, "exif": like.exif and EXIF_PREFIX + like.exif, "xmp": like.xmp}
        image = pillow.to_image(array)
        buffer = io.BytesIO()
        image.convert({"L": "RGB", "LA": "RGBA"}.get(image.mode, image.mode)).save(
            buffer, "WEBP", lossless=True, exact=True, **{name: value for name, value in metadata.items() if value}
        )
        return buffer.getvalue()

    @override
    def check(self, like: Picture) -> None:
        dtype = like.scaling.dtype
        if dtype != np.uint8:
            raise PictureError(f"WebP cannot hold {dtype}; write {'.png or ' * (dtype == np.uint16)}.tiff instead")
        if max(like.shape[:2]) > _MAX_SIDE:
            raise PictureError(f"WebP cannot hold more than {_MAX_SIDE} rows or columns; write .png or .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        width, height = _size(file.read(64))
        return Header(3, height, width, np.dtype(np.uint8))


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk, because the decoder takes the memory before it decodes."""
    kind, start = data[12:16], 20
    if data[8:12] != b"WEBP":
        raise PictureError("is not a WebP picture, despite its first bytes; export it as PNG")
    if kind == b"VP8X":
        packed = int.from_bytes(data[start + 4 : start + 10], "little")
        return (packed & 0xFFFFFF) + 1, (packed >> 24) + 1
    if kind == b"VP8L":
        packed = int.from_bytes(data[start + 1 : start + 5], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, start + 6)
    return width & 0x3FFF, height & 0x3FFF
