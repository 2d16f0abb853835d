"""LIF."""

from pathlib import Path
from typing import Any

from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.reading import MICROMETERS, LibraryPlanes, check_only, planes_of
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import Planes


class LIF(PlanesFormat, source="https://www.leica-microsystems.com"):
    """Leica microscopes, one picture; read only; needs the extra bio."""

    suffixes = (".lif",)
    magic = (b"\x70\0\0\0",)
    output_suffix = ".ome.tif"

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of the only picture."""

        def find(file: Any) -> Planes:
            images = [image for image in file.images if not image.is_flim]
            check_only([str(image.name) for image in images])
            return lif_planes(images[0], letters)

        return planes_of(bio_module("liffile", "LIF").LifFile(path), find)


def lif_planes(image: Any, letters: str | None) -> LibraryPlanes:
    """Return the planes of an image of liffile."""
    planes = LibraryPlanes(image.sizes, image.dtype, lambda place: image.frame(**place), letters)
    planes.carries = "the metadata of the LIF"
    planes.calibration = _calibration(image)
    return planes


def _calibration(image: Any) -> Calibration:
    """Return the steps of the axes, which the library gives as coordinates in meters and seconds."""
    steps = {}
    for letter in "TZYX":
        places = image.coords.get(letter, ())
        step = abs(float(places[-1] - places[0])) / (len(places) - 1) if len(places) > 1 else 0
        if step > 0:
            steps[letter] = step if letter == "T" else step * MICROMETERS
    return Calibration(steps, {letter: "second" if letter == "T" else "micrometer" for letter in steps})
