"""LIF."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.reading import MICROMETERS, LibraryFormat, LibraryPlanes, Scene


class LIF(LibraryFormat, source="https://www.leica-microsystems.com"):
    """Leica microscopes; its pictures are scenes; read only; needs the extra bio."""

    suffixes = (".lif",)
    magic = (b"\x70\0\0\0",)
    output_suffix = ".ome.tif"

    @override
    def open_file(self, path: Path) -> Any:
        return bio_module("liffile", "LIF").LifFile(path)

    @override
    def scenes_of(self, file: Any) -> Sequence[Scene]:
        """Return the pictures, each called by the folders in which it lies, and its name."""
        return [Scene(str(image.path), partial(lif_planes, image)) for image in file.images if not image.is_flim]


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
