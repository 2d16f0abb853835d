"""ND2."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.reading import LibraryFormat, LibraryPlanes, Scene
from torchdenoise.errors import PictureError

_FRAME = frozenset("CYXS")
"""Axes of what the library reads at once."""
_POSITION = "P"
MAX_POSITIONS = 100_000
"""Files that claim more are refused."""


class ND2(LibraryFormat, source="https://www.nikon.com"):
    """Nikon microscopes; positions of the stage are scenes; read only; needs the extra bio."""

    suffixes = (".nd2",)
    magic = (b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  \r\n\x87\n")  # the second is that of JPEG 2000, before 2011
    output_suffix = ".ome.tif"

    @override
    def open_file(self, path: Path) -> Any:
        return bio_module("nd2", "ND2").ND2File(path)

    @override
    def scenes_of(self, file: Any) -> Sequence[Scene]:
        """Return the positions of the stage."""
        names = _position_names(file)
        return [Scene(name, partial(nd2_planes, file, position)) for position, name in enumerate(names)]


def _position_names(file: Any) -> list[str]:
    """Return the names of the positions, one for a file without any."""
    count = dict(file.sizes).get(_POSITION, 1)
    if count > MAX_POSITIONS:
        raise PictureError(f"claims {count} positions: damaged; copy it again from its source")
    for loop in file.experiment:
        if loop.type == "XYPosLoop" and len(loop.parameters.points) == count:
            return [str(point.name or "") for point in loop.parameters.points]
    return [""] * count


def nd2_planes(file: Any, position: int, letters: str | None) -> LibraryPlanes:
    """Return the planes of a position in an open file of nd2, which reads all channels of a frame at once."""
    stored = dict(file.sizes)
    sizes = {name: size for name, size in stored.items() if name != _POSITION}
    loops = [name for name in stored if name not in _FRAME]
    last: dict[int, Any] = {}

    def read_plane(place: Any) -> Any:
        at = [position if name == _POSITION else place[name] for name in loops]
        number = int(np.ravel_multi_index(at, [stored[name] for name in loops])) if loops else 0
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
