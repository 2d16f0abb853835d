"""Deprecated names: they work for one more minor version, with a warning that gives the new name."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(module: str, names: Mapping[str, str], namespace: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that resolves old names with a ``DeprecationWarning``.

    Args:
        module: the module's ``__name__``.
        names: old name -> new name.
        namespace: the module's ``globals()``.

    Example:
        >>> import warnings
        >>> old = renamed("shapes", {"Circle": "Disc"}, {"Disc": "a disc"})
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     old("Circle")
        'a disc'
        >>> str(caught[0].message)
        'shapes.Circle is now shapes.Disc; the old name will be removed in the next minor version'
    """

    def attribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        message = (
            f"{module}.{name} is now {module}.{names[name]}; the old name will be removed in the next minor version"
        )
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return namespace[names[name]]

    return attribute
