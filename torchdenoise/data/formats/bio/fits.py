"""FITS."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import FRAME_LETTERS, Axes
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.raw_arrays import RawArray
from torchdenoise.data.formats.planes_format import PictureAndPlanesFormat
from torchdenoise.data.frames import ArrayPlanes, Numbered, Planes
from torchdenoise.errors import PictureError

BLOCK = 2880
"""Bytes by which all parts of a file are padded."""
CARD = 80
"""Bytes of a line of a header."""
SCIENCE = "SCI"
"""Name of the picture where a file has others beside it: its errors, its flags."""
_SIGNED = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
_UNSIGNED = {8: "i1", 16: "u2", 32: "u4", 64: "u8"}
"""Of integers whose first bit is turned, which is how FITS stores the other kind."""
_TYPES = frozenset(np.dtype(name).name for name in (*_SIGNED.values(), *_UNSIGNED.values()))
_CHECKSUMS = ("CHECKSUM", "DATASUM")
_SCALING = ("BZERO", "BSCALE")
_HISTORY = b"HISTORY "


class FITS(PictureAndPlanesFormat, source="https://fits.gsfc.nasa.gov"):
    """Astronomy: the only picture of a file, or the one called SCI; other parts stay; needs the extra bio."""

    suffixes = (".fits", ".fit", ".fts")
    magic = (b"SIMPLE  =",)
    floats = True

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of an array; if it has more than two axes that are longer than 1, they must be given."""
        fits = bio_module("astropy.io.fits", "FITS")
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about cards that break a rule; all cards are copied as they are
            with fits.open(file, memmap=False, do_not_scale_image_data=True, lazy_load_hdus=False) as parts:
                return FitsPlanes(path, _only_picture(fits, parts), letters)  # which maps the pixels itself

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        bio_module("astropy.io.fits", "FITS")
        if dtype.name not in _TYPES:
            raise PictureError(f"FITS cannot hold {dtype.name}; write .tiff instead")
        if not isinstance(like, FitsPlanes) and "S" in like.axes.letters:
            raise PictureError("FITS holds no colours; write .tiff instead")

    @override
    def not_kept(self, like: Planes) -> list[str]:
        return [] if isinstance(like, FitsPlanes) else super().not_kept(like)

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write planes with all headers and other parts of the input; what is said of them joins the history.

        Remarks that come with the last plane do so where the header has room.
        """
        if isinstance(like, FitsPlanes):
            bits, turned, before, after = like.bits, like.turned, like.before, like.after
            header = like.header
            if dtype != like.dtype:
                bits, turned = _storage(dtype)
                header = _changed(header, dtype)
        else:
            bits, turned = _storage(dtype)
            header, before, after = _new_header(like.shape, dtype), b"", b""
        noted = _with_history(header, like.comment)
        layout = RawArray(like.axes.letters, like.shape, np.dtype(_SIGNED[bits]).newbyteorder(">"))
        padding = bytes(-layout.nbytes % BLOCK)
        stored = _turned(planes) if turned else planes
        with path.open("w+b") as file:
            layout.write(file, before + noted, stored, like, padding + after)
            if len(final := _with_history(header, like.comment)) == len(noted):
                file.seek(len(before))
                file.write(final)


class FitsPlanes(ArrayPlanes):
    """The planes of a picture in a FITS file.

    Args:
        path: of the file.
        part: of the file that holds the picture, as astropy describes it.
        letters: of the axes.
    """

    def __init__(self, path: Path, part: Any, letters: str | None) -> None:
        shape, place = part.shape, part.fileinfo()
        check_size(shape[-1], shape[-2])
        self.bits = int(part.header["BITPIX"])
        middle = 2.0 ** (self.bits - 1) * (-1 if self.bits == 8 else 1)
        self.turned = self.bits > 0 and part.header.get("BSCALE", 1) == 1 and part.header.get("BZERO", 0) == middle
        axes = Axes.of(shape, letters or _known(shape))
        layout = RawArray(axes.letters, shape, np.dtype(_SIGNED[self.bits]).newbyteorder(">"))
        super().__init__(layout.mapped(path, place["datLoc"]), axes, alpha=False)
        if self.turned:
            self.dtype = np.dtype(_UNSIGNED[self.bits])
        content = np.memmap(path, np.uint8, "r")
        self.before = bytes(content[: place["hdrLoc"]])
        self.header = bytes(content[place["hdrLoc"] : place["datLoc"]])
        self.after = bytes(content[place["datLoc"] + layout.nbytes + -layout.nbytes % BLOCK :])
        blank = part.header.get("BLANK")
        self.nodata = None if blank is None or self.bits < 0 else float(blank) + (middle if self.turned else 0)
        self.carries = "the header of the FITS"
        self.lost = tuple(self._lost(part.header))

    def _lost(self, header: Any) -> Iterator[str]:
        if any(name in header for name in _CHECKSUMS):
            self.header = _without(self.header, _CHECKSUMS)
            yield "the checksum"
        if self.nodata is not None and len(self) > 1:
            yield f"holes (the value for no data, {self.nodata:g}, counts as a brightness)"

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, as it is stored but for the kind of its integers."""
        plane = self.axes.plane(self.array, number).astype(_SIGNED[self.bits])
        return _turn(plane).view(self.dtype) if self.turned else plane


def _only_picture(fits: Any, parts: Any) -> Any:
    """Return the part of a file that is its picture."""
    if any(isinstance(part, fits.CompImageHDU) for part in parts):
        raise PictureError("holds a packed picture; unpack it with funpack first")
    pictures = [part for part in parts if part.is_image and len(part.shape) >= 2]
    named = [part for part in pictures if part.name == SCIENCE]
    if len(pictures) == 1 or len(named) == 1:
        return (named or pictures)[0]
    names = ", ".join(part.name or "unnamed" for part in pictures[:5])
    raise PictureError(f"holds {len(pictures)} pictures ({names}), none or several called {SCIENCE}; keep one of them")


def _known(shape: tuple[int, ...]) -> str | None:
    """Return the letters of a single picture, whose other axes have one element; None if that is not clear."""
    outer = len(shape) - 2
    return FRAME_LETTERS[:outer] + "YX" if math.prod(shape[:-2]) == 1 and outer <= len(FRAME_LETTERS) else None


def _storage(dtype: np.dtype[Any]) -> tuple[int, bool]:
    """Return BITPIX of a type, and whether the first bit is turned."""
    bits = dtype.itemsize * (-8 if dtype.kind == "f" else 8)
    return bits, np.dtype(_SIGNED[bits]) != dtype


def _turn(plane: NDArray[Any]) -> NDArray[Any]:
    """Return integers with their first bit turned, without a sign."""
    unsigned = np.ascontiguousarray(plane).view(f"u{plane.dtype.itemsize}")
    turned: NDArray[Any] = unsigned ^ unsigned.dtype.type(1 << (8 * plane.dtype.itemsize - 1))
    return turned


def _turned(planes: Numbered) -> Numbered:
    for number, plane in planes:
        turned = _turn(plane)
        yield number, turned if plane.dtype.itemsize == 1 else turned.view(f"i{plane.dtype.itemsize}")


def _changed(header: bytes, dtype: np.dtype[Any]) -> bytes:
    """Return a header for another type of the pixels."""
    fits = bio_module("astropy.io.fits", "FITS")
    bits, turned = _storage(dtype)
    cards = fits.Header.fromstring(header)
    middle = 2.0 ** (abs(cards["BITPIX"]) - 1)
    cards["BITPIX"] = bits
    if abs(cards.get("BZERO", 0)) == middle and cards.get("BSCALE", 1) == 1:
        for name in _SCALING:
            cards.remove(name, ignore_missing=True)
    cards.remove("BLANK", ignore_missing=True)
    if turned:
        cards["BZERO"], cards["BSCALE"] = _middle(dtype), 1
    return _text(cards)


def _middle(dtype: np.dtype[Any]) -> int:
    return -(1 << 7) if dtype.itemsize == 1 else 1 << (8 * dtype.itemsize - 1)


def _without(header: bytes, names: tuple[str, ...]) -> bytes:
    """Return a header without some cards."""
    cards = bio_module("astropy.io.fits", "FITS").Header.fromstring(header)
    for name in names:
        cards.remove(name, ignore_missing=True)
    return _text(cards)


def _with_history(header: bytes, line: str) -> bytes:
    """Return a header with a line, if there is one, before its end, in as many cards as it takes; others stay."""
    if not line:
        return header
    text = line.encode("ascii", "replace")
    room = CARD - len(_HISTORY)
    added = [_HISTORY + text[start : start + room].ljust(room) for start in range(0, len(text), room)]
    end = next(at for at in range(0, len(header), CARD) if header[at : at + CARD].rstrip() == b"END")
    cards = header[:end] + b"".join(added) + b"END".ljust(CARD)
    return cards.ljust(len(cards) + -len(cards) % BLOCK)


def _new_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    cards = bio_module("astropy.io.fits", "FITS").Header()
    bits, turned = _storage(dtype)
    cards["SIMPLE"], cards["BITPIX"], cards["NAXIS"] = True, bits, len(shape)
    for number, size in enumerate(reversed(shape), 1):
        cards[f"NAXIS{number}"] = size
    if turned:
        cards["BZERO"], cards["BSCALE"] = _middle(dtype), 1
    return _text(cards)


def _text(cards: Any) -> bytes:
    return bytes(cards.tostring().encode("ascii"))
