"""YAML and JSON from strangers: read within bounds of size, depth and number of values, or refused in one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from torchdenoise.errors import UserError

MAX_YAML = 1 << 18
"""Bytes of a YAML text; the largest recipe has 3 thousand."""
MAX_JSON = 1 << 24
"""Bytes of a JSON text; noise profiles hold arrays."""
MAX_DEPTH = 12
"""Lists and mappings inside each other; recipes have 7. jsonargparse's time doubles with each class inside a class."""
MAX_VALUES = 2000
"""Of a YAML text, those that aliases repeat included; the largest recipe, with all options, has 230."""
MAX_LIST = 64
"""Values of a list in a recipe: jsonargparse's time grows with the square of the number of classes in a list."""
MAX_TEXT = 4096
"""Characters of a text in a recipe; that of a path."""
MAX_DIGITS = 400
"""Of a number; PyYAML's time grows with the square of their number."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(path: Path, limit: int) -> str:
    """Return the text of a file.

    Raises:
        UserError: it is larger than ``limit`` bytes, or no text in UTF-8; the message does not name the file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise UserError(f"the file is larger than {limit >> 10} KiB, so it is none that torchdenoise reads")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UserError("the file holds no text in UTF-8") from None


def load_yaml(text: str, loader: Any = _Loader) -> Any:
    """Return the plain values of a YAML text; JSON is YAML, too.

    Args:
        text: one document.
        loader: how plain words are read: PyYAML's SafeLoader or a subclass of it, or of its fast twin.

    Raises:
        UserError: not YAML, or larger, deeper or with more values than a recipe has; aliases count as what they repeat.

    Example:
        >>> load_yaml("model: {class_path: ZSN2N}")
        {'model': {'class_path': 'ZSN2N'}}
        >>> load_yaml("a: &a [1, *a]")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: an alias contains itself: write the values out
    """
    if len(text) > MAX_YAML:
        raise UserError(f"the text is larger than {MAX_YAML >> 10} KiB: a recipe is not")
    try:
        _check_events(text, loader)
        made = loader(text)
        try:
            node = made.get_single_node()
            if node is None:
                return None
            _count(node, {}, set())
            return made.construct_document(node)
        finally:
            made.dispose()
    except UserError:
        raise
    # Beside its own errors, PyYAML passes on those of int(), of dates and of values that cannot be keys.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"not a YAML file ({_short(error)})") from None


def load_json(text: str) -> Any:
    """Return the values of a JSON text.

    Raises:
        UserError: not JSON, or too large or too deep.

    Example:
        >>> load_json("[1, 2]")
        [1, 2]
    """
    if len(text) > MAX_JSON:
        raise UserError(f"the text is larger than {MAX_JSON >> 20} MiB")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not a JSON file ({_short(error)})") from None


def check_plain(content: Any) -> None:
    """Refuse values that JSON does not have, keys that are not texts, long lists and long texts.

    Raises:
        UserError: it names the first.

    Example:
        >>> check_plain({"a": [{1: 2}]})
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: the key 1 is no text: put it in quotes
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not isinstance(key, str):
                raise UserError(f"the key {_short(key)} is no text: put it in quotes")
            check_plain(value)
    elif isinstance(content, list):
        if len(content) > MAX_LIST:
            raise UserError(f"a list of {len(content)} values: a recipe has at most {MAX_LIST}")
        for value in content:
            check_plain(value)
    elif isinstance(content, str):
        if len(content) > MAX_TEXT:
            raise UserError(f"{_short(content)[:20]}... is a text of {len(content)} characters: a recipe has none")
    elif content is not None and not isinstance(content, (bool, int, float)):
        raise UserError(f"{_short(content)} is a {type(content).__name__}: put it in quotes")


def _check_events(text: str, loader: Any) -> None:
    """Refuse a text that is too deep or has too many values, before anything is built from it."""
    depth = count = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        count += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise UserError(f"lists and mappings are more than {MAX_DEPTH} deep: a recipe is not")
        _check_count(count)


def _count(node: Any, known: dict[int, int], above: set[int]) -> int:
    """Return the number of values in a node, those that aliases repeat included."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag != "tag:yaml.org,2002:str" and len(node.value) > MAX_DIGITS:
            raise UserError(f"{node.value[:9]}... is no value of a recipe: put a text in quotes")
        return 1
    key = id(node)
    if key in above:
        raise UserError("an alias contains itself: write the values out")
    if key not in known:
        above.add(key)
        inner = node.value if isinstance(node, yaml.SequenceNode) else [each for pair in node.value for each in pair]
        known[key] = 1
        for each in inner:
            known[key] += _count(each, known, above)
            _check_count(known[key])
        above.discard(key)
    return known[key]


def _check_count(count: int) -> None:
    if count > MAX_VALUES:
        raise UserError(f"more than {MAX_VALUES} values, aliases included: a recipe has fewer")


def _short(thing: object) -> str:
    return " ".join(str(thing).split())[:200]
