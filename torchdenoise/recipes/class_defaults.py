"""A part of the model that is named anew starts from its own defaults."""

import contextlib
import inspect
import json
import pkgutil
from collections.abc import Sequence
from typing import Any

import torch

from torchdenoise.registry import all_classes


def with_class_defaults(words: Sequence[str]) -> list[str]:
    """Return command-line words in which every class for a part of the model has its default arguments with it.

    jsonargparse keeps what the class before was given, where the new one takes an argument of that name: after a
    recipe's U-Net that is 48 wide another network would be 48 wide as well, and Adam would learn at Muon's rate.

    Example:
        >>> [word, *others] = with_class_defaults(["--model.network=SmallCNN", "--model.network.depth", "4"])
        >>> json.loads(word.partition("=")[2])["init_args"]["width"], others
        (48, ['--model.network.depth', '4'])
    """
    result: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        if equals and option.startswith("--model."):
            result.append(f"{option}={_filled(option, value)}")
        elif before.startswith("--model.") and "=" not in before:
            result.append(_filled(before, word))
        else:
            result.append(word)
    return result


def _filled(option: str, value: str) -> str:
    """Return a class, given by name or in JSON, with all arguments that have a default; anything else as it is."""
    try:
        given = json.loads(value)
    except ValueError:
        given = {"class_path": value}
    if not isinstance(given, dict) or _class_of(given) is None:
        return value
    # Of a part of a part, jsonargparse takes null for the text "None".
    return json.dumps(_with_defaults(given, nothing=option.count(".") < 2))


def _with_defaults(given: dict[str, Any], nothing: bool) -> dict[str, Any]:
    """Return a class with its default arguments, those too that are ``nothing`` where that can be said."""
    cls = _class_of(given)
    if cls is None:
        return given
    arguments = {
        name: _with_defaults(value, nothing) if isinstance(value, dict) else value
        for name, value in given.get("init_args", {}).items()
    }
    defaults = {name: value for name, value in _defaults(cls).items() if nothing or value is not None}
    return {**given, "init_args": {**defaults, **arguments}}


def _defaults(cls: type) -> dict[str, Any]:
    """Return those default arguments that can be written down."""
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        with contextlib.suppress(TypeError, ValueError):
            json.dumps(parameter.default, allow_nan=False)
            found[name] = parameter.default
    return found


def _class_of(given: dict[str, Any]) -> type | None:
    """Return the class that ``class_path`` names, if it names one; what is wrong with it the parser will say."""
    path = given.get("class_path")
    if not isinstance(path, str):
        return None
    named = [cls for cls in all_classes() if cls.__name__ == path]
    named += [getattr(module, path) for module in (torch.optim, torch.optim.lr_scheduler) if hasattr(module, path)]
    if not named and "." in path:
        try:
            named = [pkgutil.resolve_name(path)]
        except Exception:  # whatever a user's module raises
            return None
    return named[0] if named and isinstance(named[0], type) else None
