"""JPEG."""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin
from typing_extensions import override

from torchdenoise.data.formats.base import EXIF_PREFIX, Header, PictureFormat, Pixels, check_size, valid_dpi
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError


class JPEG(PictureFormat, source="https://www.w3.org/Graphics/JPEG/itu-t81.pdf"):
    """8 bits, lossy; a result is written as PNG unless its name ends in ``.jpg``."""

    suffixes = (".jpg", ".jpeg")
    magic = (b"\xff\xd8\xff",)
    output_suffix = ".png"  # adds no new artefacts

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a JPEG; not by Image.open, whose pixel limit is far below ours."""
        picture = JpegImagePlugin.JpegImageFile(file)
        check_size(*picture.size)
        if picture.mode not in ("L", "RGB"):
            raise PictureError(f"is a {picture.mode} JPEG; convert it to RGB or grey first")
        exif = picture.info.get("exif", b"").removeprefix(EXIF_PREFIX) or None
        metadata = {
            "exif": exif,
            "icc": picture.info.get("icc_profile"),
            "dpi": valid_dpi(picture.info.get("dpi", (0, 0))),
        }
        return np.asarray(picture), metadata

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a JPEG at quality 95 without chroma subsampling."""
        metadata = {
            "icc_profile": like.icc,
            "exif": like.exif and EXIF_PREFIX + like.exif,
            "dpi": like.dpi,
            "comment": like.comment,
        }
        buffer = io.BytesIO()
        Image.fromarray(array.reshape(array.shape[:2]) if array.shape[2:] == (1,) else array).save(
            buffer, "JPEG", quality=95, subsampling=0, **{name: value for name, value in metadata.items() if value}
        )
        return buffer.getvalue()

    @override
    def check(self, like: Picture) -> None:
        dtype = like.scaling.dtype
        if dtype != np.uint8:
            raise PictureError(f"JPEG cannot hold {dtype}; write {'.png or ' * (dtype == np.uint16)}.tiff instead")
        if like.alpha is not None:
            raise PictureError("JPEG cannot hold transparency; write .png or .tiff instead")

    @override
    def header(self, file: BinaryIO) -> Header:
        picture = JpegImagePlugin.JpegImageFile(file)
        return Header({"L": 1, "RGB": 3}[picture.mode], picture.height, picture.width, np.dtype(np.uint8))
