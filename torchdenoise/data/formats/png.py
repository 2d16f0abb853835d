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

from torchdenoise.data.formats.base import (
    Header,
    PictureFormat,
    Pixels,
    check_claim,
    check_single,
    check_size,
    silent_codecs,
    valid_dpi,
)
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_METRES_PER_INCH = 0.0254
_COLOUR_BYTES = {b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"cICP": 4}
"""Lengths of the chunks that define the colour space; the ICC profile has a separate field."""
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp\0"
_MAX_PROFILE = 1 << 24
_MAX_TEXT = 1 << 20
"""Bytes of an unpacked text; Pillow reads no picture with a longer one."""
_LEFT_OUT = f"has text notes that are damaged or longer than {_MAX_TEXT >> 20} MB: left out"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_HEAD_BYTES = 33  # signature and IHDR
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel: grey, RGB, palette, grey and RGB with alpha."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_DEFLATE_RATIO = 1100  # a little more than deflate can reach
_MANY_CHUNKS, _SMALL_CHUNK = 10_000, 100  # files with more chunks that are smaller were made to waste time


class PNG(PictureFormat, source="https://www.w3.org/TR/png-3/"):
    """8 and 16 bits, lossless; palettes and depths below 8 bits become 8-bit RGB and grey."""

    suffixes = (".png",)
    magic = (b"\x89PNG\r\n\x1a\n",)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a PNG with imagecodecs, because Pillow reduces 16-bit RGB to 8 bits."""
        data = file.read()
        width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
        if depth not in _DEPTHS.get(kind, ()):
            raise PictureError(f"damaged (kind {kind} with {depth} bits in its header); copy it again from its source")
        check_size(width, height, 3 if kind == 3 else _SAMPLES[kind])
        chunks = list(_chunks(data))
        content = {name: bytes(chunk[8:-4]) for name, chunk in chunks if name not in _PIXEL_CHUNKS}
        check_single(struct.unpack_from(">I", content[b"acTL"])[0] if b"acTL" in content else 1)
        metadata: dict[str, Any] = {
            "png": {name: content[name] for name, size in _COLOUR_BYTES.items() if len(content.get(name, b"")) == size},
            "exif": content.get(b"eXIf"),
        }
        texts = [(name, bytes(chunk[8:-4])) for name, chunk in chunks if name in _TEXT_CHUNKS]
        notes = [each for each in texts if not each[1].startswith(_XMP)]
        metadata["text"] = tuple(each for each in notes if _text(*each) is not None)
        metadata["notes"] = (_LEFT_OUT,) if len(metadata["text"]) < len(notes) else ()
        metadata["xmp"] = next((_text(*each) for each in texts if each[1].startswith(_XMP)), None)
        if len(content.get(b"pHYs", b"")) == 9:
            across, down, per_metre = struct.unpack(">IIB", content[b"pHYs"])
            metadata["dpi"] = valid_dpi((across, down), _METRES_PER_INCH if per_metre else 0)
        if b"iCCP" in content:
            metadata["icc"] = _unpacked(content[b"iCCP"].partition(b"\0")[2][1:], _MAX_PROFILE)
        # The decoder prints warnings about other chunks, such as slightly malformed profiles.
        pixels = [chunk for name, chunk in chunks if name in _PIXEL_CHUNKS]
        packed = sum(len(chunk) for name, chunk in chunks if name == b"IDAT")
        check_claim(width * height * _SAMPLES[kind] * depth // 8, packed, _DEFLATE_RATIO)
        with silent_codecs():
            array: NDArray[Any] = imagecodecs.png_decode(data[:8] + b"".join(pixels))
        return array, metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a PNG; the metadata chunks follow the header, where all of them are allowed."""
        chunks = list(like.png.items())
        if like.icc:
            chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(like.icc)))
        if like.dpi:
            density = (round(value / _METRES_PER_INCH) for value in like.dpi)
            chunks.append((b"pHYs", struct.pack(">IIB", *density, 1)))
        if like.exif:
            chunks.append((b"eXIf", like.exif))
        if like.xmp:
            chunks.append((b"iTXt", _XMP + bytes(4) + like.xmp))
        chunks += like.text
        if like.comment:
            chunks.append((b"tEXt", b"Comment\0" + like.comment.encode("latin-1", "replace")))
        packed = b"".join(
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
            for name, content in chunks
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


def _text(name: bytes, content: bytes) -> bytes | None:
    """Return the text of a chunk; None if it is damaged or too long."""
    _, _, rest = content.partition(b"\0")
    if name == b"zTXt":
        return _unpacked(rest[1:], _MAX_TEXT)
    if name == b"tEXt":
        return rest
    *languages, text = rest[2:].split(b"\0", 2)
    if len(languages) < 2:
        return None
    return _unpacked(text, _MAX_TEXT) if rest[:1] == b"\1" else text


def _unpacked(packed: bytes, limit: int) -> bytes | None:
    """Return what was compressed; None if it is damaged or too long, which does not stop reading."""
    unpacker = zlib.decompressobj()
    with contextlib.suppress(zlib.error):
        found = unpacker.decompress(packed, limit)
        return None if unpacker.unconsumed_tail else found
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes of the chunks of a PNG; the last one may be truncated."""
    view, at, count = memoryview(data), 8, 0
    while at + 8 <= len(data):
        count += 1
        if count > _MANY_CHUNKS and at < count * _SMALL_CHUNK:
            raise PictureError(f"holds more than {_MANY_CHUNKS} tiny chunks; open and save it in an image editor first")
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, view[at : at + length + 12]
        if name == b"IEND":
            return
        at += length + 12
