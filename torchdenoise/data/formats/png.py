"""PNG."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tifffile import EXTRASAMPLE
from typing_extensions import override

from torchdenoise.data.formats.base import Header, PictureFormat, Pixels, check_single, check_size, valid_dpi
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_METRES_PER_INCH = 0.0254
# Chunks that define the colour space; the ICC profile has a separate field.
_COLOUR_CHUNKS = (b"cHRM", b"gAMA", b"sRGB", b"cICP")
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_HEAD_BYTES = 33  # signature and IHDR


class PNG(PictureFormat, source="https://www.w3.org/TR/png-3/"):
    """8 and 16 bits, lossless; palettes and depths below 8 bits become 8-bit RGB and grey."""

    suffixes = (".png",)
    magic = (b"\x89PNG\r\n\x1a\n",)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a PNG with imagecodecs, because Pillow reduces 16-bit RGB to 8 bits."""
        data = file.read()
        check_size(*struct.unpack_from(">II", data, 16))
        chunks = list(_chunks(data))
        content = {name: bytes(chunk[8:-4]) for name, chunk in chunks if name not in _PIXEL_CHUNKS}
        check_single(struct.unpack_from(">I", content[b"acTL"])[0] if b"acTL" in content else 1)
        metadata: dict[str, Any] = {
            "png": {name: content[name] for name in _COLOUR_CHUNKS if name in content},
            "exif": content.get(b"eXIf"),
        }
        if len(content.get(b"pHYs", b"")) == 9:
            across, down, per_metre = struct.unpack(">IIB", content[b"pHYs"])
            metadata["dpi"] = valid_dpi((across, down), _METRES_PER_INCH if per_metre else 0)
        if b"iCCP" in content:
            _, _, packed = content[b"iCCP"].partition(b"\0")
            with contextlib.suppress(zlib.error):  # a broken profile does not stop reading
                metadata["icc"] = zlib.decompressobj().decompress(packed[1:], 1 << 24)
        # The decoder prints warnings about other chunks, such as slightly malformed profiles.
        pixels = [chunk for name, chunk in chunks if name in _PIXEL_CHUNKS]
        array: NDArray[Any] = imagecodecs.png_decode(data[:8] + b"".join(pixels))
        return array, metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a PNG; the metadata chunks follow the header, where all of them are allowed."""
        chunks = dict(like.png)
        if like.icc:
            chunks[b"iCCP"] = b"icc\0\0" + zlib.compress(like.icc)
        if like.dpi:
            chunks[b"pHYs"] = struct.pack(">IIB", *(round(value / _METRES_PER_INCH) for value in like.dpi), 1)
        if like.exif:
            chunks[b"eXIf"] = like.exif
        if like.comment:
            chunks[b"tEXt"] = b"Comment\0" + like.comment.encode("latin-1", "replace")
        packed = b"".join(
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
            for name, content in chunks.items()
        )
        encoded = bytes(imagecodecs.png_encode(array))
        return encoded[:_HEAD_BYTES] + packed + encoded[_HEAD_BYTES:]

    @override
    def check(self, like: Picture) -> None:
        dtype = like.scaling.dtype
        if dtype not in (np.uint8, np.uint16):
            raise PictureError(f"PNG cannot hold {dtype}; write .tiff instead")
        if EXTRASAMPLE.ASSOCALPHA in like.tiff.get("extrasamples", ()):
            raise PictureError("PNG cannot hold premultiplied transparency; write .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        width, height, depth, kind = struct.unpack_from(">IIBB", file.read(26), 16)
        channels = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}[kind]  # grey, RGB, palette, grey and RGB with alpha
        return Header(channels, height, width, np.dtype(np.uint16 if depth == 16 else np.uint8))


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes of the chunks of a PNG; the last one may be truncated."""
    view, at = memoryview(data), 8
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, view[at : at + length + 12]
        at += length + 12
