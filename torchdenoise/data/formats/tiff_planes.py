"""TIFF files of many planes: read page by page, and written page by page with the same metadata."""

import contextlib
import html
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TIFF
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.formats.base import check_size, quiet
from torchdenoise.data.formats.tiff_calibration import holds, ome_metadata, read_calibration
from torchdenoise.data.formats.tiff_checks import (
    NO_SENSE,
    check_data,
    check_stack,
    ignores_description,
    nodata_value,
    opened,
)
from torchdenoise.data.formats.tiff_pages import grey_levels, page_metadata, stored_dtype
from torchdenoise.data.frames import Numbered, Planes, in_order
from torchdenoise.errors import PictureError
from torchdenoise.scenes import find_scene

CLASSIC_BYTES = 2**32 - 2**25
"""More do not fit into a TIFF whose offsets have 32 bits; some room is left for the tags."""
KEPT_KINDS = frozenset({"ome", "imagej", "shaped", "uniform", "generic", "scanimage", "mmstack"})
"""Whose metadata are texts and plain tags, which are copied."""
_OWN_TAGS = frozenset({"ome", "uniform", "generic", "scanimage", "mmstack"})
"""Whose pages may have tags of their own."""
_WRITTEN = frozenset(
    {*TIFF.TAG_FILTERED, 254, 255, 263, 270, 280, 281, 282, 283, 288, 289, 296, 320, 340, 341, 347}
    | {*range(512, 522), 529, 530, 531, 532}
)
"""Tags that say how the pixels are stored, or that are written from a page's values."""
_DESCRIPTION = 270
_SOFTWARE = 305
_PROGRAM = "torchdenoise"
"""The software of a result, unless the input names one; remarks take its place when they are known."""
_POINTERS = {34665: "EXIF", 34853: "GPS", 40965: "interoperability"}
_ALPHA = frozenset({EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA})
_INTEGER_KINDS = "bu"
_PAGE_AXES = ("YX", "YXS", "SYX")
_IMAGE = re.compile(r"<(?:\w+:)?Image\b[^>]*>.*?</(?:\w+:)?Image\s*>", re.DOTALL)
_IMAGE_REF = re.compile(r"<(?:\w+:)?ImageRef\b[^>]*/>")
_ID = re.compile(r"\sID=\"([^\"]*)\"")
"""Of OME-XML."""


class TiffPlanes(Planes):
    """The planes of a TIFF at full resolution.

    The samples of a page are colours of one plane (S), or planes of their own where they are channels or frames.

    Args:
        tiff: as ``opened`` returns it; ``close`` closes it, and so does an error.
        letters: of the axes; from the file by default.
        place: of the series to read, from 0 on, if there are several.

    Raises:
        PictureError: several series, pages of a kind that is not supported, or axes that do not fit.
    """

    def __init__(self, tiff: tifffile.TiffFile, letters: str | None = None, place: int | None = None) -> None:
        with quiet(), contextlib.ExitStack() as after_error:
            after_error.callback(tiff.close)
            series = _chosen(tiff, place)
            page = series.keyframe
            check_size(page.imagewidth, page.imagelength, page.samplesperpixel)
            _check_page(page)
            if not series.is_multifile:
                pages = series.size // page.size
                in_file = pages if len(series.pages) == 1 else min(pages, len(tiff.pages))  # some may be missing
                check_stack(page, in_file, tiff.filehandle.size)
            axes, shape = _axes(series, letters)
            split = "S" in page.axes and "S" not in axes.letters
            metadata = page_metadata(page)
            after_error.pop_all()
        super().__init__(axes, shape, stored_dtype(page), not split and page.samplesperpixel in (2, 4))
        self.resources.callback(tiff.close)
        self.tiff = tiff
        self.series = series
        self.ome = _ome_xml(tiff, series) if tiff.is_ome else ""
        """What the OME-XML of the file says of these planes."""
        self.keyframe: tifffile.TiffPage = page
        self.options: dict[str, Any] = metadata["tiff"]
        self.samples = page.samplesperpixel if split else 1
        """The number of planes in a page."""
        self.pages = len(self) // self.samples
        self.virtual = len(series.pages) == 1 and self.pages > 1
        """Whether the file lists one page only, and the others follow it without a list."""
        if self.virtual and series.dataoffset is None:
            self.close()
            raise PictureError(f"lists 1 page of {self.pages}: cut short, or of a kind that is not supported")
        self.nodata = nodata_value(page)
        self.lost = tuple(_lost(self))
        self.carries = "the description and tags of the TIFF"
        self.calibration = read_calibration(tiff, page, self.ome)
        self._last: tuple[int, NDArray[Any]] | None = None

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, S)."""
        page, sample = divmod(number, self.samples)
        if self.samples == 1:
            return self._read_page(page)
        if self._last is None or self._last[0] != page:
            self._last = page, self._read_page(page)
        return self._last[1][..., sample]

    def _read_page(self, number: int) -> NDArray[Any]:
        """Return a page, its samples last."""
        page = self.keyframe
        if self.virtual:
            handle, offset = self.tiff.filehandle, self.series.dataoffset
            assert page.dtype is not None
            assert offset is not None
            handle.seek(offset + number * page.nbytes)
            stored = np.dtype(page.dtype).newbyteorder(self.tiff.byteorder)
            array = handle.read_array(stored, page.size).reshape(page.shape).astype(page.dtype, copy=False)
        else:
            listed = self._page(number)
            check_data(listed, listed.parent.filehandle.size)
            with quiet():
                array = listed.asarray()
        array = grey_levels(page, array)
        return np.moveaxis(array, 0, -1) if page.axes == "SYX" else array

    def _page(self, number: int) -> tifffile.TiffPage | tifffile.TiffFrame:
        page = self.series.pages[number]
        if page is None:
            raise PictureError(f"lacks page {number + 1} of {self.pages}; export it again from its source")
        return page

    def described(self, number: int) -> tifffile.TiffPage | None:
        """Return a page with its tags; None if it has none of its own."""
        if number == 0:
            return self.keyframe
        return None if self.virtual else self._page(number).aspage()


def series_names(path: Path) -> list[str]:
    """Return the names of the series of a TIFF at full resolution."""
    with quiet(), opened(path) as tiff:
        return [each.name for each in _full_series(tiff)]


def ome_of_picture(tiff: tifffile.TiffFile) -> str:
    """Return the OME-XML of a TIFF with one picture; nothing if it has none, or if that is of others."""
    series = _full_series(tiff) if tiff.is_ome else []
    return _ome_xml(tiff, series[0]) if len(series) == 1 else ""


def open_stack(path: Path, letters: str | None) -> TiffPlanes | None:
    """Return the planes of a TIFF; None if it holds one grey or colour picture, which ``TIFF.read`` takes."""
    with quiet(), contextlib.ExitStack() as after_error:
        tiff = after_error.enter_context(opened(path))
        if letters is None and _is_single(tiff):
            return None
        after_error.pop_all()
        return TiffPlanes(tiff, letters)


def _is_single(tiff: tifffile.TiffFile) -> bool:
    series = _full_series(tiff)
    if len(series) != 1:
        return len(series) == 0  # the reader of single pictures says what is wrong
    page = series[0].keyframe
    if series[0].size != page.size or page.axes not in _PAGE_AXES:
        return series[0].size == page.size
    return "S" not in page.axes or "S" in _axes(series[0], None)[0].letters


def write_tiff(path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
    """Write planes as a TIFF with the metadata of ``like``; what another format says of its axes, as OME-TIFF.

    Pages follow each other without gaps, as ImageJ and tifffile expect it; where pages may have tags of their own, each
    is written with them.
    """
    source = like if isinstance(like, TiffPlanes) else None
    shape = like.axes.plane_shape(like.shape)
    options = _layout(like, dtype)
    big = math.prod(like.shape) * dtype.itemsize > CLASSIC_BYTES or (source is not None and source.tiff.is_bigtiff)
    order = source.tiff.byteorder if source else None
    ome = source is None and bool(like.calibration.said) and holds(like, dtype)
    with quiet(), tifffile.TiffWriter(path, bigtiff=big, byteorder=order, ome=ome) as writer:
        pages = _pages(in_order(planes, path.parent), source.samples if source else 1, options["planarconfig"])
        if ome:
            sizes = dict(zip(like.axes.letters, like.shape, strict=True))
            whole = tuple(sizes[letter] for letter in like.axes.outer + like.axes.inner)
            options |= {"metadata": ome_metadata(like), "software": _PROGRAM}
            writer.write(pages, shape=whole, dtype=dtype, **options)
        elif source is None or (source.series.kind not in _OWN_TAGS and "tile" not in options):
            stored = (len(like), *shape) if source is None else (source.pages, *source.keyframe.shape)
            options |= _tags(like, 0, dtype)
            writer.write(pages, shape=stored, dtype=dtype, metadata=None, **options)
        else:
            for number, page in enumerate(pages):
                writer.write(page, metadata=None, contiguous=False, **options, **_tags(source, number, dtype))
    if like.comment and not (source is not None and source.tiff.is_scanimage):  # whose metadata are in this tag
        before = b"" if source is None else _text(source.keyframe, _SOFTWARE)
        line = b"; ".join(filter(None, [before, like.comment.encode()]))
        with quiet():
            tifffile.tiffcomment(path, line, tagcode=_SOFTWARE)


def _pages(planes: Iterator[NDArray[Any]], samples: int, layout: str | None) -> Iterator[NDArray[Any]]:
    """Yield pages as they are stored, of as many planes as one has samples."""
    for plane in planes:
        page = plane if samples == 1 else np.stack([plane, *itertools.islice(planes, samples - 1)], -1)
        yield np.ascontiguousarray(np.moveaxis(page, -1, 0) if layout == "separate" else page)


def _layout(like: Planes, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return how pages are stored, as arguments of ``TiffWriter.write``."""
    if isinstance(like, TiffPlanes):
        return _layout_of_source(like, dtype)
    samples = like.axes.plane_shape(like.shape)[2:]
    rgb = bool(samples) and samples[0] - like.alpha == 3
    options: dict[str, Any] = {
        "photometric": "rgb" if rgb else "minisblack",
        "planarconfig": "contig" if samples else None,
        "compression": COMPRESSION.ADOBE_DEFLATE,
    }
    if samples and samples[0] > (3 if rgb else 1):
        options["extrasamples"] = (EXTRASAMPLE.UNASSALPHA,) if like.alpha else (0,) * (samples[0] - 1)
    return options


def _layout_of_source(like: TiffPlanes, dtype: np.dtype[Any]) -> dict[str, Any]:
    page = like.keyframe
    rgb = page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR)
    copied = ("compression", "predictor", "resolution", "resolutionunit")
    options = {name: like.options[name] for name in copied if name in like.options}
    options |= {"photometric": "rgb" if rgb else "minisblack", "planarconfig": None}
    if "S" in page.axes:
        options["planarconfig"] = like.options["planarconfig"]
        if page.extrasamples:
            options["extrasamples"] = page.extrasamples
    if page.photometric == PHOTOMETRIC.PALETTE and dtype == like.dtype:
        options |= {"photometric": "palette", "colormap": page.colormap}
    if page.is_tiled:
        options["tile"] = (page.tilelength, page.tilewidth)
    return options


def _tags(like: Planes, number: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the description and the further tags of a page, as arguments of ``TiffWriter.write``."""
    if not isinstance(like, TiffPlanes):
        return {"description": _shaped(like), "software": _PROGRAM}
    page = like.described(number)
    tags = [] if page is None else [_raw(tag) for tag in page.tags if _copied(tag)]
    named = number > 0 or any(tag[0] == _SOFTWARE for tag in tags)
    found: dict[str, Any] = {"extratags": tags, "software": False if named else _PROGRAM}
    description = b"" if page is None or ignores_description(like.tiff) else _text(page)
    if number == 0 and like.series.kind not in KEPT_KINDS:
        found["description"] = _shaped(like)
    elif number == 0 and like.series.kind == "ome":
        found["description"] = ome_of_planes(like.ome, len(like), dtype).encode() if like.ome else _shaped(like)
    elif number == 0 and like.virtual and like.series.kind == "shaped":  # the result lists all pages
        found["description"] = json.dumps({**json.loads(description), "truncated": False})
    elif description:
        found["description"] = description
    return found


def _shaped(like: Planes) -> str:
    """Return tifffile's own description of a shape and its axes."""
    letters = like.axes.outer + like.axes.inner
    sizes = dict(zip(like.axes.letters, like.shape, strict=True))
    return json.dumps({"shape": [sizes[letter] for letter in letters], "axes": letters})


def _text(page: tifffile.TiffPage, code: int = _DESCRIPTION) -> bytes:
    """Return the bytes of a text of a page, its description by default."""
    tag = page.tags.get(code)
    return b"" if tag is None else _bytes(tag).rstrip(b"\0")


def _copied(tag: tifffile.TiffTag) -> bool:
    return tag.code not in _WRITTEN and tag.code not in _POINTERS and tag.dtype not in (13, 18)  # offsets of others


def _raw(tag: tifffile.TiffTag) -> tuple[int, int, int, bytes, bool]:
    return tag.code, int(tag.dtype), tag.count, _bytes(tag), True


def _bytes(tag: tifffile.TiffTag) -> bytes:
    handle = tag.parent.filehandle
    handle.seek(tag.valueoffset)
    return bytes(handle.read(tag.valuebytecount))


def ome_of_planes(xml: str, planes: int, dtype: np.dtype[Any]) -> str:
    """Return OME-XML for planes that lie in one file in the order of its dimensions.

    Example:
        >>> xml = '<OME><Pixels Type="uint16"><TiffData IFD="4"/><TiffData IFD="2"/></Pixels></OME>'
        >>> ome_of_planes(xml, 2, np.dtype("float32"))
        '<OME><Pixels Type="float"><TiffData IFD="0" PlaneCount="2"/></Pixels></OME>'
    """
    pattern = re.compile(r"<(\w+:)?TiffData\b(?:[^>]*/>|[^>]*>.*?</(?:\w+:)?TiffData\s*>)", re.DOTALL)
    first = pattern.search(xml)
    if first is not None:
        whole = f'<{first[1] or ""}TiffData IFD="0" PlaneCount="{planes}"/>'
        xml = xml[: first.start()] + whole + pattern.sub("", xml[first.end() :])
    name = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
    return re.sub(r"(<(?:\w+:)?Pixels\b[^>]*?\sType=\")[^\"]*", rf"\g<1>{name}", xml)


def _all_series(tiff: tifffile.TiffFile) -> Sequence[tifffile.TiffPageSeries]:
    """Return all series; from tifffile 2026.5.2 on, they must be asked for with their axes of one element."""
    return tiff.series(squeeze=False) if callable(tiff.series) else tiff.series


def _with_single_elements(series: tifffile.TiffPageSeries) -> tuple[tuple[int, ...], str]:
    """Return the shape of a series and its axes, also those of one element."""
    if hasattr(series, "get_shape"):  # tifffile before 2026.5.2
        return series.get_shape(squeeze=False), series.get_axes(squeeze=False).upper()
    return series.shape, series.axes.upper()


def _full_series(tiff: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """Return the series at full resolution, without previews; of a set of files, those that begin in this one."""
    series = [each.levels[0] for each in _all_series(tiff) if not each.keyframe.is_reduced]
    return series if len(series) < 2 else [each for each in series if each.keyframe.parent is tiff] or series


def _chosen(tiff: tifffile.TiffFile, place: int | None) -> tifffile.TiffPageSeries:
    """Return a series at full resolution, the only one if no place is given."""
    series = _full_series(tiff)
    return series[find_scene([each.name for each in series]) if place is None else place]


def _ome_xml(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    """Return what OME-XML says of a series; nothing if there is none, or if it does not tell which image that is."""
    xml = tiff.ome_metadata or ""
    images = list(_IMAGE.finditer(xml))
    if len(images) < 2:
        return xml
    if series.kind != "ome":
        return ""
    every = _all_series(tiff)
    if len(images) == len(every):
        return _of_one_image(xml, images, every.index(series))
    attribute = f'Name="{html.escape(series.name)}"'  # tifffile leaves out images of files that are missing
    named = [place for place, image in enumerate(images) if attribute in image[0].partition(">")[0]]
    return _of_one_image(xml, images, named[0]) if len(named) == 1 else ""


def _of_one_image(xml: str, images: Sequence[re.Match[str]], kept: int) -> str:
    """Return OME-XML without the other images, and without references to them."""
    identity = _ID.search(images[kept][0])
    between = [xml[one.end() : other.start()] for one, other in itertools.pairwise(images)]
    between.insert(kept, images[kept][0])
    whole = xml[: images[0].start()] + "".join(between) + xml[images[-1].end() :]
    return _IMAGE_REF.sub(lambda found: found[0] if identity and f'"{identity[1]}"' in found[0] else "", whole)


def _check_page(page: tifffile.TiffPage) -> None:
    """Raise PictureError unless the pages are grey, colour, or of several channels."""
    kinds = (PHOTOMETRIC.RGB, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)
    jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG
    table = page.photometric == PHOTOMETRIC.PALETTE and page.is_imagej  # only the colours in which it is shown
    inverted = page.photometric == PHOTOMETRIC.MINISWHITE
    if not (page.photometric in kinds or jpeg or table) or page.axes not in _PAGE_AXES:
        name = getattr(page.photometric, "name", page.photometric)
        raise PictureError(f"holds pages of kind {name}, {page.axes}; convert them to RGB or grey first")
    dtype = page.dtype
    if dtype is None or not isinstance(page.bitspersample, int):
        raise PictureError(f"has samples of {page.bitspersample} bits; convert them to 8 or 16 bits first")
    if inverted and not (page.samplesperpixel == 1 and dtype.kind in _INTEGER_KINDS):
        raise PictureError("holds pages whose white is 0; convert them to grey first")


def _axes(series: tifffile.TiffPageSeries, letters: str | None) -> tuple[Axes, tuple[int, ...]]:
    """Return the axes and the shape of a series, without axes of one element.

    The letter of a page's samples is S if they are colours, else C or what the file or the user calls it.
    """
    page = series.keyframe
    inner = len(page.axes)
    shape, names = _with_single_elements(series)
    if "S" not in page.axes and names.endswith("YXS") and shape[-1] == 1:  # ImageJ's axes always have S
        shape, names = shape[:-1], names[:-1]
    if tuple(shape[-inner:]) != tuple(page.shape):
        raise PictureError(f"holds pages of {page.axes} in axes {names}, which is not supported; split it into files")
    outer = [(name, size) for name, size in zip(names[:-inner], shape[:-inner], strict=True) if size > 1]
    sizes = (*(size for _, size in outer), *page.shape)
    if letters is not None:
        return _given_axes(letters.upper(), page.axes, tuple(shape) if len(letters) == len(shape) else sizes)
    at = page.axes.find("S")
    name = names[len(names) - inner + at] if at >= 0 else ""
    sample = name if name not in "YX" else "S"
    if sample == "S" and not _colours(page):
        sample = "C"
    return Axes(_distinct([name for name, _ in outer], sample) + page.axes.replace("S", sample)), sizes


def _given_axes(given: str, stored: str, sizes: tuple[int, ...]) -> tuple[Axes, tuple[int, ...]]:
    """Return the axes that the user gives, if pages can be stored in this order."""
    axes = Axes.of(sizes, given)
    last = given[-len(stored) :]
    if any(letter != name for letter, name in zip(last, stored, strict=True) if name != "S"):
        raise PictureError(f"axes {given}: the last ones must be {stored}, as the pages are stored (S: any letter)")
    return axes, sizes


def _colours(page: tifffile.TiffPage) -> bool:
    """Return whether the samples of a page are colours, or grey, and at most transparency beside them."""
    of_kind = {PHOTOMETRIC.RGB: 3, PHOTOMETRIC.YCBCR: 3, PHOTOMETRIC.SEPARATED: 4}
    colours = of_kind.get(PHOTOMETRIC(page.photometric), 1)
    extra = page.samplesperpixel - colours
    return extra == 0 or (extra == 1 and _ALPHA.issuperset(page.extrasamples))


def _distinct(names: Sequence[str], sample: str) -> str:
    """Return the letters of the outer axes; tifffile may name two axes alike, or by one of a page's."""
    used: list[str] = []
    free = (letter for letter in "QABDEFGHIJKLMNOPRUVW")
    for name in names:
        while name in used or name in f"YXS{sample}":
            name = next(free)
        used.append(name)
    return "".join(used)


def _lost(planes: TiffPlanes) -> Iterable[str]:
    """Yield what a TIFF of the result cannot keep."""
    series, page = planes.series, planes.keyframe
    if ignores_description(planes.tiff):
        yield NO_SENSE
    if series.is_pyramidal:
        yield "the smaller copies of a pyramid"
    if series.kind not in KEPT_KINDS or (series.kind == "ome" and not planes.ome):
        yield f"the metadata of {series.kind.upper()}"
    for code, name in _POINTERS.items():
        if code in page.tags:
            yield name
    if page.compression not in (COMPRESSION.NONE, planes.options["compression"]):
        yield f"the compression {getattr(page.compression, 'name', page.compression)} (now deflate)"
    if page.bitspersample < 8 or page.photometric == PHOTOMETRIC.MINISWHITE:
        yield "the coding of black and white (now 8 bits or more, black is 0)"
    if not planes.tiff.is_bigtiff and math.prod(planes.shape) * planes.dtype.itemsize > CLASSIC_BYTES:
        yield "the classic TIFF: more than 4 GB become a BigTIFF"
    if series.is_multifile:
        yield "the division into several files"
