"""Noise profiles as JSON, which people can read and edit.

The file holds the fields of ``NoiseProfile`` by name, in units of the white level, without the maps that belong to one
picture: where its outliers are, where it shows noise, how the level varies over it. A new field needs no change here if
it is a number, text, a tensor, a tuple of texts, or a named tuple of these.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from torchdenoise.bounded import MAX_JSON, load_json, read_text
from torchdenoise.errors import UserError
from torchdenoise.noise.covariance import MAX_RADIUS
from torchdenoise.noise.profile import NoiseProfile, ValueRange
from torchdenoise.partial_files import completed
from torchdenoise.paths import read_errors, write_errors

FORMAT = 1
SIDES = range(1, 2 * MAX_RADIUS + 2, 2)
"""Of a covariance."""
KIND = "noise profile"
UNITS = "white level = 1"
OF_THE_PICTURE = ("outliers", "variation", "informative")
"""Fields that are maps of one picture, which the file leaves out."""
BESIDE = "inspection"
"""A key for facts beside the profile, which ``from_json`` ignores."""
REMEDY = "give a file that `torchdenoise inspect --json FILE` wrote"


def to_json(profile: NoiseProfile) -> dict[str, Any]:
    """Return a profile as plain values; ``from_json`` builds one from them, equal but for the picture's maps.

    Example:
        >>> from torchdenoise.noise import NoiseLevelFunction
        >>> to_json(NoiseProfile(NoiseLevelFunction(0.0, 0.1)))["level"]
        {'gain': 0.0, 'sigma': 0.1, 'clipped': False, 'offset': 0.0}
    """
    head = {"format": FORMAT, "kind": KIND, "units": UNITS}
    return head | {name: _plain(getattr(profile, name)) for name in _stored()}


def from_json(content: Any) -> NoiseProfile:
    """Return the profile of plain values, as ``to_json`` returns them; fields with a default may be left out.

    Raises:
        UserError: not a profile, a newer format, an unknown field, or a value that cannot be: a negative level, arrays
            of shapes that do not fit together.

    Example:
        >>> from_json({"format": 1, "kind": "noise profile", "level": {"gain": 0.0, "sigma": 0.1}}).level.sigma
        0.1
    """
    if isinstance(content, list) and content and all(isinstance(each, Mapping) for each in content):
        raise UserError(
            "holds the noise profiles of several pictures or channels: inspect one picture, with --channels together"
        )
    if not isinstance(content, Mapping) or content.get("kind") != KIND or not isinstance(content.get("format"), int):
        raise UserError(f"not a noise profile: {REMEDY}")
    if content["format"] > FORMAT:
        raise UserError(f"a noise profile of a newer torchdenoise (format {content['format']}): upgrade torchdenoise")
    values = {key: value for key, value in content.items() if key not in ("format", "kind", "units", BESIDE)}
    types = get_type_hints(NoiseProfile)
    known = {field.name: field for field in fields(NoiseProfile) if field.name in _stored()}
    unknown = next((key for key in values if key not in known), None)
    if unknown is not None:
        raise UserError(f"a noise profile has no {unknown!r}; known: {', '.join(known)}")
    for name, field in known.items():
        if name not in values and field.default is MISSING:
            raise UserError(f"the noise profile lacks {name!r}: {REMEDY}")
    profile = NoiseProfile(**{name: _read(value, types[name], name) for name, value in values.items()})
    check_profile(profile)
    return profile


def check_profile(profile: NoiseProfile) -> None:
    """Raise UserError unless the values of a profile are possible and fit together.

    Example:
        >>> from torchdenoise.noise import NoiseLevelFunction
        >>> check_profile(NoiseProfile(NoiseLevelFunction(0.0, -0.1)))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: the noise profile's level.sigma is -0.1: it must be at least 0 and finite
    """
    for field in fields(NoiseProfile):
        _check_numbers(getattr(profile, field.name), field.name)
    curve, covariance = profile.curve, profile.covariance
    if (curve is None) != (covariance is None):
        raise UserError("a noise profile has both curve and covariance, or neither if the noise is white")
    if curve is None or covariance is None:
        return
    shape = tuple(covariance.shape)
    if len(shape) != 4 or shape[0] != shape[1] or shape[2] != shape[3] or shape[3] not in SIDES:
        raise UserError(
            f"the noise profile's covariance is {shape}: it must be (C, C, S, S), S odd and at most {SIDES[-1]}"
        )
    nodes, levels = curve
    if nodes.ndim != 2 or nodes.shape != levels.shape or len(nodes) != shape[0] or not nodes.numel():
        raise UserError(f"the noise profile's curve must be brightness and deviation, each ({shape[0]}, K)")
    if (nodes.diff() < 0).any():
        raise UserError("the noise profile's curve.brightness must ascend in each channel")
    if levels.min() < 0:
        raise UserError(f"the noise profile's curve.deviation is {levels.min():.4g}: it must be at least 0 and finite")
    middle = covariance.diagonal()[shape[2] // 2, shape[2] // 2]
    if not torch.allclose(middle, torch.ones_like(middle), atol=0.02):
        raise UserError("the noise profile's covariance must be of noise with standard deviation 1 in each channel")


def save_profile(path: str | Path, profile: NoiseProfile) -> None:
    """Write a profile as JSON.

    Raises:
        PictureError: the file cannot be written.
    """
    write_json(path, to_json(profile))


def write_json(path: str | Path, content: Any) -> None:
    """Write plain values as JSON, arrays of numbers in one line each.

    Raises:
        PictureError: the file cannot be written.
    """
    with write_errors(Path(path)), completed(Path(path)) as partial:
        partial.write_text(as_text(content) + "\n", encoding="utf-8")


def load_profile(path: str | Path) -> NoiseProfile:
    """Return the profile in a file.

    Raises:
        UserError: no such file, or as ``from_json``; the message begins with the path.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.noise import NoiseLevelFunction
        >>> save_profile(path := Path(mkdtemp(), "profile.json"), NoiseProfile(NoiseLevelFunction(0.01, 0.1)))
        >>> load_profile(path).level.gain
        0.01
    """
    with read_errors(Path(path)):
        return from_json(_content(Path(path)))


def load_profiles(path: str | Path) -> list[NoiseProfile]:
    """Return the profiles of the channels of a stack, in their order; of another file, the only profile.

    Raises:
        UserError: as ``load_profile``, or profiles of several pictures.
    """
    with read_errors(Path(path)):
        content = _content(Path(path))
        return [from_json(each) for each in content] if _of_channels(content) else [from_json(content)]


def _content(path: Path) -> Any:
    try:
        return load_json(read_text(path, MAX_JSON))
    except UserError:
        raise UserError(f"not a noise profile: {REMEDY}") from None


def _of_channels(content: Any) -> bool:
    """Return whether plain values are profiles of different channels, as ``inspect`` writes them for one stack."""
    if not isinstance(content, list) or not all(isinstance(each, Mapping) for each in content):
        return False
    beside = [each.get(BESIDE) for each in content]
    names = [str(each.get("channel", "")) for each in beside if isinstance(each, Mapping)]
    return bool(content) and all(names) and len(set(names)) == len(content)


def as_text(content: Any, indent: str = "") -> str:
    """Return plain values as JSON text for people: a line for each key, and lists without line breaks.

    Example:
        >>> print(as_text({"a": 1, "b": {"c": [[1, 2], [3, 4]]}}))
        {
          "a": 1,
          "b": {
            "c": [[1, 2], [3, 4]]
          }
        }
    """
    inner = f"{indent}  "
    if isinstance(content, Mapping) and content:
        lines = [f"{inner}{json.dumps(str(key))}: {as_text(value, inner)}" for key, value in content.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(content, (list, tuple)) and any(isinstance(each, Mapping) for each in content):
        return "[\n" + ",\n".join(f"{inner}{as_text(each, inner)}" for each in content) + f"\n{indent}]"
    return json.dumps(content, ensure_ascii=False)


def _stored() -> list[str]:
    """Return the names of the fields in a file."""
    return [field.name for field in fields(NoiseProfile) if field.name not in OF_THE_PICTURE]


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _shortened(value.detach().cpu().tolist())
    if hasattr(value, "_asdict"):  # a named tuple
        return {name: _plain(each) for name, each in value._asdict().items()}
    return list(value) if isinstance(value, tuple) else value


def _shortened(numbers: Any) -> Any:
    """Return nested lists whose numbers have as many digits as float32 needs."""
    return [_shortened(each) for each in numbers] if isinstance(numbers, list) else float(f"{numbers:.9g}")


def _read(value: Any, kind: Any, name: str) -> Any:
    """Return a plain value as a value of a type of ``NoiseProfile``'s fields."""
    if get_origin(kind) in (Union, UnionType):
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if hasattr(kind, "_fields") and isinstance(value, Mapping):  # a named tuple
        inner = get_type_hints(kind)
        lacking = [each for each in kind._fields if each not in value and each not in kind._field_defaults]
        if not lacking and all(each in inner for each in value):
            return kind(**{each: _read(one, inner[each], f"{name}.{each}") for each, one in value.items()})
    elif kind is Tensor and isinstance(value, list):
        try:
            return torch.tensor(value, dtype=torch.float32)
        except (ValueError, TypeError, RuntimeError):
            pass
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif get_origin(kind) is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    elif kind in (str, bool) and isinstance(value, kind):
        return value
    raise UserError(f"the noise profile's {name} cannot be read: {REMEDY}")


def _check_numbers(value: Any, name: str) -> None:
    """Refuse numbers that are not finite, and negative ones outside tensors."""
    if isinstance(value, ValueRange):
        if not -math.inf < value.black < value.white < math.inf:
            raise UserError(
                f"the noise profile's {name} are black {value.black:g}, white {value.white:g}: they must be finite, "
                "and white above black"
            )
        return
    if hasattr(value, "_asdict"):
        for inner, each in value._asdict().items():
            _check_numbers(each, f"{name}.{inner}")
    elif isinstance(value, Tensor) and not torch.isfinite(value).all():
        raise UserError(f"the noise profile's {name} holds numbers that are not finite")
    elif isinstance(value, float) and not (value >= 0 and math.isfinite(value)):
        raise UserError(f"the noise profile's {name} is {value:g}: it must be at least 0 and finite")
