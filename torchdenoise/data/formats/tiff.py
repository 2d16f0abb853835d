"""TIFF."""

import contextlib
import io
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC
from typing_extensions import override

from torchdenoise.data.formats.base import (
    EXIF_PREFIX,
    PictureFormat,
    Pixels,
    check_single,
    check_size,
    quiet,
    valid_dpi,
)
from torchdenoise.data.formats.tiff_checks import check_data, claimed_pages, directories, nodata_value, whole_number
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_ORIENTATION = 274  # the same tag in EXIF and TIFF
_ICC = 34675
_MANY_PAGES = 1000  # no picture has so many previews
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


class TIFF(PictureFormat, source="https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf"):
    """Integers and floating point, lossless, one page; previews are ignored."""

    suffixes = (".tiff", ".tif")
    cannot_keep = ("xmp", "text")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a TIFF of one page; previews are ignored."""
        count = sum(1 for _ in directories(file))
        if count > _MANY_PAGES:
            check_single(count)
        with tifffile.TiffFile(file) as tiff:
            pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage) and not page.is_reduced]
            check_single(len(pages))
            page = pages[0]
            check_single(claimed_pages(tiff, page))
            check_size(page.imagewidth, page.imagelength, page.samplesperpixel)
            _check_kind(page)
            check_data(page, tiff.filehandle.size)
            array = page.asarray()
        if page.bitspersample < 8 or page.photometric == PHOTOMETRIC.MINISWHITE:
            white = 2**page.bitspersample - 1
            array = array.astype(np.uint8) if array.dtype == bool else array
            array = white - array if page.photometric == PHOTOMETRIC.MINISWHITE else array
            array = array * max(1, 255 // white)
        return np.moveaxis(array, 0, -1) if page.axes == "SYX" else array, _metadata(page)

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode with the compression of the input TIFF, else deflate; of EXIF, only the orientation is kept."""
        options: dict[str, Any] = {"compression": COMPRESSION.ADOBE_DEFLATE}
        if like.dpi:
            options |= {"resolution": like.dpi, "resolutionunit": "INCH"}
        if like.alpha is not None:
            options["extrasamples"] = (EXTRASAMPLE.UNASSALPHA,)
        options |= like.tiff
        if array.ndim == 2 or array.shape[-1] == 1:
            array = array.reshape(array.shape[:2])
            options["planarconfig"] = None
        elif options.setdefault("planarconfig", "contig") == "separate":
            array = np.moveaxis(array, -1, 0)
        if (orientation := _orientation(like.exif)) != 1:
            options["extratags"] = [(_ORIENTATION, "H", 1, orientation, True)]
        buffer = io.BytesIO()
        colour = "rgb" if like.image.shape[1] == 3 else "minisblack"
        options |= {"iccprofile": like.icc, "software": like.comment or False}
        tifffile.imwrite(buffer, array, photometric=colour, metadata=None, **options)
        return buffer.getvalue()


def _check_kind(page: tifffile.TiffPage) -> None:
    """Raise PictureError unless a page is grey or RGB, with at most one alpha channel."""
    kind, channels, dtype = page.photometric, page.samplesperpixel, page.dtype
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


def _metadata(page: tifffile.TiffPage) -> dict[str, Any]:
    """Return the metadata fields of a Picture for a TIFF page."""
    tags = {tag.code: tag.value for tag in page.tags}
    lossless = page.compression in _LOSSLESS
    tiff: dict[str, Any] = {
        "compression": page.compression if lossless else COMPRESSION.ADOBE_DEFLATE,
        "predictor": lossless and page.compression != COMPRESSION.NONE and page.predictor != 1,
        "extrasamples": page.extrasamples if page.samplesperpixel in (2, 4) else (),
        "planarconfig": "separate" if page.axes == "SYX" else "contig",
    }
    if page.description:  # ImageJ and OME store pixel sizes here
        tiff["description"] = page.description.encode()
    metadata: dict[str, Any] = {"tiff": tiff, "icc": tags.get(_ICC), "nodata": nodata_value(page)}
    unit = page.resolutionunit
    if 282 in tags and 283 in tags and unit in (1, 2, 3) and 0 < min(page.resolution) <= max(page.resolution) < 1 << 32:
        tiff |= {"resolution": page.resolution, "resolutionunit": unit}
        metadata["dpi"] = valid_dpi(page.resolution, {2: 1, 3: 2.54}.get(unit, 0))
    if (orientation := whole_number(tags.get(_ORIENTATION), 1)) != 1:
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        metadata["exif"] = exif.tobytes().removeprefix(EXIF_PREFIX)
    return metadata


def _orientation(exif: bytes | None) -> int:
    """Return the orientation, 1 to 8; 1 is upright, and the default if it is missing or broken."""
    parsed = Image.Exif()
    with quiet(), contextlib.suppress(Exception):  # Pillow raises many types of errors on broken EXIF
        parsed.load(exif or b"")
    value = parsed.get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1
