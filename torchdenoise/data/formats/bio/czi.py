"""CZI."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.reading import MICROMETERS, LibraryFormat, LibraryPlanes, Scene
from torchdenoise.errors import UserError
from torchdenoise.extras import optional_module

_REMEDY = "CZI needs an extra, and Python 3.12 or newer: pip install 'torchdenoise[bio]'"


class CZI(LibraryFormat, source="https://www.zeiss.com/czi"):
    """Zeiss microscopes, mosaics put together; read only; needs the extra bio and Python 3.12."""

    suffixes = (".czi",)
    magic = (b"ZISRAWFILE",)
    output_suffix = ".ome.tif"

    @override
    def open_file(self, path: Path) -> Any:
        library = optional_module("czifile", _REMEDY)
        if not hasattr(library.CziFile, "scenes"):  # that of older Pythons
            raise UserError(_REMEDY)
        return library.CziFile(path)

    @override
    def scenes_of(self, file: Any) -> Sequence[Scene]:
        """Return the scenes at full resolution."""
        names = _scene_names(file)
        return [Scene(names.get(index, ""), partial(czi_planes, image)) for index, image in file.scenes.items()]


def _scene_names(file: Any) -> Mapping[int, str]:
    """Return the names that the metadata give to scenes, by their index; none where these make no sense."""
    with contextlib.suppress(AttributeError, KeyError, SyntaxError, TypeError, ValueError):
        scenes = file.xml_element.iterfind(".//Dimensions/S/Scenes/Scene")
        return {int(scene.attrib["Index"]): scene.get("Name", "") for scene in scenes}
    return {}


def czi_planes(image: Any, letters: str | None) -> LibraryPlanes:
    """Return the planes of an image of czifile, whose places are counted from where the microscope began."""
    first = dict(zip(image.dims, image.start, strict=True))

    def read_plane(place: Any) -> Any:
        at = {name: first[name] + number for name, number in place.items()}
        return (image(**at) if at else image).asarray()

    planes = LibraryPlanes(image.sizes, image.dtype, read_plane, letters)
    planes.carries = "the metadata of the CZI"
    planes.calibration = _calibration(image)
    return planes


def _calibration(image: Any) -> Calibration:
    scales = {letter: float(image.coord_scales[letter]) for letter in "TZYX" if letter in image.coord_scales}
    meters = {letter for letter in scales if image.coord_units.get(letter) == "meter"}
    steps = {letter: scale * MICROMETERS if letter in meters else scale for letter, scale in scales.items()}
    units = {letter: "micrometer" if letter in meters else "second" for letter in steps}
    names = list(image.channels)
    return Calibration(steps, units, tuple(names) if len(names) == image.sizes.get("C", 1) else ())
