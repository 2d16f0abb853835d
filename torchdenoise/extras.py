"""Packages that are not installed unasked, imported where they are used."""

import importlib
from typing import Any

from torchdenoise.errors import UserError


def optional_module(module: str, remedy: str) -> Any:
    """Return an optional module.

    Args:
        module: its import path.
        remedy: what to tell a user who does not have it.

    Raises:
        UserError: it is not installed; the message is ``remedy``.

    Example:
        >>> optional_module("json", "Python comes with it").loads("[1]")
        [1]
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(remedy) from None
