"""Digests of files, and the state of the code that a recipe names."""

import hashlib
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from torchdenoise.paths import read_errors
from torchdenoise.registry import all_classes
from torchdenoise.user_code import is_library
from torchdenoise.user_modules import search_folders


def digest(path: Path) -> str:
    """Return a digest of a file's content.

    Raises:
        UserError: it cannot be read.
    """
    with read_errors(path):
        status = path.stat()
        return _digest(path, status.st_mtime_ns, status.st_size)


@cache
def _digest(path: Path, modified: int, size: int) -> str:  # noqa: ARG001  # a changed file is read again
    return hashlib.sha256(path.read_bytes()).hexdigest()


def state_of_code(description: Any) -> tuple[str, ...]:
    """Return what changes with the code that a plain description names.

    Digests of the user's files, and the states of registered classes: revisions above 1, digests of shipped weights.

    Args:
        description: nested mappings, lists and strings: import paths, ``module.name``, and names of registered classes.

    Example:
        >>> state_of_code({"class_path": "torchdenoise.denoisers.ZSN2NLoss", "init_args": {"size": 2}})
        ()
    """
    names = set(_strings(description))
    last_parts = {name.rpartition(".")[2] for name in names}
    registered = list(all_classes())
    modules = {name.rpartition(".")[0] for name in names}
    modules |= {cls.__module__ for cls in registered if names & {cls.__name__, cls.short_name}}
    files = {file for file in map(_own_file, modules) if file is not None}
    states = {cls.state() for cls in registered if last_parts & {cls.__name__, cls.short_name}}
    return (*sorted(digest(file) for file in files), *sorted(states - {""}))


def _strings(description: Any) -> Iterator[str]:
    if isinstance(description, str):
        yield description
    elif isinstance(description, Mapping):
        yield from _strings([*description.values()])
    elif isinstance(description, Sequence):
        for each in description:
            yield from _strings(each)


def _own_file(module: str) -> Path | None:
    """Return a module's file, unless it belongs to torchdenoise or an installed package."""
    if module.partition(".")[0] == "torchdenoise" or not all(part.isidentifier() for part in module.split(".")):
        return None
    origin = getattr(sys.modules[module], "__file__", None) if module in sys.modules else _found(module)
    file = Path(origin) if origin else None
    return None if file is None or not file.is_file() or is_library(str(file)) else file


def _found(module: str) -> str | None:
    """Return the path of a module's file without importing its parent packages, as importlib's own search does."""
    places: Any = [*sys.path, *search_folders()]
    spec = None
    for name in itertools.accumulate(module.split("."), lambda package, part: f"{package}.{part}"):
        spec = PathFinder.find_spec(name, places)
        if spec is None:
            return None
        places = spec.submodule_search_locations or []
    return spec.origin if spec and spec.has_location else None
