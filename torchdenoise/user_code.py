"""The user's own modules: importing those that the user names, and finding the line where their code failed."""

import contextlib
import importlib
import os
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from torchdenoise.errors import UserError, did_you_mean

IMPORT = "TORCHDENOISE_IMPORT"
"""The environment variable that lists modules to import, separated by commas."""
TRACEBACK = "TORCHDENOISE_TRACEBACK"
"""The environment variable that shows the traceback of an error in the user's code."""

_PACKAGE = Path(__file__).parent
_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def split_imports(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the modules that the environment and ``--import`` name, and the words without that option.

    Raises:
        UserError: ``--import`` without a name.

    Example:
        >>> split_imports(["--import", "mine,other", "list", "losses"])
        (['mine', 'other'], ['list', 'losses'])
    """
    names, rest = os.environ.get(IMPORT, "").split(","), []
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
    """Import the user's modules, and list them in the environment of child processes while the block runs.

    Raises:
        UserError: a module that does not exist, or that raises.
    """
    before = os.environ.get(IMPORT)
    for name in names:
        _import(name)
    try:
        os.environ[IMPORT] = ",".join(names)
        yield
    finally:
        if before is None:
            del os.environ[IMPORT]
        else:
            os.environ[IMPORT] = before


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # a user's module can raise anything
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            hint = did_you_mean(name, [path.stem for path in Path.cwd().glob("*.py")])
            raise UserError(f"--import {name}: no such module in {Path.cwd()} or installed{hint}") from None
        raise UserError(f"--import {name}: {describe_error(error)}") from None


def describe_error(error: BaseException) -> str:
    """Return an error in one line: file, line and function of the user's code, type and message."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}: {type(error).__name__}: {error.msg}"
    places = [place for place in _places(error) if place is not None]
    return ": ".join([*places[-1:], " ".join(f"{type(error).__name__}: {error}".split())])


def find_error(error: BaseException) -> BaseException | None:
    """Return the error that the user's code raised, ``error`` itself or one of its causes; None for a bug of ours.

    Code of Python and of installed packages counts as the code that called it, and so does ``registry``, which passes
    the arguments of constructors on.
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
    for frame, line in traceback.walk_tb(error.__traceback__):
        path, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if _is_in(path, [_PACKAGE]):
            if Path(path).name not in ("registry.py", "user_code.py"):
                yield None
        elif not path.startswith("<") and not _is_in(path, _LIBRARIES):
            yield f"{_shown(path)}:{line}" + ("" if name == "<module>" else f", in {name}")


def _is_in(path: str, folders: Sequence[Path]) -> bool:
    return any(Path(path).is_shown_to(folder) for folder in folders)


def _shown(path: str) -> str:
    return os.path.relpath(path) if _is_in(path, [Path.cwd()]) else path
