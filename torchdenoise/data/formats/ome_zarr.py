"""The metadata of OME-Zarr: axes, scale, units and channel names, read and written.

Source: https://ngff.openmicroscopy.org, versions 0.1 to 0.5.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchdenoise.data.axes import letters_of
from torchdenoise.data.calibration import Calibration
from torchdenoise.errors import PictureError

VERSION = "0.5"
"""Of new files; of results from OME-Zarr, it is that of the input."""
ORDER = "TCZYX"
"""Of the axes, as OME-Zarr demands it, and as its first versions always had it."""
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_NOT_KEPT = ("labels", "image-label", "plate", "well", "bioformats2raw.layout", "series")


@dataclass(frozen=True)
class Multiscale:
    """What the attributes of a group say about its picture.

    Args:
        letters: of the axes.
        path: of the array at full resolution, within the group.
        calibration: of this array.
        levels: paths of all arrays.
    """

    letters: str
    path: str
    calibration: Calibration
    levels: Sequence[str]


def described(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a group's attributes that is OME's; since version 0.5 it has a key of its own."""
    found: Mapping[str, Any] = attributes.get("ome", attributes)
    return found


def read_multiscale(attributes: Mapping[str, Any]) -> Multiscale | None:
    """Return what the attributes of a group say; None if they say nothing of a picture.

    Args:
        attributes: of a Zarr group.

    Raises:
        PictureError: there are several pictures.

    Example:
        >>> axes = [{"name": "y", "unit": "micrometer"}, {"name": "x", "unit": "micrometer"}]
        >>> datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.5]}]}]
        >>> read_multiscale({"multiscales": [{"axes": axes, "datasets": datasets}]}).calibration.steps
        {'Y': 0.5, 'X': 0.5}
    """
    ours = described(attributes)
    scales = ours.get("multiscales")
    if not scales:
        return None
    if len(scales) > 1:
        raise PictureError(f"holds {len(scales)} multiscales; split it into pictures of their own first")
    (scale,) = scales
    axes = [{"name": each} if isinstance(each, str) else each for each in scale.get("axes", ORDER.lower())]
    letters = letters_of([str(axis["name"]) for axis in axes])
    datasets = scale["datasets"]
    steps = [math.prod(each) for each in zip(_scale(scale, axes), _scale(datasets[0], axes), strict=True)]
    units = {letter: str(axis["unit"]) for letter, axis in zip(letters, axes, strict=True) if axis.get("unit")}
    known = {
        letter: step
        for letter, step in zip(letters, steps, strict=True)
        if letter in units or (step != 1 and letter != "C")
    }
    channels = [str(each.get("label", "")) for each in ours.get("omero", {}).get("channels", ())]
    calibration = Calibration(known, units, tuple(channels) if any(channels) else ())
    return Multiscale(letters, str(datasets[0]["path"]), calibration, [str(each["path"]) for each in datasets])


def _scale(holder: Mapping[str, Any], axes: Sequence[Any]) -> list[float]:
    """Return the scale factors of a list of transformations, 1 by default."""
    for each in holder.get("coordinateTransformations") or ():
        if each.get("type") == "scale" and "scale" in each:
            return [float(factor) for factor in each["scale"]]
    return [1.0] * len(axes)


def one_level(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a result: those of the input, with the array at full resolution only."""
    result = copy.deepcopy(dict(attributes))
    ours = result.get("ome", result)
    ours["multiscales"][0]["datasets"] = ours["multiscales"][0]["datasets"][:1]
    for name in _NOT_KEPT:
        ours.pop(name, None)
    return result


def ome_order(letters: str) -> str | None:
    """Return axes in the order that OME-Zarr demands: time, channel or another one, space; None if they do not fit.

    Samples S become channels.

    Example:
        >>> ome_order("TZCYX"), ome_order("YXS"), ome_order("QTCYX")
        ('TCZYX', 'SYX', None)
    """
    others = [letter for letter in letters if letter not in "TZYX"]
    if len(others) > 1:
        return None
    return "".join(letter for letter in ("T", *others, "Z", "Y", "X") if letter in letters)


def new_attributes(letters: str, calibration: Calibration, dtype: np.dtype[Any], path: str) -> dict[str, Any]:
    """Return the attributes of a group with one array.

    Args:
        letters: of the axes, as ``ome_order`` returns them.
        calibration: of the axes.
        dtype: of the pixels.
        path: of the array.
    """
    axes, scale = [], []
    for letter in letters:
        axis = {"name": axis_name(letter), "type": _TYPES.get("C" if letter == "S" else letter, "")}
        unit = calibration.units.get(letter)
        axes.append({key: value for key, value in {**axis, "unit": unit}.items() if value})
        scale.append(calibration.steps.get(letter, 1.0))
    dataset = {"path": path, "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ours: dict[str, Any] = {"version": VERSION, "multiscales": [{"axes": axes, "datasets": [dataset]}]}
    if calibration.channels:
        ours["omero"] = {"channels": [_channel(name, dtype) for name in calibration.channels]}
    return {"ome": ours}


def axis_name(letter: str) -> str:
    """Return the name of an axis; samples are channels.

    Example:
        >>> axis_name("S")
        'c'
    """
    return "c" if letter == "S" else letter.lower()


def _channel(name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    low, high = (0, 1) if dtype.kind == "f" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    window = {"min": low, "max": high, "start": low, "end": high}
    return {"label": name, "color": "FFFFFF", "active": True, "window": window}
