"""ND2."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.reading import LibraryPlanes, planes_of
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import Planes

_FRAME = frozenset("CYXS")
"""Axes of what the library reads at once."""


class ND2(PlanesFormat, source="https://www.nikon.com"):
    """Nikon microscopes; read only; needs the extra bio."""

    suffixes = (".nd2",)
    magic = (b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  \r\n\x87\n")  # the second is that of JPEG 2000, before 2011
    output_suffix = ".ome.tif"

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes; positions of the stage are frames (P)."""
        return planes_of(bio_module("nd2", "ND2").ND2File(path), lambda file: nd2_planes(file, letters))


def nd2_planes(file: Any, letters: str | None) -> LibraryPlanes:
    """Return the planes of an open file of nd2, which reads all channels of a frame at once."""
    sizes = dict(file.sizes)
    loops = [name for name in sizes if name not in _FRAME]
    last: dict[int, Any] = {}

    def read_plane(place: Any) -> Any:
        at = [place[name] for name in loops]
        number = int(np.ravel_multi_index(at, [sizes[name] for name in loops])) if loops else 0
        if number not in last:
            last.clear()
            last[number] = np.asarray(file.read_frame(number))
        return last[number][place["C"]] if "C" in place else last[number]

    planes = LibraryPlanes(sizes, file.dtype, read_plane, letters)
    planes.carries = "the metadata of the ND2"
    planes.calibration = _calibration(file, sizes)
    return planes


def _calibration(file: Any, sizes: dict[str, int]) -> Calibration:
    voxel = file.voxel_size()
    found = {"X": voxel.x, "Y": voxel.y, "Z": voxel.z if "Z" in sizes else 0}
    for loop in file.experiment:
        if loop.type == "TimeLoop":
            found["T"] = loop.parameters.periodMs / 1000
    steps = {letter: float(step) for letter, step in found.items() if step and step > 0 and math.isfinite(step)}
    channels = getattr(file.metadata, "channels", None) or ()  # a dictionary in files from before 2011
    names = tuple(str(each.channel.name) for each in channels)
    return Calibration(steps, {letter: "second" if letter == "T" else "micrometer" for letter in steps}, names)
