"""The public names and their parameters change only on purpose.

Renew the list with ``python tests/test_public_api.py``, and name the change in CHANGELOG.md.
"""

import importlib
import inspect
from pathlib import Path

FILE = Path(__file__).with_name("public_api.txt")
ROOMS = ("", ".benchmarking", ".data", ".denoisers", ".fitting", ".inspection", ".noise", ".testing")


def described(name, value):
    """Return a name with its parameters; ``=`` marks those that have a default, whose value is not shown."""
    if inspect.isclass(value):
        constructor = "__new__" if hasattr(value, "_fields") else "__init__"  # a named tuple has no __init__
        owner = next(cls for cls in value.__mro__ if constructor in vars(cls))
        if not owner.__module__.startswith("torchdenoise"):
            return f"{name}()"  # the constructor of torch's, or Python's, class
        value = getattr(owner, constructor)
    elif not inspect.isfunction(value):
        return name
    parameters = [each for each in inspect.signature(value).parameters.values() if each.name not in ("self", "_cls")]
    plain = [
        each.replace(annotation=each.empty, default=each.empty if each.default is each.empty else _Default())
        for each in parameters
    ]
    return f"{name}{inspect.Signature(plain)}"


class _Default:
    def __repr__(self):
        return ""


def public_api():
    lines = []
    for room in ROOMS:
        module = importlib.import_module(f"torchdenoise{room}")
        lines += [described(f"{module.__name__}.{name}", getattr(module, name)) for name in sorted(module.__all__)]
    return "\n".join(lines) + "\n"


def test_public_names_and_their_parameters_are_those_of_the_list():
    before, now = FILE.read_text(encoding="utf-8").splitlines(), public_api().splitlines()
    gone = [f"- {line}" for line in before if line not in now]
    new = [f"+ {line}" for line in now if line not in before]
    remedy = "if this is meant, run `python tests/test_public_api.py` and add a line to CHANGELOG.md"
    assert not gone + new, "\n".join([remedy, *gone, *new])


if __name__ == "__main__":
    FILE.write_text(public_api(), encoding="utf-8")
    print(f"{FILE}: {len(public_api().splitlines())} names")
