"""Noise specs: ``gaussian:25``, ``gaussian:5-50``, ``poisson:25+gaussian:5:clip``, ``gaussian:0-55|poisson:9``."""

import importlib
import inspect
import re
from typing import Any

from torchdenoise.errors import UserError, did_you_mean
from torchdenoise.noise.models import ClippedNoise, MixedNoise, NoiseModel, SummedNoise
from torchdenoise.registry import entries, find, resolve
from torchdenoise.user_modules import announce, may_import

EXAMPLES = "gaussian:25, gaussian:5-50, poisson:25, poisson:25+gaussian:5, gaussian:25:clip"


def from_spec(spec: str | NoiseModel) -> NoiseModel:
    """Return the noise model of a spec; a model is returned unchanged.

    A spec is ``name:level`` or ``name:low-high``. Parts joined by ``+`` are applied in sequence; of parts joined by
    ``|``, one is drawn for each image; a final ``:clip`` clips the whole. The name is a short name or the import path
    of your own class. ``measured:profile.json`` is the noise of a profile; the file's path may hold colons, but no
    ``+``, ``|`` or ``:clip``.

    Raises:
        UserError: an unknown name, or a level that the model rejects.

    Example:
        >>> from_spec("poisson:25+gaussian:5:clip").spec
        'poisson:25+gaussian:5:clip'
    """
    if isinstance(spec, NoiseModel):
        return spec
    body, clip, rest = spec.strip().partition(":clip")
    if rest:
        raise UserError(f"noise {spec!r}: ':clip' must come last; it clips the whole sum")
    choices = [_sum(text, spec) for text in body.split("|")]
    noise = choices[0] if len(choices) == 1 else MixedNoise(choices)
    return ClippedNoise(noise) if clip else noise


def _sum(text: str, spec: str) -> NoiseModel:
    parts = [_part(part, spec) for part in text.split("+")]
    return parts[0] if len(parts) == 1 else SummedNoise(parts)


def _part(text: str, spec: str) -> NoiseModel:
    name, *texts = text.strip().split(":")
    cls = _class(name, spec)
    if cls.text_argument and texts:
        return _from_text(cls, ":".join(texts))
    try:
        levels = [_level(level) for level in texts]
        inspect.signature(cls.__init__).bind(None, *levels)
    except (ValueError, TypeError):
        raise UserError(f"noise {spec!r}: cannot read {text!r}; write it like one of {EXAMPLES}") from None
    return cls(*levels)


def _from_text(cls: Any, text: str) -> NoiseModel:
    made: NoiseModel = cls(text)
    return made


def _class(name: str, spec: str) -> type[NoiseModel]:
    module, _, last = name.rpartition(".")
    is_path = bool(module) and all(part.isidentifier() for part in (last, *module.split(".")))
    if is_path and may_import(name):
        announce(name)
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"noise {spec!r}: cannot import {module} ({error})") from None
    elif is_path and name.partition(".")[0] != "torchdenoise" and resolve(name) is None:
        raise UserError(
            f"noise {spec!r}: {name} is not known here, and a recipe imports nothing: if you trust it, add "
            f"--import {module} (in Python: import its module first)"
        )
    base: Any = NoiseModel  # mypy rejects an abstract class as type[T]
    table = {short: cls for short, cls in entries(base).items() if not cls.combines}
    cls = table.get(name) or (find(base, name) if is_path else None)
    if cls is None or cls.combines:
        word = name.rstrip("0123456789.")
        level = name.removeprefix(word)
        near = word if word in table else "" if word else "gaussian"
        hint = f" (did you mean {near}:{level}?)" if near and level else did_you_mean(name, table)
        raise UserError(f"noise {spec!r}: unknown noise {name!r}{hint}; known: {', '.join(table)}")
    return cls


def _level(text: str) -> float | tuple[float, float]:
    range_of_two = re.fullmatch(r"([^-]+)-([^-]+)", re.sub(r"e-(?=\d)", "e_", text.lower()))
    if range_of_two:
        low, high = (float(end.replace("e_", "e-")) for end in range_of_two.groups())
        return low, high
    return float(text)
