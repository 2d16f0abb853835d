"""The line of the user's own code where an error comes from."""

import importlib.metadata
import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

PLUGINS = "torchdenoise.plugins"
"""The entry-point group of modules that are imported for the classes they define."""
IMPORT = "TORCHDENOISE_IMPORT"
"""The environment variable that lists modules to import, separated by commas."""
TRACEBACK = "TORCHDENOISE_TRACEBACK"
"""The environment variable that shows the traceback of an error in the user's code."""

_PACKAGE = Path(__file__).parent
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
"""Where packages are installed, also those of another environment that this one sees."""
_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def describe_error(error: BaseException) -> str:
    """Return an error in one line: file, line and function of the user's code, type and message."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}: {type(error).__name__}: {error.msg}"
    places = [place for place in _places(error) if place is not None]
    message = "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    return ": ".join([*places[-1:], " ".join(message.split())])


def find_error(error: BaseException) -> BaseException | None:
    """Return the error that the user's code raised, ``error`` itself or one of its causes; None for a bug of ours.

    Code of Python and of installed packages counts as the code that called it, except plugins and packages that the
    user names, which count as the user's; so does ``registry``, which passes the arguments of constructors on.
    """
    cause: BaseException | None = error
    while cause is not None:
        places = list(_places(cause))
        if places and places[-1] is not None:
            return cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _places(error: BaseException) -> Iterator[str | None]:
    """Yield the place of each frame of the user's code, and None for one of ours, the deepest last."""
    plugins = {name.partition(".")[0] for name in (*(entry.module for entry in plugin_entries()), *imported_names())}
    for frame, line in traceback.walk_tb(error.__traceback__):
        path, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if _is_in(path, [_PACKAGE]):
            if Path(path).name not in ("registry.py", "user_modules.py"):
                yield None
        elif frame.f_globals.get("__name__", "").partition(".")[0] in plugins or not is_library(path):
            yield f"{_shown(path)}:{line}" + ("" if name == "<module>" else f", in {name}")


def imported_names() -> list[str]:
    """Return the modules that ``IMPORT`` lists: in a command, those of ``--import`` and of typed import paths, too."""
    return [name.strip() for name in os.environ.get(IMPORT, "").split(",") if name.strip()]


def plugin_entries() -> Iterable[importlib.metadata.EntryPoint]:
    """Return the entry points of installed plugins."""
    return importlib.metadata.entry_points(group=PLUGINS)


def is_library(path: str) -> bool:
    """Return whether a file of code belongs to Python or to an installed package.

    Example:
        >>> is_library(os.__file__), is_library("mine.py")
        (True, False)
    """
    return path.startswith("<") or not _LIBRARY_FOLDERS.isdisjoint(Path(path).parts) or _is_in(path, _LIBRARIES)


def _is_in(path: str, folders: Sequence[Path]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _shown(path: str) -> str:
    return os.path.relpath(path) if _is_in(path, [Path.cwd()]) else path
