"""A part of the model that is replaced on the command line starts from its own default arguments."""

import contextlib
import json
import pkgutil
from collections.abc import Sequence
from typing import Any

import torch

from torchdenoise.errors import RecipeError
from torchdenoise.registry import all_classes, class_path, constructor_parameters, resolve
from torchdenoise.user_code import describe_error, find_error
from torchdenoise.user_modules import announce, paths_in


def with_class_defaults(words: Sequence[str]) -> list[str]:
    """Return command-line words in which each class of a part of the model carries its default arguments.

    jsonargparse keeps the arguments of the class that is replaced if the new class has arguments of the same name.
    Another network in place of a recipe's U-Net of width 48 would also get width 48, and Adam would get Muon's
    learning rate. Short and former names of classes become import paths, which jsonargparse knows.

    Example:
        >>> [word, *others] = with_class_defaults(["--model.network=SmallCNN", "--model.network.depth", "4"])
        >>> json.loads(word.partition("=")[2])["init_args"]["width"], others
        (48, ['--model.network.depth', '4'])
    """
    result: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        if equals and _takes_class(option):
            result.append(f"{option}={_filled(option, value)}")
        elif _takes_class(before):
            result.append(_filled(before, word))
        else:
            result.append(word)
    return result


def _takes_class(option: str) -> bool:
    return "=" not in option and (option in ("--model", "--data") or option.startswith("--model."))


def _filled(option: str, value: str) -> str:
    """Return a class, given by name or in JSON, with all its default arguments; any other value unchanged."""
    try:
        given = json.loads(value)
    except ValueError:
        given = {"class_path": value}
    cls = _class_of(given) if isinstance(given, dict) else None
    if cls is None:
        return value
    if "." not in option:  # the whole model, or the data: the recipe's arguments are meant to stay
        return _path(value, cls) if given == {"class_path": value} else value
    # jsonargparse reads null as the text "None" in a part of a part.
    return json.dumps(_with_defaults(given, keep_none=option.count(".") < 2))


def _with_defaults(given: dict[str, Any], keep_none: bool) -> dict[str, Any]:
    """Return a class with its default arguments; those that are None only with ``keep_none``."""
    cls = _class_of(given)
    if cls is None:
        return given
    arguments = {
        name: _with_defaults(value, keep_none) if isinstance(value, dict) else value
        for name, value in given.get("init_args", {}).items()
    }
    defaults = {name: value for name, value in _defaults(cls).items() if keep_none or value is not None}
    return {**given, "class_path": _path(given["class_path"], cls), "init_args": {**defaults, **arguments}}


def _path(name: str, cls: type) -> str:
    return name if "." in name or name == cls.__name__ else class_path(cls)


def _defaults(cls: type) -> dict[str, Any]:
    """Return the default arguments that JSON can hold."""
    found = {}
    for parameter in constructor_parameters(cls):
        with contextlib.suppress(TypeError, ValueError):
            json.dumps(parameter.default, allow_nan=False)
            found[parameter.name] = parameter.default
    return found


def _class_of(given: dict[str, Any]) -> type | None:
    """Return the class that ``class_path`` names; None if it names none, which the parser will report.

    Raises:
        RecipeError: its module fails when it is imported.
    """
    path = given.get("class_path")
    if not isinstance(path, str):
        return None
    named: list[type] = [cls for cls in all_classes() if cls.__name__ == path]
    named += [getattr(module, path) for module in (torch.optim, torch.optim.lr_scheduler) if hasattr(module, path)]
    known = None if named else resolve(path)
    if known is not None and known.kind != "noise":  # a noise's short name is a spec, which its argument reads
        named.append(known)
    elif not named and path in paths_in([path]):
        announce(path)
        try:
            named.append(pkgutil.resolve_name(path))
        except Exception as error:  # a user's module can raise anything
            if find_error(error) is None and not isinstance(error, SyntaxError):
                return None  # no such module or class
            raise RecipeError(f"{path}: {describe_error(error)}") from None
    return named[0] if named and isinstance(named[0], type) else None
