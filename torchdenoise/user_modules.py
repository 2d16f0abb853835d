"""The user's own modules: found in the working folder only if the user names them, and trusted only then.

The working folder is no search path: a library that tries to import a module must not get a picture's neighbor. A
finder at the end of Python's own search answers for the names that the user gave, and for what the user's own modules
import themselves. Child processes get the names and the folder through the environment.
"""

import contextlib
import importlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from typing_extensions import override

from torchdenoise.errors import UserError, did_you_mean
from torchdenoise.user_code import IMPORT, describe_error, imported_names

FOLDER = "TORCHDENOISE_IMPORT_FOLDER"
"""The environment variable that tells child processes where the modules of ``IMPORT`` lie."""
SAFE_PATH = "PYTHONSAFEPATH"
"""Python's own variable: without it, child processes would begin to search in the working folder."""

_PATH = re.compile(r"(?<![\w./\\-])[^\W\d]\w*(?:\.[^\W\d]\w*)+(?![\w./\\-])")
_FILE_OPTIONS = ("--config", "-c", "--ckpt_path", "--output", "-o", "--data.path")


class _WorkingFolder(MetaPathFinder):
    """Finds modules of the folder in ``FOLDER``, if the user names them or the user's own code imports them."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        """Top-level names of the modules that come from there."""

    @override
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where a top-level module lies; Python's own search finds what is inside packages."""
        folder = os.environ.get(FOLDER)
        if path is not None or not folder or not (name in map(_top, imported_names()) or self._asked_by_user()):
            return None
        spec = PathFinder.find_spec(name, [folder])
        if spec is not None:
            self._found.add(name)
        return spec

    def _asked_by_user(self) -> bool:
        """Return whether the code that imports came from the folder, too."""
        frame = sys._getframe(2)
        while frame.f_back is not None and _top(frame.f_globals.get("__name__", "")) == "importlib":
            frame = frame.f_back
        return _top(frame.f_globals.get("__name__", "")) in self._found


_finder = _WorkingFolder()


def install() -> None:
    """Let Python find the user's modules, after everything that is installed."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def split_imports(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the modules that the environment and ``--import`` name, and the words without that option.

    Raises:
        UserError: ``--import`` without a name.

    Example:
        >>> split_imports(["--import", "mine,other", "list", "losses"])
        (['mine', 'other'], ['list', 'losses'])
    """
    names, rest = imported_names(), []
    remaining = iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option != "--import":
            rest.append(word)
            continue
        value = value if equals else next(remaining, "")
        if not value or value.startswith("-"):
            raise UserError("--import: give the name of a module, e.g. --import my_loss for ./my_loss.py")
        names += value.split(",")
    return list(dict.fromkeys(name.strip() for name in names if name.strip())), rest


@contextlib.contextmanager
def imported(names: Sequence[str]) -> Iterator[None]:
    """Import the user's modules; while the block runs, they are trusted and child processes find them.

    Raises:
        UserError: a module that does not exist, or that raises.
    """
    before = {name: os.environ.get(name) for name in (IMPORT, FOLDER, SAFE_PATH)}
    try:
        folder = _working_folder()
        os.environ |= {IMPORT: ",".join(names), FOLDER: folder}
        if folder != str(Path(__file__).parents[1]):  # in a checkout, the program itself lies in the working folder
            os.environ[SAFE_PATH] = "1"
        install()
        for name in names:
            _import(name)
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # a user's module can raise anything
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            folder = _working_folder()
            hint = did_you_mean(name, [path.stem for path in Path(folder).glob("*.py")] if folder else [])
            raise UserError(f"--import {name}: no such module in {folder} or installed{hint}") from None
        raise UserError(f"--import {name}: {describe_error(error)}") from None


def search_folders() -> list[str]:
    """Return the folder where the user's modules are found; none outside the command line."""
    return [os.environ[FOLDER]] if os.environ.get(FOLDER) else []


# -- trust ----------------------------------------------------------------------------------------------------------

_named: ContextVar[frozenset[str] | None] = ContextVar("named", default=None)
"""While a recipe is read: the import paths that the user typed beside it."""


@contextlib.contextmanager
def reading_recipe(named: Iterable[str] = ()) -> Iterator[None]:
    """Import nothing because a text says so, except what the user names, while the block runs.

    Args:
        named: import paths that the user typed, as ``paths_in`` returns them.
    """
    token = _named.set(frozenset(named) | (_named.get() or frozenset()))
    try:
        yield
    finally:
        _named.reset(token)


def may_import(path: str) -> bool:
    """Return whether an import path may be imported: everything outside ``reading_recipe``, else what the user named.

    Example:
        >>> with reading_recipe(["mine.Loss"]):
        ...     may_import("mine.Loss"), may_import("os.system")
        (True, False)
    """
    named = _named.get()
    return named is None or path in named or is_trusted(path)


def is_trusted(path: str) -> bool:
    """Return whether an import path lies in a module that ``--import`` or ``TORCHDENOISE_IMPORT`` names."""
    return any(f"{path}.".startswith(f"{name}.") for name in imported_names())


def paths_in(words: Sequence[str]) -> set[str]:
    """Return the import paths among the values of command-line words, also inside JSON; files are none.

    Example:
        >>> sorted(paths_in(["--model.loss", "mine.Loss", '--model.network={"class_path": "mine.Net"}']))
        ['mine.Loss', 'mine.Net']
    """
    found: set[str] = set()
    for before, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        named = option if equals else before
        value = value if equals and re.fullmatch(r"-*[\w.]+\+?", option) else word
        if named not in _FILE_OPTIONS and not (word.startswith("-") and not equals) and not _is_file(value):
            found |= set(_PATH.findall(value))
    return found


def announce(path: str) -> None:
    """Let the module of an import path that the user typed be found, here and in child processes."""
    if os.environ.get(FOLDER) and _top(path) not in sys.modules and not is_trusted(path):
        os.environ[IMPORT] = ",".join([*imported_names(), path.rpartition(".")[0]])


def full_command(words: Sequence[str]) -> str:
    """Return the command line of a command's words, with the imports of this run.

    Example:
        >>> full_command(["list", "losses"])
        'torchdenoise list losses'
    """
    names = os.environ.get(IMPORT, "")
    return shlex.join(["torchdenoise", *(["--import", names] if names else []), *words])


def _working_folder() -> str:
    """Return the working folder; empty if it has been deleted."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False
