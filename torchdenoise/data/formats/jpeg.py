"""JPEG."""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin
from typing_extensions import override

from torchdenoise.data.formats import pillow
from torchdenoise.data.formats.base import EXIF_PREFIX, Header, PictureFormat, Pixels, check_length
from torchdenoise.data.formats.jpeg_scan import WatchedFile, find_frame, find_note, note, read_layout, read_size
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_HEAD_BYTES = 1 << 20  # previews and profiles may come before the size
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENT = 65_000
"""Bytes of EXIF or XMP that one segment of the file can hold."""


class JPEG(PictureFormat, source="https://www.w3.org/Graphics/JPEG/itu-t81.pdf"):
    """8 bits, lossy; a result is written as PNG unless its name ends in ``.jpg``. CMYK becomes RGB."""

    suffixes = (".jpg", ".jpeg")
    magic = (b"\xff\xd8\xff",)
    output_suffix = ".png"  # adds no new artefacts
    cannot_keep = ("text",)

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a JPEG; not by Image.open, whose pixel limit is far below ours."""
        check_length(file)
        data = file.read()
        layout = read_layout(data)
        data = layout.usable(data)
        watched = None if layout.end is None else WatchedFile(data, layout.end)
        picture = JpegImagePlugin.JpegImageFile(watched or io.BytesIO(data))
        if watched is not None:
            watched.watching = True
        metadata = pillow.metadata(picture) | {"xmp": find_note(data, _XMP)}
        picture.load()
        if watched is not None:
            watched.check()
        return pillow.pixels(picture), metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a JPEG at the picture's quality without chroma subsampling."""
        metadata = {
            "icc_profile": like.icc,
            "exif": like.exif and len(like.exif) < _MAX_SEGMENT and EXIF_PREFIX + like.exif,
            "extra": like.xmp and len(like.xmp) < _MAX_SEGMENT and note(_XMP + like.xmp),
            "dpi": like.dpi,
            "comment": like.comment,
        }
        buffer = io.BytesIO()
        pillow.to_image(array).save(
            buffer,
            "JPEG",
            quality=like.quality,
            subsampling=0,
            **{name: value for name, value in metadata.items() if value},
        )
        return buffer.getvalue()

    @override
    def check(self, like: Picture) -> None:
        dtype = like.scaling.dtype
        if dtype != np.uint8:
            raise PictureError(f"JPEG cannot hold {dtype}; write {'.png or ' * (dtype == np.uint16)}.tiff instead")
        if like.alpha is not None:
            raise PictureError("JPEG cannot hold transparency; write .png or .tiff instead")
        if max(like.shape[:2]) > 65_500:
            raise PictureError("JPEG cannot hold more than 65500 rows or columns; write .png or .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header | None:
        head = file.read(_HEAD_BYTES)
        frame = find_frame(head)
        if frame is None:
            return None
        width, height, channels = read_size(head, frame)
        return Header(1 if channels == 1 else 3, height, width, np.dtype(np.uint8))
