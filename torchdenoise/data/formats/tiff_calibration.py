"""Pixel size, units and channel names in a TIFF: read from OME and ImageJ, written as OME."""

import contextlib
import math
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile

from torchdenoise.data.calibration import Calibration, unit_name, unit_symbol
from torchdenoise.data.frames import Planes

NO_UNIT = "reference frame"
"""OME's unit of sizes whose unit is not known; a missing one would stand for micrometers."""
_TYPES = frozenset(
    {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64", "complex64", "complex128"}
)
_LENGTHS = "ZYX"


def read_calibration(tiff: tifffile.TiffFile, page: tifffile.TiffPage, ome: str) -> Calibration:
    """Return what OME or ImageJ say in a TIFF; nothing where that makes no sense, since both are free text.

    Args:
        tiff: open.
        page: the first one.
        ome: OME-XML of one image; empty if there is none.
    """
    with contextlib.suppress(Exception):
        if ome:
            return _of_ome(tifffile.xml2dict(ome)["OME"]["Image"])
        if tiff.is_imagej:
            return _of_imagej(tiff.imagej_metadata or {}, page)
    return Calibration()


def _of_ome(image: Any) -> Calibration:
    pixels = image["Pixels"]
    steps: dict[str, float] = {}
    units: dict[str, str] = {}
    named = [(letter, f"PhysicalSize{letter}", "µm") for letter in _LENGTHS] + [("T", "TimeIncrement", "s")]
    for letter, name, default in named:
        if name in pixels:
            steps[letter] = float(pixels[name])
            unit = pixels.get(f"{name}Unit", default)
            units |= {} if unit in (NO_UNIT, "pixel") else {letter: unit_name(unit)}
    channels = pixels.get("Channel", [])
    names = [str(each.get("Name", "")) for each in (channels if isinstance(channels, list) else [channels])]
    return Calibration(steps, units, tuple(names) if any(names) else ())


def _of_imagej(said: dict[str, Any], page: tifffile.TiffPage) -> Calibration:
    unit = unit_name(str(said.get("unit", "")))
    across, down = page.resolution
    steps = {"X": 1 / across, "Y": 1 / down} if unit and min(across, down) > 0 else {}
    units = dict.fromkeys(steps, unit)
    if unit and "spacing" in said:
        steps["Z"], units["Z"] = float(said["spacing"]), unit
    if "finterval" in said:
        steps["T"], units["T"] = float(said["finterval"]), "second"
    return Calibration({letter: step for letter, step in steps.items() if math.isfinite(step)}, units)


def holds(like: Planes, dtype: np.dtype[Any]) -> bool:
    """Return whether OME-TIFF can describe planes of a type."""
    letters = set(like.axes.letters)
    return letters <= set("TZCYXS") and not {"C", "S"} <= letters and dtype.name in _TYPES


def ome_metadata(like: Planes) -> dict[str, Any]:
    """Return the calibration of planes as metadata of ``tifffile.TiffWriter.write``; the same for the same planes."""
    found = dict(_sizes(like.calibration))
    if like.calibration.channels and like.axes.has_channels:
        found["Channel"] = {"Name": list(like.calibration.channels)}
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{like.axes.letters} {like.shape} {found}")
    return {"axes": like.axes.outer + like.axes.inner, "UUID": str(identity), **found}


def _sizes(calibration: Calibration) -> Iterator[tuple[str, Any]]:
    for letter, step in calibration.steps.items():
        name = "TimeIncrement" if letter == "T" else f"PhysicalSize{letter}"
        if letter in f"T{_LENGTHS}":
            yield name, step
            default = "s" if letter == "T" else NO_UNIT
            yield f"{name}Unit", unit_symbol(calibration.units[letter]) if letter in calibration.units else default
