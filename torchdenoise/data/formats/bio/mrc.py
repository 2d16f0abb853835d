"""MRC."""

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes
from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.formats.bio.extra import bio_module
from torchdenoise.data.formats.bio.raw_arrays import RawArray
from torchdenoise.data.formats.planes_format import PlanesFormat
from torchdenoise.data.frames import ArrayPlanes, Numbered, Planes
from torchdenoise.errors import PictureError

MODES = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}
ANGSTROMS = {"picometer": 0.01, "angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4, "millimeter": 1e7}
"""Of a unit."""
_VOLUME, _VOLUMES = 1, 401
"""Space groups that stand for a volume and for a stack of volumes; that of a stack of pictures is 0."""


class MRC(PlanesFormat, source="https://doi.org/10.1016/j.jsb.2015.04.002"):
    """Electron microscopy: movies, tilt series and volumes; needs the extra bio."""

    suffixes = (".mrc", ".mrcs")
    floats = True

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of a stack of pictures (T), a volume (Z) or a stack of volumes."""
        mrcfile = bio_module("mrcfile", "MRC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # many programs write headers that are slightly wrong
            opened = mrcfile.mmap(path, permissive=True)
        planes = _planes(opened, letters)
        planes.resources.callback(opened.close)
        return planes

    @override
    def not_kept(self, like: Planes) -> list[str]:
        if isinstance(like, MrcPlanes):
            return []
        known = bool(_angstroms(like))
        missing = [word for word in like.calibration.said if word == "channel names" or not known]
        times = ["the time between frames"] if known and "T" in like.calibration.steps else []
        return [like.carries, *missing, *times]

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        bio_module("mrcfile", "MRC")
        if dtype.name not in MODES:
            raise PictureError(f"MRC cannot hold {dtype.name}; write .tiff instead, or add --dtype float32")
        if not isinstance(like, MrcPlanes) and like.axes.letters not in ("YX", "TYX", "ZYX", "TZYX"):
            raise PictureError(f"MRC holds the axes TYX, ZYX or TZYX, not {like.axes.letters}; write .tiff instead")

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write planes with the header of the input, its statistics computed anew."""
        header, extended = (like.header.copy(), like.extended) if isinstance(like, MrcPlanes) else _new_header(like)
        header["mode"] = MODES[dtype.name]
        stored = dtype.newbyteorder(header["mode"].dtype.byteorder)
        seen = _Statistics()
        layout = RawArray(like.axes.letters, like.shape, stored)
        with path.open("w+b") as file:
            layout.write(file, header.tobytes() + extended, seen.watch(planes), like)
            seen.store(header)
            if like.comment:
                _add_label(header, like.comment)
            file.seek(0)
            file.write(header.tobytes())


class MrcPlanes(ArrayPlanes):
    """The planes of an MRC file.

    Args:
        array: of the file, mapped.
        axes: of the array.
        header: of the file.
        extended: header of the microscope.
    """

    def __init__(self, array: NDArray[Any], axes: Axes, header: Any, extended: bytes) -> None:
        super().__init__(array, axes)
        self.header = header
        self.extended = extended
        self.carries = "the header of the MRC"


def _planes(opened: Any, letters: str | None) -> MrcPlanes:
    array = opened.data
    if array is None or array.dtype.name not in MODES:
        kind = "unknown" if array is None else array.dtype
        raise PictureError(f"damaged or of a mode that is not supported ({kind}); save it as mode 2 (float32)")
    check_size(array.shape[-1], array.shape[-2])
    known = {2: "YX", 3: "TYX" if opened.is_image_stack() else "ZYX", 4: "TZYX"}[array.ndim]
    axes = Axes.of(array.shape, letters or known)
    planes = MrcPlanes(array, axes, np.array(opened.header), bytes(opened.extended_header.tobytes()))
    sizes = {letter.upper(): float(opened.voxel_size[letter]) for letter in "xyz"}
    steps = {letter: size for letter, size in sizes.items() if letter in known and size > 0 and math.isfinite(size)}
    planes.calibration = Calibration(steps, dict.fromkeys(steps, "angstrom"))
    return planes


class _Statistics:
    """Smallest and largest value, mean and standard deviation of planes."""

    def __init__(self) -> None:
        self._low, self._high = math.inf, -math.inf
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def watch(self, planes: Numbered) -> Numbered:
        """Yield planes, and take note of their values."""
        for number, plane in planes:
            values = plane.astype(np.float64)
            self._low, self._high = min(self._low, values.min()), max(self._high, values.max())
            mean = values.mean()
            # Combined so that large means lose no digits: Chan, Golub and LeVeque 1983.
            total = self._count + values.size
            shift = mean - (self._sum / self._count if self._count else 0.0)
            self._squares += np.square(values - mean).sum() + shift**2 * self._count * values.size / total
            self._count, self._sum = total, self._sum + values.sum()
            yield number, plane

    def store(self, header: Any) -> None:
        """Write the statistics into a header."""
        header["dmin"], header["dmax"] = self._low, self._high
        header["dmean"] = self._sum / self._count
        header["rms"] = math.sqrt(self._squares / self._count)


def _add_label(header: Any, text: str) -> None:
    """Write a text behind the labels of a header, as much as one holds, if there is room for another."""
    used = max(0, int(header["nlabl"]))
    if used < len(header["label"]):
        header["label"][used] = text.encode("ascii", "replace")
        header["nlabl"] = used + 1


def _angstroms(like: Planes) -> dict[str, float]:
    """Return the lengths of a calibration whose unit is known."""
    units = like.calibration.units
    return {
        letter: step * ANGSTROMS[units[letter]]
        for letter, step in like.calibration.steps.items()
        if letter in "XYZ" and units.get(letter) in ANGSTROMS
    }


def _new_header(like: Planes) -> tuple[Any, bytes]:
    """Return a header for planes of another format, and no header of a microscope."""
    header = np.zeros((), bio_module("mrcfile.dtypes", "MRC").HEADER_DTYPE)
    sizes = dict(zip(like.axes.letters, like.shape, strict=True))
    depth = sizes.get("Z", 1)
    header["nx"], header["ny"], header["nz"] = sizes["X"], sizes["Y"], depth * sizes.get("T", 1)
    header["mx"], header["my"], header["mz"] = sizes["X"], sizes["Y"], depth
    lengths = _angstroms(like)
    header["cella"] = tuple(lengths.get(letter, 0.0) * sizes.get(letter, 1) for letter in "XYZ")
    header["cellb"] = (90, 90, 90)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["ispg"] = (_VOLUMES if "T" in sizes else _VOLUME) if "Z" in sizes else 0
    header["map"], header["exttyp"], header["nversion"] = b"MAP ", b"MRCO", 20141
    header["machst"] = (0x44, 0x44, 0, 0) if sys.byteorder == "little" else (0x11, 0x11, 0, 0)
    return header, b""
