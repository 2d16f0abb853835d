"""What formats share that Pillow decodes: pixels of every mode, and metadata."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from torchdenoise.data.formats.base import EXIF_PREFIX, Header, valid_dpi
from torchdenoise.errors import PictureError

_CHANNELS = {"1": 1, "L": 1, "LA": 1, "I;16": 1}
CONVERTED = "is CMYK: converted to RGB, and the result is RGB"


def pixels(image: Image.Image) -> NDArray[Any]:
    """Return the array of an image: (H, W), or (H, W, samples) with alpha last; palettes are looked up.

    Raises:
        PictureError: a mode that has no values of grey or RGB.

    Example:
        >>> pixels(Image.new("1", (3, 2), 1))
        array([[255, 255, 255],
               [255, 255, 255]], dtype=uint8)
        >>> pixels(Image.new("CMYK", (3, 2))).shape
        (2, 3, 3)
    """
    if image.mode in ("P", "PA"):
        transparent = image.mode == "PA" or "transparency" in image.info
        return _without_copies(np.asarray(image.convert("RGBA" if transparent else "RGB")))
    if image.mode == "CMYK":
        return np.asarray(_rgb(image))
    becomes = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}.get(image.mode, image.mode)
    if becomes not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise PictureError(f"is of kind {image.mode}; convert it to RGB or grey first")
    return np.asarray(image if becomes == image.mode else image.convert(becomes))


def metadata(image: Image.Image) -> dict[str, Any]:
    """Return the metadata fields of a Picture; a profile of CMYK does not describe the converted values."""
    found = image.info
    converted = image.mode == "CMYK"
    return {
        "exif": found.get("exif", b"").removeprefix(EXIF_PREFIX) or None,
        "icc": None if converted else found.get("icc_profile"),
        "dpi": valid_dpi(found.get("dpi", (0, 0))),
        "xmp": found.get("xmp") or None,
        "notes": (CONVERTED,) if converted else (),
    }


def header(image: Image.Image) -> Header:
    """Return size and type of an opened image, whose pixels are not decoded for that."""
    dtype = np.dtype(np.uint16 if image.mode == "I;16" else np.uint8)
    return Header(_CHANNELS.get(image.mode, 3), image.height, image.width, dtype)


def to_image(array: NDArray[Any]) -> Image.Image:
    """Return the image of an array (H, W) or (H, W, samples)."""
    return Image.fromarray(array.reshape(array.shape[:2]) if array.shape[2:] == (1,) else array)


def _without_copies(array: NDArray[Any]) -> NDArray[Any]:
    """Return grey values, with alpha if there is any, where red, green and blue are equal everywhere."""
    if (array[..., :1] != array[..., 1:3]).any():
        return array
    return array[..., 0] if array.shape[-1] == 3 else np.ascontiguousarray(array[..., ::3])


def _rgb(image: Image.Image) -> Image.Image:
    """Return a CMYK image as RGB, by its colour profile if that is usable."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # damaged, or a profile of RGB
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
