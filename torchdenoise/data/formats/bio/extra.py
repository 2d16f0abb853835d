"""Packages of the extra bio."""

from typing import Any

from torchdenoise.extras import optional_module


def bio_module(module: str, name: str) -> Any:
    """Import and return a package of the extra bio.

    Args:
        module: its import path.
        name: of the format that needs it.

    Raises:
        UserError: it is not installed.

    Example:
        >>> bio_module("json", "JSON").loads("[1]")
        [1]
    """
    return optional_module(module, f"{name} needs an extra: pip install 'torchdenoise[bio]'")
