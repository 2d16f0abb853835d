"""JPEG 2000."""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.formats.base import Header, PictureFormat, Pixels, check_length, check_size, silent_codecs
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_CODESTREAM = b"\xff\x4f\xff\x51"
_UUIDS = {
    "exif": bytes.fromhex("4a706754696666457869662d3e4a5032"),
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
}
_ICC_METHOD = 2


class JPEG2000(PictureFormat, source="https://www.itu.int/rec/T-REC-T.800"):
    """Grey and RGB, 8 and 16 bits; lossy or lossless, results are lossless."""

    suffixes = (".jp2", ".j2k", ".jpf")
    magic = (b"\0\0\0\x0cjP  \r\n\x87\n", _CODESTREAM)
    cannot_keep = ("dpi", "text")

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a JPEG 2000, with or without the boxes of a JP2 file around it."""
        check_length(file)
        data = file.read()
        found = _header(data)
        check_size(found.width, found.height, found.channels)
        with silent_codecs():
            array: NDArray[Any] = imagecodecs.jpeg2k_decode(data)
        return array, {} if data.startswith(_CODESTREAM) else _metadata(data)

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode losslessly, with the profile in the header box and EXIF and XMP in boxes of their own."""
        flat = array.reshape(array.shape[:2]) if array.shape[2:] == (1,) else array
        encoded = bytes(imagecodecs.jpeg2k_encode(flat, level=0, reversible=True, codecformat="jp2"))
        boxes = []
        for name, content in _boxes(encoded):
            if name == b"jp2c":
                for kind, value in (("exif", like.exif), ("xmp", like.xmp)):
                    boxes += [_box(b"uuid", _UUIDS[kind] + value)] if value else []
            if name == b"jp2h" and like.icc:
                inner = [(each, bytes(part)) for each, part in _boxes(content)]
                profile = bytes((_ICC_METHOD, 0, 0)) + like.icc
                content = b"".join(_box(each, profile if each == b"colr" else part) for each, part in inner)
            boxes.append(_box(name, content))
        return b"".join(boxes)

    @override
    def check(self, like: Picture) -> None:
        if like.scaling.dtype not in (np.uint8, np.uint16):
            raise PictureError(f"JPEG 2000 cannot hold {like.scaling.dtype}; write .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        return _header(file.read(1 << 16))


def _header(data: bytes) -> Header:
    """Return size and type from the first segment of the code stream."""
    at = data.find(_CODESTREAM)
    if at < 0 or len(data) < at + 41:
        raise PictureError("damaged or cut short (no JPEG 2000 code stream); copy it again from its source")
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    (samples,) = struct.unpack_from(">H", data, at + 40)
    depth = data[at + 42]  # its highest bit says that values have a sign
    dtype = np.dtype(("i" if depth & 128 else "u") + ("1" if depth & 127 < 8 else "2"))
    return Header(1 if samples < 3 else 3, max(bottom - top, 0), max(right - left, 0), dtype)


def _boxes(data: Any) -> Iterator[tuple[bytes, Any]]:
    """Yield name and content of boxes one after the other; the last one may be truncated."""
    view, at = memoryview(data), 0
    while at + 8 <= len(view):
        length, name = struct.unpack_from(">I4s", view, at)
        start = at + 8
        if length == 1 and at + 16 <= len(view):
            (length,) = struct.unpack_from(">Q", view, start)
            start += 8
        end = at + length if length else len(view)
        if end <= at:
            return
        yield name, view[start:end]
        at = end


def _box(name: bytes, content: Any) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + bytes(content)


def _metadata(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, content in _boxes(data):
        if name == b"uuid":
            kind = next((each for each, uuid in _UUIDS.items() if bytes(content[:16]) == uuid), None)
            found |= {kind: bytes(content[16:])} if kind else {}
        if name == b"jp2h":
            profiles = [bytes(part[3:]) for each, part in _boxes(content) if each == b"colr" and part[:1] == b"\2"]
            found |= {"icc": profiles[0]} if profiles else {}
    return found
