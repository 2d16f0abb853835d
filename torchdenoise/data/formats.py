"""Codecs: PNG, TIFF and JPEG bytes to arrays and back, with their metadata.

Pixels keep their stored order. Orientation is copied as a tag, so viewers rotate the result as they did the input.
"""

import contextlib
import io
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError
from torchdenoise.paths import JPEG_SUFFIXES, TIFF_SUFFIXES

MAX_PIXELS = 500_000_000
"""Files whose header claims more pixels are refused before decoding."""

_ORIENTATION = 274  # the same tag in EXIF and TIFF
_ICC = 34675
_EXIF_HEAD = b"Exif\0\0"
_METRES_PER_INCH = 0.0254
# PNG chunks that define the colour space; the ICC profile has a separate field.
_COLOUR_CHUNKS = (b"cHRM", b"gAMA", b"sRGB", b"cICP")
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_HEAD = 33  # bytes of signature and IHDR
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


def decode(file: BinaryIO) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the array of an open file, (H, W) or (H, W, samples), and its metadata: further fields of a Picture.

    Palettes and depths below 8 bits become 8-bit RGB and grey.

    Raises:
        PictureError: the file cannot be decoded.

    Example:
        >>> decode(io.BytesIO(imagecodecs.png_encode(np.zeros((8, 9), dtype=np.uint16))))[0].shape
        (8, 9)
    """
    head = file.read(8)
    file.seek(0)
    if not head:
        raise PictureError("is empty (0 bytes); copy it again from its source")
    read = next((read for magic, read in _DECODERS.items() if head.startswith(magic)), None)
    if read is None:
        raise PictureError("is not a PNG, TIFF or JPEG picture, despite its name; export it as one of these")
    try:
        with _quiet():
            return read(file)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("does not fit into memory; crop or split it first") from error
    except Exception as error:  # the codecs raise many types of errors on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"damaged or cut short ({reason}); copy it again from its source") from error


def encode(array: NDArray[Any], like: Picture, suffix: str) -> bytes:
    """Return the encoded bytes of an array from ``like.restore`` in the format of ``suffix``; see ``check_fit``.

    Example:
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint16))
        >>> encode(picture.restore(picture.image), picture, ".tif")[:2]
        b'II'
    """
    return _ENCODERS[suffix](array, like)


def check_fit(suffix: str, like: Picture) -> None:
    """Raise PictureError unless the format of ``suffix`` can hold a picture like this one.

    Example:
        >>> check_fit(".png", Picture.from_array(np.zeros((8, 9))))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: PNG cannot hold float64; write .tiff instead
    """
    dtype = like.scaling.dtype
    if suffix == ".png":
        if dtype not in (np.uint8, np.uint16):
            raise PictureError(f"PNG cannot hold {dtype}; write .tiff instead")
        if EXTRASAMPLE.ASSOCALPHA in like.tiff.get("extrasamples", ()):
            raise PictureError("PNG cannot hold premultiplied transparency; write .tiff instead")
    if suffix in JPEG_SUFFIXES:
        if dtype != np.uint8:
            raise PictureError(f"JPEG cannot hold {dtype}; write {'.png or ' * (dtype == np.uint16)}.tiff instead")
        if like.alpha is not None:
            raise PictureError("JPEG cannot hold transparency; write .png or .tiff instead")


def _check_size(width: int, height: int) -> None:
    """Raise PictureError if the size in a header is zero or too large."""
    if not width * height:
        raise PictureError(f"has no pixels ({width} x {height}); export it again from its source")
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:g} million"
        raise PictureError(f"claims {width} x {height} pixels, more than the limit of {limit}; crop or split it first")


def _check_single(count: int) -> None:
    """Raise PictureError unless a file holds one picture."""
    if count == 0:
        raise PictureError("holds no picture: empty or cut short; copy it again from its source")
    if count > 1:
        raise PictureError(f"holds {count} pages; split it into single pages first")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of Pillow and log messages of tifffile about unusual metadata; failures still raise."""
    logger = logging.getLogger("tifffile")

    def mute(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(mute)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        logger.removeFilter(mute)


def _read_png(file: BinaryIO) -> tuple[NDArray[Any], dict[str, Any]]:
    """Decode a PNG with imagecodecs, because Pillow reduces 16-bit RGB to 8 bits."""
    data = file.read()
    _check_size(*struct.unpack_from(">II", data, 16))
    chunks = list(_png_chunks(data))
    content = {name: bytes(chunk[8:-4]) for name, chunk in chunks if name not in _PIXEL_CHUNKS}
    _check_single(struct.unpack_from(">I", content[b"acTL"])[0] if b"acTL" in content else 1)
    metadata: dict[str, Any] = {
        "png": {name: content[name] for name in _COLOUR_CHUNKS if name in content},
        "exif": content.get(b"eXIf"),
    }
    if len(content.get(b"pHYs", b"")) == 9:
        across, down, per_metre = struct.unpack(">IIB", content[b"pHYs"])
        metadata["dpi"] = _dpi((across, down), _METRES_PER_INCH if per_metre else 0)
    if b"iCCP" in content:
        _, _, packed = content[b"iCCP"].partition(b"\0")
        with contextlib.suppress(zlib.error):  # a broken profile does not stop reading
            metadata["icc"] = zlib.decompressobj().decompress(packed[1:], 1 << 24)
    # The decoder prints warnings about other chunks, such as slightly malformed profiles.
    pixels = [chunk for name, chunk in chunks if name in _PIXEL_CHUNKS]
    array: NDArray[Any] = imagecodecs.png_decode(data[:8] + b"".join(pixels))
    return array, metadata


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes of the chunks of a PNG; the last one may be truncated."""
    view, at = memoryview(data), 8
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, view[at : at + length + 12]
        at += length + 12


def _read_jpeg(file: BinaryIO) -> tuple[NDArray[Any], dict[str, Any]]:
    """Decode a JPEG; not by Image.open, whose pixel limit is far below ours."""
    picture = JpegImagePlugin.JpegImageFile(file)
    _check_size(*picture.size)
    if picture.mode not in ("L", "RGB"):
        raise PictureError(f"is a {picture.mode} JPEG; convert it to RGB or grey first")
    exif = picture.info.get("exif", b"").removeprefix(_EXIF_HEAD) or None
    metadata = {"exif": exif, "icc": picture.info.get("icc_profile"), "dpi": _dpi(picture.info.get("dpi", (0, 0)))}
    return np.asarray(picture), metadata


def _read_tiff(file: BinaryIO) -> tuple[NDArray[Any], dict[str, Any]]:
    """Decode a TIFF of one page; previews are ignored."""
    with tifffile.TiffFile(file) as tiff:
        pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage) and not page.is_reduced]
        # ImageJ, and tifffile too, can write a large stack as one page and a comment with its shape.
        _check_single(max(len(pages), (tiff.imagej_metadata or {}).get("images", 1) if pages else 0))
        page = pages[0]
        for comment in tiff.shaped_metadata or ():
            _check_single(math.prod(comment.get("shape", ())) // math.prod(page.shape) or 1)
        _check_size(page.imagewidth, page.imagelength)
        _check_tiff_kind(page)
        array = page.asarray()
    if page.bitspersample < 8 or page.photometric == PHOTOMETRIC.MINISWHITE:
        white = 2**page.bitspersample - 1
        array = array.astype(np.uint8) if array.dtype == bool else array
        array = white - array if page.photometric == PHOTOMETRIC.MINISWHITE else array
        array = array * max(1, 255 // white)
    return np.moveaxis(array, 0, -1) if page.axes == "SYX" else array, _tiff_metadata(page)


def _check_tiff_kind(page: tifffile.TiffPage) -> None:
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


def _tiff_metadata(page: tifffile.TiffPage) -> dict[str, Any]:
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
    metadata: dict[str, Any] = {"tiff": tiff, "icc": tags.get(_ICC)}
    unit = page.resolutionunit
    if 282 in tags and 283 in tags and unit in (1, 2, 3) and 0 < min(page.resolution) <= max(page.resolution) < 1 << 32:
        tiff |= {"resolution": page.resolution, "resolutionunit": unit}
        metadata["dpi"] = _dpi(page.resolution, {2: 1, 3: 2.54}.get(unit, 0))
    if tags.get(_ORIENTATION, 1) != 1:
        exif = Image.Exif()
        exif[_ORIENTATION] = int(tags[_ORIENTATION])
        metadata["exif"] = exif.tobytes().removeprefix(_EXIF_HEAD)
    return metadata


def _dpi(density: tuple[float, float], units_per_inch: float = 1) -> tuple[float, float] | None:
    """Return pixels per inch, or None if the density is invalid or some format cannot hold it."""
    across, down = (float(value) * units_per_inch for value in density)
    return (across, down) if min(across, down) > 0 and max(across, down) < 1 << 16 else None


def _encode_png(array: NDArray[Any], like: Picture) -> bytes:
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
    return encoded[:_PNG_HEAD] + packed + encoded[_PNG_HEAD:]


def _encode_jpeg(array: NDArray[Any], like: Picture) -> bytes:
    """Encode a JPEG at quality 95 without chroma subsampling."""
    metadata = {
        "icc_profile": like.icc,
        "exif": like.exif and _EXIF_HEAD + like.exif,
        "dpi": like.dpi,
        "comment": like.comment,
    }
    buffer = io.BytesIO()
    Image.fromarray(array.reshape(array.shape[:2]) if array.shape[2:] == (1,) else array).save(
        buffer, "JPEG", quality=95, subsampling=0, **{name: value for name, value in metadata.items() if value}
    )
    return buffer.getvalue()


def _encode_tiff(array: NDArray[Any], like: Picture) -> bytes:
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
    tifffile.imwrite(
        buffer, array, photometric=colour, iccprofile=like.icc, metadata=None, software=like.comment or False, **options
    )
    return buffer.getvalue()


def _orientation(exif: bytes | None) -> int:
    """Return the orientation, 1 to 8; 1 is upright, and the default if it is missing or broken."""
    parsed = Image.Exif()
    with _quiet(), contextlib.suppress(Exception):  # Pillow raises many types of errors on broken EXIF
        parsed.load(exif or b"")
    value = parsed.get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


_DECODERS: dict[bytes, Callable[[BinaryIO], tuple[NDArray[Any], dict[str, Any]]]] = {
    b"\x89PNG\r\n\x1a\n": _read_png,
    b"\xff\xd8\xff": _read_jpeg,
    b"II*\0": _read_tiff,
    b"MM\0*": _read_tiff,
    b"II+\0": _read_tiff,  # BigTIFF
    b"MM\0+": _read_tiff,
}
_ENCODERS: dict[str, Callable[[NDArray[Any], Picture], bytes]] = {
    ".png": _encode_png,
    **dict.fromkeys(JPEG_SUFFIXES, _encode_jpeg),
    **dict.fromkeys(TIFF_SUFFIXES, _encode_tiff),
}
