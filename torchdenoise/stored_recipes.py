"""Stored recipes: plain descriptions of objects, and the objects they describe; nothing is imported for a file."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from torchdenoise.errors import CheckpointError, did_you_mean
from torchdenoise.registry import PACKAGE, Recipe, Registered, class_path, resolve, subclasses
from torchdenoise.user_code import plugin_entries
from torchdenoise.user_modules import reading_recipe


def with_public_paths(recipe: Any) -> Any:
    """Return a recipe in which every class that is imported here has its present public path.

    Example:
        >>> with_public_paths({"class_path": "torchdenoise.denoisers.zsn2n.ZSN2N", "init_args": {}})["class_path"]
        'torchdenoise.denoisers.ZSN2N'
    """
    match recipe:
        case {"class_path": str(path)}:
            cls = resolve(path)
            rest = {key: with_public_paths(value) for key, value in recipe.items() if key != "class_path"}
            return {"class_path": path if cls is None else class_path(cls), **rest}
        case Mapping():
            return {key: with_public_paths(value) for key, value in recipe.items()}
        case list():
            return [with_public_paths(item) for item in recipe]
    return recipe


def build(recipe: Mapping[str, Any]) -> Any:
    """Return the object that a stored recipe describes; only classes that are already imported are used.

    Raises:
        CheckpointError: it names all classes of the recipe that are not imported.
    """
    require_known(class_paths(recipe))
    with reading_recipe():
        return _built(recipe)


def require_known(paths: Iterable[str], prefix: str = "") -> None:
    """Check that every class of a checkpoint is imported; ``prefix`` starts the message of the error.

    Raises:
        CheckpointError: it names all that are not, and the option that imports them.

    Example:
        >>> require_known(["torchdenoise.ZSN2N", "mine.Gram", "mine.HuberLoss"])
        Traceback (most recent call last):
        ...
        torchdenoise.errors.CheckpointError: fitted with mine.Gram and mine.HuberLoss, which are not known here; ...
    """
    unknown = sorted({path for path in paths if resolve(path) is None})
    if not unknown:
        return
    *others, last = unknown
    names = f"{', '.join(others)} and {last}, which are" if others else f"{last}, which is"
    hint = "" if others else did_you_mean(last, map(class_path, subclasses(Registered)))
    options = import_options(path for path in unknown if _module(path) not in sys.modules)
    remedy = "the module is imported, but has no such class"
    if options:
        remedy = f"if you trust {'them' if others else 'it'}, add {options} (in Python: import the module first)"
    raise CheckpointError(f"{prefix}fitted with {names} not known here{hint}; {remedy}")


def import_options(paths: Iterable[str]) -> str:
    """Return the command-line options that import the modules of classes.

    Example:
        >>> import_options(["mine.Gram", "mine.HuberLoss", "other.Net"])
        '--import mine --import other'
    """
    modules = dict.fromkeys(_module(path) for path in paths)
    return " ".join(f"--import {name}" for name in modules if all(part.isidentifier() for part in name.split(".")))


def user_classes(recipe: Recipe) -> list[str]:
    """Return the paths of a recipe's classes that the user must import: not of this package, nor of a plugin."""
    packages = {PACKAGE, "__main__", *(_package(entry.value) for entry in plugin_entries())}
    return [path for path in class_paths(recipe) if _package(path) not in packages]


def class_paths(recipe: Any) -> Iterator[str]:
    """Yield the path of each class in a stored recipe."""
    match recipe:
        case {"class_path": str(path), "init_args": Mapping()}:
            yield path
            yield from class_paths(recipe["init_args"])
        case Mapping():
            for value in recipe.values():
                yield from class_paths(value)
        case list():
            for value in recipe:
                yield from class_paths(value)


def unknown_classes(recipe: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield (option, name) of everything in a stored recipe that a parser would import and that is not imported yet.

    These are classes, and text in the place of an object; ``recipe`` never writes such text.

    Example:
        >>> list(unknown_classes({"class_path": "ZSN2N", "init_args": {"loss": "mine.Loss"}}, "--model"))
        [('--model.loss', 'mine.Loss')]
    """
    cls = resolve(str(recipe["class_path"]))
    if cls is None:
        yield place, str(recipe["class_path"])
    for name in recipe.keys() - {"class_path", "init_args"}:
        yield f"{place}.{name}", name
    for name, value in recipe.get("init_args", {}).items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and "class_path" in item:
                yield from unknown_classes(item, f"{place}.{name}")
            elif isinstance(item, str) and resolve(item):
                continue
            elif name in getattr(cls, "left_out", ()) or (isinstance(item, str) and _may_be_imported(item, cls, name)):
                yield f"{place}.{name}", str(item)


def _built(value: Any) -> Any:
    match value:
        case {"class_path": str(path), "init_args": Mapping() as arguments}:
            cls = resolve(path)
            assert cls is not None
            return cls(**{name: _built(item) for name, item in arguments.items()})
        case list():
            return [_built(item) for item in value]
        case Mapping():
            return {key: _built(item) for key, item in value.items()}
    return value


def _may_be_imported(text: str, cls: type | None, name: str) -> bool:
    """Return whether a parser could read a text as an object, by the argument's annotation or else by the text."""
    try:
        hint = get_type_hints(cls.__init__).get(name) if cls else None  # type: ignore[misc]
    except NameError:  # an annotation that only type checkers can resolve
        hint = None
    if hint is None:
        return "{" in text or ("." in text and all(part.isidentifier() for part in text.split(".")))
    return any((isinstance(each, type) and issubclass(each, Registered)) or each is Callable for each in _leaves(hint))


def _leaves(hint: Any) -> Iterator[Any]:
    """Yield the types inside an annotation."""
    yield get_origin(hint) or hint
    for part in get_args(hint):
        if not isinstance(part, list):
            yield from _leaves(part)


def _module(path: str) -> str:
    return path.rpartition(".")[0]


def _package(path: str) -> str:
    return re.split(r"[.:]", path)[0]
