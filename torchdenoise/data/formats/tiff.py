"""TIFF."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE
from typing_extensions import override

from torchdenoise.data.formats.base import Header, PictureFormat, Pixels, check_single, check_size
from torchdenoise.data.formats.planes_format import CARRIES, planes_of_picture
from torchdenoise.data.formats.tiff_calibration import holds, ome_metadata, read_calibration
from torchdenoise.data.formats.tiff_checks import (
    NO_SENSE,
    check_data,
    check_stack,
    claimed_pages,
    directories,
    ignores_description,
    opened,
)
from torchdenoise.data.formats.tiff_pages import (
    ORIENTATION,
    XMP,
    carried,
    check_kind,
    colours,
    orientation,
    page_header,
    page_metadata,
)
from torchdenoise.data.formats.tiff_planes import (
    TiffPlanes,
    ome_of_picture,
    ome_of_planes,
    open_stack,
    series_names,
    write_tiff,
)
from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError

_HINT = " (only `denoise` and `inspect` take stacks)"
_OME_END = b"OME>"
_MANY_PAGES = 1000  # no picture has so many previews
MAX_PAGES = 100_000
"""Files whose list of pages is longer are refused."""


class TIFF(PictureFormat, source="https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf"):
    """Integers and floating point, lossless; stacks and scenes of ImageJ, OME and others; previews are ignored."""

    suffixes = (".tiff", ".tif", ".ome.tiff", ".ome.tif")
    floats = True
    cannot_keep = ("text",)
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF

    @override
    def read(self, file: BinaryIO) -> Pixels:
        """Decode a TIFF of one page; previews are ignored."""
        count = sum(1 for _ in directories(file))
        if count > _MANY_PAGES:
            check_single(count, _HINT)
        with opened(file) as tiff:
            pages = [page for page in (each.aspage() for each in tiff.pages) if not page.is_reduced]
            check_single(len(pages), _HINT)
            page = pages[0]
            claimed = claimed_pages(tiff, page)
            if claimed > 1:
                check_stack(page, claimed, tiff.filehandle.size)
                check_single(claimed, _HINT)
            check_size(page.imagewidth, page.imagelength, page.samplesperpixel)
            check_kind(page)
            check_data(page, tiff.filehandle.size)
            array = page.asarray()
            metadata = page_metadata(page)
            ome = ome_of_picture(tiff)
            if tiff.is_ome:  # it may describe pictures in other files, too
                metadata["tiff"]["description"] = ome.encode()
            metadata["calibration"] = read_calibration(tiff, page, ome)
            without_sense = ignores_description(tiff)
            if without_sense:
                metadata["tiff"].pop("description", None)
            metadata["extra"] = {CARRIES: carried(metadata["tiff"])}
        array, note = colours(page, array)
        metadata["notes"] = tuple(filter(None, [note, without_sense and f"has {NO_SENSE}: left out"]))
        return array, metadata

    @override
    def header(self, file: BinaryIO) -> Header | None:
        for _ in directories(file):
            pass  # of a loop, this says that it is damaged
        with tifffile.TiffFile(file) as tiff:
            page = next(each for each in tiff.pages if isinstance(each, tifffile.TiffPage) and not each.is_reduced)
            return page_header(page)

    @override
    def write(self, array: NDArray[Any], like: Picture) -> bytes:
        """Encode with the compression of the input TIFF, else deflate; of EXIF, only the orientation is kept."""
        options: dict[str, Any] = {"compression": COMPRESSION.ADOBE_DEFLATE}
        if like.dpi:
            options |= {"resolution": like.dpi, "resolutionunit": "INCH"}
        if like.alpha is not None:
            options["extrasamples"] = (EXTRASAMPLE.UNASSALPHA,)
        options |= like.tiff
        planes = planes_of_picture(array, like)
        described = options.get("description", b"")
        if described.strip().endswith(_OME_END):
            options["description"] = ome_of_planes(described.decode(), 1, array.dtype).encode()
        ome = bool(like.calibration.said) and not described and holds(planes, array.dtype)
        if array.ndim == 2 or array.shape[-1] == 1:
            array = array.reshape(array.shape[:2])
            options["planarconfig"] = None
        elif options.setdefault("planarconfig", "contig") == "separate":
            array = np.moveaxis(array, -1, 0)
        tags = list(like.tiff.get("extratags", ()))
        if (turned := orientation(like.exif)) != 1:
            tags.append((ORIENTATION, "H", 1, turned, True))
        if like.xmp:
            tags.append((XMP, "B", len(like.xmp), like.xmp, True))
        options["extratags"] = tags
        buffer = io.BytesIO()
        colour = "rgb" if like.image.shape[1] == 3 else "minisblack"
        options |= {"iccprofile": like.icc, "software": like.comment or False}
        metadata = ome_metadata(planes) if ome else None
        tifffile.imwrite(buffer, array, photometric=colour, ome=ome, metadata=metadata, **options)
        return buffer.getvalue()

    @override
    def open(self, path: Path, letters: str | None) -> Planes | None:
        """Return the planes of a file of several pages or channels."""
        _check_length(path)
        return open_stack(path, letters)

    @override
    def scenes(self, path: Path) -> Sequence[str]:
        """Return the names of pictures of different kinds, such as the series of an OME-TIFF."""
        _check_length(path)
        return series_names(path)

    @override
    def open_scene(self, path: Path, place: int, letters: str | None) -> Planes:
        _check_length(path)
        return TiffPlanes(opened(path), letters, place)

    @override
    def not_kept(self, like: Planes) -> list[str]:
        if isinstance(like, TiffPlanes) or like.metadata.get("tiff"):
            return []
        return [like.carries] if holds(like, like.dtype) else super().not_kept(like)

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        pass

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write page by page, with the compression and the tags of the input TIFF, else deflate."""
        write_tiff(path, planes, like, dtype)


def _check_length(path: Path) -> None:
    """Raise PictureError if the list of pages is too long, or a loop."""
    with path.open("rb") as file:
        if sum(1 for _ in itertools.islice(directories(file), MAX_PAGES + 1)) > MAX_PAGES:
            raise PictureError(f"lists more than {MAX_PAGES} pages; split it first")
