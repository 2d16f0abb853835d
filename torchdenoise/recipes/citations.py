"""The papers that a recipe is made of, as BibTeX. Nothing here needs torch."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from torchdenoise.registry import PACKAGE

_ENTRY = re.compile(
    r"^% (?:classes: (?P<classes>[^\n]+)|this package)\n(?P<text>@\w+\{(?P<key>\w+),\n.*?^\}\n)", re.M | re.S
)
_OTHERS = (PACKAGE, "torch", "lightning")
"""The packages whose classes are named in the file of references, or come from no paper."""


@dataclass(frozen=True)
class Reference:
    """An entry of the file of references, and the names of the classes that it is about."""

    key: str
    text: str
    classes: frozenset[str]


@cache
def references() -> tuple[Reference, ...]:
    """Return all references; the last one is this package, which is about no class.

    Example:
        >>> references()[0].key, "SmallCNN" in references()[0].classes
        ('mansour2023zeroshot', True)
    """
    file = files(PACKAGE).joinpath("references.bib").read_text(encoding="utf-8")
    return tuple(
        Reference(found["key"], found["text"], frozenset((found["classes"] or "").split(", ")) - {""})
        for found in _ENTRY.finditer(file)
    )


def named_classes(recipe: Mapping[str, Any]) -> list[str]:
    """Return the names in the model of a recipe that references are about, in the recipe's order.

    Example:
        >>> named_classes({"model": {"class_path": "torchdenoise.ZSN2N", "init_args": {"network": "N2NUNet"}}})
        ['ZSN2N', 'N2NUNet']
    """
    known = frozenset().union(*(reference.classes for reference in references()))
    names = (text.rpartition(".")[2] for _, text in _texts("model", recipe["model"]))
    return [name for name in dict.fromkeys(names) if name in known]


def foreign_classes(recipe: Mapping[str, Any]) -> list[str]:
    """Return the import paths in the model of a recipe that lead outside of this package: nothing is known of them.

    Example:
        >>> foreign_classes({"model": {"class_path": "ZSN2N", "init_args": {"loss": {"class_path": "mine.Loss"}}}})
        ['mine.Loss']
    """
    paths = dict.fromkeys(text for key, text in _texts("model", recipe["model"]) if key in ("model", "class_path"))
    return [path for path in paths if "." in path and path.partition(".")[0] not in _OTHERS]


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of all texts in a recipe: classes may be named by path or by name, as mappings or as texts."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts(name, each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(key, each)
