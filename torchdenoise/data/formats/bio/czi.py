"""CZI."""

from pathlib import Path
from typing import Any

from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.reading import MICROMETERS, LibraryPlanes, check_only, planes_of
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import Planes
from torchdenoise.errors import UserError
from torchdenoise.extras import optional_module

_REMEDY = "CZI needs an extra, and Python 3.12 or newer: pip install 'torchdenoise[bio]'"


class CZI(PlanesFormat, source="https://www.zeiss.com/czi"):
    """Zeiss microscopes, one scene, mosaics put together; read only; needs the extra bio and Python 3.12."""

    suffixes = (".czi",)
    magic = (b"ZISRAWFILE",)
    output_suffix = ".ome.tif"

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of the only scene at full resolution."""
        library = optional_module("czifile", _REMEDY)
        if not hasattr(library.CziFile, "scenes"):  # that of older Pythons
            raise UserError(_REMEDY)

        def find(file: Any) -> Planes:
            check_only([str(scene) for scene in file.scenes])
            return czi_planes(next(iter(file.scenes.values())), letters)

        return planes_of(library.CziFile(path), find)


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
