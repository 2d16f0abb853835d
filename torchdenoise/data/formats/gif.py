"""GIF."""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin
from typing_extensions import override

from torchdenoise.data.formats import pillow
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

_RATIO = 4096
"""Pixels of a code at most."""


class GIF(PictureFormat, source="https://www.w3.org/Graphics/GIF/spec-gif89a.txt"):
    """256 colours, still pictures; a result is written as PNG unless it is grey and its name ends in ``.gif``."""

    suffixes = (".gif",)
    magic = (b"GIF87a", b"GIF89a")
    output_suffix = ".png"  # holds more than 256 colours
    cannot_keep = ("icc", "exif", "xmp", "dpi", "text")

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a GIF of one frame."""
        size = check_length(file)
        picture = GifImagePlugin.GifImageFile(file)
        check_size(*picture.size, 3)
        check_claim(picture.width * picture.height, size, _RATIO)
        check_single(picture.n_frames)
        return pillow.pixels(picture), {}

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode a GIF of grey values."""
        buffer = io.BytesIO()
        pillow.to_image(array).save(buffer, "GIF", comment=like.comment, optimize=False)
        return buffer.getvalue()

    @override
    def check(self, like: Picture) -> None:
        if like.scaling.dtype != np.uint8 or like.shape[2:] not in ((), (1,)):
            raise PictureError(
                "GIF holds only 8-bit grey results, others need more than 256 colours; write .png instead"
            )

    @override
    def header(self, file: BinaryIO) -> Header | None:
        """Return None: whether the colours are grey is known only from the pixels."""
        return None
