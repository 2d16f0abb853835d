"""What a page of a TIFF holds: its kind, its values as grey levels or colours, and its metadata."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from torchdenoise.data.formats import pillow
from torchdenoise.data.formats.base import EXIF_PREFIX, Header, quiet, valid_dpi
from torchdenoise.data.formats.tiff_checks import nodata_value, whole_number
from torchdenoise.errors import PictureError

ORIENTATION = 274  # the same tag in EXIF and TIFF
XMP = 700
_ICC = 34675
_PLACE_TAGS = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
"""Of GeoTIFF and GDAL: where the picture lies, and the value for no data."""
_SHAPE_WORDS = {"shape", "axes", "truncated"}
"""What tifffile's own descriptions say of an array."""
PALETTE = "has a palette: converted to RGB, and the result is RGB"
PLANAR = "its planes are taken for the colours of one picture; if they are frames, give axes='TYX' (--axes TYX)"
"""Said of files that tifffile may have written from an array (3, H, W) without the argument ``photometric``."""
LOOKUP_TABLE = "has ImageJ's colours for display: left out, the values count"
_LOSSLESS = frozenset(
    {
        COMPRESSION.NONE,
        COMPRESSION.LZW,
        COMPRESSION.ADOBE_DEFLATE,
        COMPRESSION.DEFLATE,
        COMPRESSION.PACKBITS,
        COMPRESSION.LZMA,
        COMPRESSION.ZSTD,
    }
)


def stored_dtype(page: tifffile.TiffPage) -> np.dtype[Any]:
    """Return the type of ``grey_levels``."""
    return np.dtype(np.uint8 if page.bitspersample < 8 or page.dtype == bool else page.dtype).newbyteorder("=")


def grey_levels(page: tifffile.TiffPage, array: NDArray[Any]) -> NDArray[Any]:
    """Return the values of a page with black as 0; less than 8 bits become 8."""
    if page.bitspersample >= 8 and page.photometric != PHOTOMETRIC.MINISWHITE:
        return array
    white = 2**page.bitspersample - 1
    array = array.astype(np.uint8) if array.dtype == bool else array
    array = white - array if page.photometric == PHOTOMETRIC.MINISWHITE else array
    if page.bitspersample >= 8:
        return array
    levels: NDArray[Any] = np.round(np.arange(white + 1) * (255 / white)).astype(np.uint8)[array]
    return levels


def colours(page: tifffile.TiffPage, array: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return the values of a page as grey levels or RGB, and a sentence if they were converted or may be frames."""
    if page.photometric == PHOTOMETRIC.PALETTE:
        return (array, LOOKUP_TABLE) if page.is_imagej else (_looked_up(page, array), PALETTE)
    if page.photometric == PHOTOMETRIC.SEPARATED:
        image = Image.fromarray(
            np.ascontiguousarray(array if page.axes == "YXS" else np.moveaxis(array, 0, -1)), "CMYK"
        )
        image.info["icc_profile"] = _profile(page)
        return pillow.pixels(image), pillow.CONVERTED
    array = grey_levels(page, array)
    if page.axes == "SYX":
        return np.moveaxis(array, 0, -1), PLANAR if page.is_shaped else ""
    return array, ""


def _looked_up(page: tifffile.TiffPage, array: NDArray[Any]) -> NDArray[Any]:
    """Return the colours of a palette, 8 bits."""
    table = np.asarray(page.colormap)
    table = table >> 8 if table.max() > 255 else table  # old programs store 8 bits where 16 belong
    return np.ascontiguousarray(table.astype(np.uint8).T[array])


def _profile(page: tifffile.TiffPage) -> Any:
    tag = page.tags.get(_ICC)
    return None if tag is None else tag.value


def check_kind(page: tifffile.TiffPage) -> None:
    """Raise PictureError unless a page is grey, RGB with at most one alpha channel, of a palette, or CMYK."""
    kind, channels, dtype = page.photometric, page.samplesperpixel, page.dtype
    if kind == PHOTOMETRIC.PALETTE and page.axes == "YX" and page.colormap is not None:
        return
    if kind == PHOTOMETRIC.SEPARATED and channels == 4 and dtype == np.uint8 and page.axes in ("YXS", "SYX"):
        return
    # A JPEG inside a TIFF is decoded to RGB.
    rgb = kind == PHOTOMETRIC.RGB or (kind == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG)
    inverted = kind == PHOTOMETRIC.MINISWHITE and channels == 1 and dtype is not None and dtype.kind in "bu"
    if not (rgb or inverted or kind == PHOTOMETRIC.MINISBLACK) or page.axes not in ("YX", "YXS", "SYX"):
        raise PictureError(
            f"is a TIFF of kind {getattr(kind, 'name', kind)}, {page.axes}; convert it to RGB or grey first"
        )
    if dtype is None or not isinstance(page.bitspersample, int):  # such as 5, 6 and 5 bits
        raise PictureError(f"has samples of {page.bitspersample} bits; convert it to 8 or 16 bits first")
    alphas = {EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA}
    extra = channels - (3 if rgb else 1)
    if extra and not (extra == 1 and alphas.issuperset(page.extrasamples)):
        raise PictureError(f"has {channels} channels; keep 1 (grey) or 3 (RGB) and alpha, or split them into files")


def page_header(page: tifffile.TiffPage) -> Header:
    """Return the size and type of what ``colours`` returns, transparency not counted."""
    palette = page.photometric == PHOTOMETRIC.PALETTE and not page.is_imagej
    converted = palette or page.photometric == PHOTOMETRIC.SEPARATED
    dtype = np.dtype(np.uint8) if converted else stored_dtype(page)
    channels = 3 if converted or page.samplesperpixel > 2 else 1
    return Header(channels, page.imagelength, page.imagewidth, dtype)


def page_metadata(page: tifffile.TiffPage) -> dict[str, Any]:
    """Return the metadata fields of a Picture for a TIFF page."""
    tags = {tag.code: tag.value for tag in page.tags}
    lossless = page.compression in _LOSSLESS
    converted = page.photometric in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.SEPARATED)
    tiff: dict[str, Any] = {
        "compression": page.compression if lossless else COMPRESSION.ADOBE_DEFLATE,
        "predictor": lossless and page.compression != COMPRESSION.NONE and page.predictor != 1,
        "extrasamples": page.extrasamples if page.samplesperpixel in (2, 4) and not converted else (),
        "planarconfig": "separate" if page.axes == "SYX" and not converted else "contig",
    }
    if page.description:  # ImageJ and OME store pixel sizes here
        tiff["description"] = page.description.encode()
    if places := [(tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in page.tags if _is_place(tag)]:
        tiff["extratags"] = places
    xmp = tags.get(XMP)
    metadata: dict[str, Any] = {
        "tiff": tiff,
        "icc": None if converted else tags.get(_ICC),  # it does not describe the converted values
        "nodata": nodata_value(page),
        "xmp": xmp if isinstance(xmp, bytes) else None,
    }
    unit = page.resolutionunit
    if 282 in tags and 283 in tags and unit in (1, 2, 3) and 0 < min(page.resolution) <= max(page.resolution) < 1 << 32:
        tiff |= {"resolution": page.resolution, "resolutionunit": unit}
        metadata["dpi"] = valid_dpi(page.resolution, {2: 1, 3: 2.54}.get(unit, 0))
    if (turned := whole_number(tags.get(ORIENTATION), 1)) != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = turned
        metadata["exif"] = exif.tobytes().removeprefix(EXIF_PREFIX)
    return metadata


def carried(tiff: Mapping[str, Any]) -> str:
    """Return what only a TIFF keeps of the field ``tiff`` of a Picture, in words; a bare shape is not worth a word.

    Example:
        >>> carried({"description": b"stained", "extratags": [(34735, 3, 4, (1, 1, 0, 0), True)]})
        'the description of the TIFF, GeoTIFF tags'
        >>> carried({"description": b'{"shape": [32, 40]}'})
        ''
    """
    description = tiff.get("description", b"").strip(b"\0 \n")
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        description = description if set(json.loads(description)) - _SHAPE_WORDS else b""
    words = ["the description of the TIFF"] if description else []
    words += ["GeoTIFF tags"] if tiff.get("extratags") else []
    return ", ".join(words)


def _is_place(tag: tifffile.TiffTag) -> bool:
    return tag.code in _PLACE_TAGS and isinstance(tag.value, (int, float, str, bytes, tuple))


def orientation(exif: bytes | None) -> int:
    """Return the orientation, 1 to 8; 1 is upright, and the default if it is missing or broken."""
    parsed = Image.Exif()
    with quiet(), contextlib.suppress(Exception):  # Pillow raises many types of errors on broken EXIF
        parsed.load(exif or b"")
    value = parsed.get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1
