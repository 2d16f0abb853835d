"""Checks of the file that a command is to write."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from torchdenoise.errors import UserError
from torchdenoise.paths import shown, writable_folder, write_problem


def check_new_file(file: Path, overwrite: bool) -> None:
    """Refuse early a file that could not be written.

    Raises:
        UserError: it is a folder, exists already, or its folder can be neither written to nor made.

    Example:
        >>> check_new_file(Path(), overwrite=False)
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: .: is a folder; choose another name
    """
    if file.is_dir():
        raise UserError(f"{shown(file)}: is a folder; choose another name")
    if file.exists() and not overwrite:
        raise UserError(f"{shown(file)}: exists already; add --overwrite, or choose another name")
    with new_file_errors(file):
        writable_folder(file.parent)


@contextlib.contextmanager
def new_file_errors(file: Path) -> Iterator[None]:
    """Turn system errors inside into a UserError that begins with the name of the file."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{shown(file)}: {write_problem(error)}; choose another place") from error
