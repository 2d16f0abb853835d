"""jsonargparse's long reports about a wrong option, as one line that names the option and the remedy."""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from torchdenoise.errors import did_you_mean

_KEY = re.compile(r'Parser key "([\w.]+)"')
_UNKNOWN = re.compile(r"Option '([\w.]+)' is not accepted|[Uu]nrecognized arguments: (?:--)?([^\s=]+)|"
                      r"Group '([\w.]+)' does not accept option '([\w.]+)'")  # fmt: skip
_CLASS = re.compile(r"(?:Expected a dot|Unexpected) import path (?:string|format): (.*)|"
                    r"Problem with given class_path '([^']*)':\s+No module|"
                    r"Import path does not correspond[^\0]*?Given value: (\S+)")  # fmt: skip
_REFUSED = re.compile(r"Importing '([\w.]+)' is not allowed")
_NEEDED = re.compile(r"Problem with given class_path '([\w.]+)':\s+the following arguments are required: (\w+)")
_NO_MODULE = re.compile(r"Problem with given class_path '([\w.]+)':\s+No module named '([\w.]+)'")
_NO_NAME = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_FILE = re.compile(r"\S[^\n]* \([^()\n]*\.py, line \d+\)")
_ABSTRACT = re.compile(r"instantiatable class, but (\S*) ?is abstract[^\0]*?Given value: (\S+)")
_NESTED = re.compile(r"NestedArg\(key='([\w.]+)'")
_TYPE = re.compile(r"Expected an? <class '(?:\w+\.)*(\w+)'>\. Got value: (.*)")
_VALUE = re.compile(r"Subtypes: \[<class '(float|int)'>[^\0]*?Given value: (.*?)\. Got value:")
"""Of an argument of an optimizer or a schedule, which may be a number or an object."""

MAX_MESSAGE = 20_000
"""Characters of a report that are looked at."""
MAX_CHARACTERS = 400
"""Of a line; a stranger's value can be long."""


def explain(message: str, options: Iterable[str], classes: Iterable[str]) -> str:
    """Return one line for a report of jsonargparse, with the nearest of ``options`` or ``classes`` if one is similar.

    Example:
        >>> explain("Parser key \\"model\\":\\n Option 'losss' is not accepted", ["model.loss"], [])
        'model.losss: no such option (did you mean model.loss?)'
    """
    line = _explained(message[:MAX_MESSAGE], options, classes)
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]} ..."


def _explained(message: str, options: Iterable[str], classes: Iterable[str]) -> str:
    chain: list[str] = []
    for key in _KEY.findall(message):
        if not chain or chain[-1] != key:
            chain.append(key)
    if match := _UNKNOWN.search(message):
        key = ".".join([*_before(chain, message, match.start()), *filter(None, match.groups())])
        return f"{key}: no such option{nearest_option(key, options)}"
    where = ".".join(chain)
    if line := _refused(message, where, classes) or _incomplete(message, where) or _missing(message, where, classes):
        return line
    if match := _FILE.search(message):
        return f"{where}: {match[0]}"
    nested = _NESTED.search(message)  # the argument of a class that is not given
    if not nested and (match := _ABSTRACT.search(message)):
        return f"{where}: {match[1] or match[2]} is abstract: define the methods that its base class leaves open"
    if match := _TYPE.search(message) or _VALUE.search(message):
        return f"{where}: expected {match[1]}, got {match[2].strip()}"
    if match := _CLASS.search(message):
        name = next(group for group in match.groups() if group is not None)
        hint = did_you_mean(name, classes) or "; give a short name (`torchdenoise list`) or your own module.Class"
        return f"{where}: no class {name} fits here{hint}"
    if nested:
        return f"{where}.{nested[1]}: give the class first, --{where} NAME"
    reason = re.sub(r"^\s*Parser key \"[\w.]+\":", "", message)
    return f"{where}: {' '.join(reason.split())}".removeprefix(": ")


def nearest_option(key: str, options: Iterable[str]) -> str:
    """Return ``did_you_mean``'s hint for an option; those that end in the same word come first.

    Example:
        >>> nearest_option("model.lr", ["model.loss", "model.optimizer.lr"])
        ' (did you mean model.optimizer.lr?)'
    """
    known = list(options)
    last = key.rpartition(".")[2]
    same = [name for name in known if name != key and name.rpartition(".")[2] == last]
    if same and "." not in key:
        return f" (did you mean {min(same, key=len)}?)"
    return did_you_mean(key, same) or did_you_mean(key, known)


def _refused(message: str, where: str, classes: Iterable[str]) -> str:
    """Return the line for an import path that a recipe may not name; empty if that is not the reason."""
    match = _REFUSED.search(message)
    if match is None:
        return ""
    module, _, name = match[1].rpartition(".")
    if match[1].startswith("torchdenoise."):
        return f"{where}: no class {match[1]} fits here{did_you_mean(name, classes)}"
    if module in sys.modules and name not in vars(sys.modules[module]):  # hasattr could import something
        return f"{where}: {_no_name(module, name)}"
    return (
        f"{where}: {match[1]} is not known here, and a recipe imports nothing: if you trust it, add --import {module} "
        "(in Python: import its module first, or pass the object itself)"
    )


def _no_name(module: str, name: str) -> str:
    """Return that an imported module has no such name, and which it has."""
    known = [each for each in vars(sys.modules[module]) if not each.startswith("_")] if module in sys.modules else []
    return f"the module {module} has no {name}{did_you_mean(name, known)}"


def _missing(message: str, where: str, classes: Iterable[str]) -> str:
    """Return the line for an import path whose module or name does not exist; empty if that is not the reason."""
    if match := _NO_NAME.search(message):
        return f"{where}: {_no_name(*match.groups())}"
    match = _NO_MODULE.search(message)
    if match is None or match[1].startswith("torchdenoise."):
        return ""
    path, module = match.groups()
    name = path.rpartition(".")[2]
    hint = f" (did you mean {name}?)" if name in classes else ""
    return f"{where}: {path}: no module {module} was found{hint}"


def _incomplete(message: str, where: str) -> str:
    """Return the line for a class that is given without an argument it needs; empty if that is not the reason."""
    match = _NEEDED.search(message)
    if match is None:
        return ""
    name, needed = match[1].rpartition(".")[2], match[2]
    given = f'{where}={{"class_path": "{name}", "init_args": {{"{needed}": ...}}}}'
    return f"{where}: {name} needs {needed}: give both at once, {given}"


def _before(chain: list[str], message: str, position: int) -> list[str]:
    """Return the keys that the message names before a position."""
    named = set(_KEY.findall(message[:position]))
    return [key for key in chain if key in named]


def option_names(config: Any, prefix: str = "") -> Iterator[str]:
    """Yield every option of a parsed configuration, as on the command line."""
    for key, value in vars(config).items() if hasattr(config, "__dict__") else ():
        if key == "init_args":
            yield from option_names(value, prefix)
        elif key != "class_path":
            yield f"{prefix}{key}"
            yield from option_names(value, f"{prefix}{key}.")
