"""The registry: classes declare a short name, and their objects remember the arguments they were built with.

Noise specs, ``torchdenoise list``, LightningCLI and checkpoints all find classes here. The registry has no list of its
own: it looks at the subclasses of ``Registered`` that exist at the moment of the call.
"""

import fnmatch
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from typing_extensions import override

from torchdenoise.errors import UserError, did_you_mean
from torchdenoise.user_code import describe_error, plugin_entries

T = TypeVar("T", bound="Registered")

Recipe = dict[str, Any]
"""A plain, nested description of an object: ``{"class_path": "package.module.Class", "init_args": {...}}``."""

PACKAGE = "torchdenoise"


class Registered:
    """A class with a short name, whose objects remember the arguments they were built with.

    A subclass with ``kind=...`` starts a new kind ("losses", "networks", ...); its concrete subclasses are the entries
    of that kind. ``name`` is the short name (default: the class name), ``source`` the paper or page that the class
    implements, ``formerly`` the names that the class had in earlier versions, which checkpoints may still hold.

    Keep a constructor argument that takes a registered object as an attribute of the same name (``self.loss = loss or
    MyLoss()``): ``recipe`` reads the attribute, so that checkpoints also hold objects that the constructor chose.

    Example:
        >>> class Shape(Registered, kind="shapes"): ...
        >>> class Disc(Shape, name="disc", source="Euclid, Elements III"):
        ...     def __init__(self, radius: float = 1.0) -> None:
        ...         self.radius = radius
        >>> find(Shape, "disc")(2.0).arguments
        {'radius': 2.0}
    """

    kind: ClassVar[str] = ""
    short_name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    former_names: ClassVar[tuple[str, ...]] = ()
    left_out: ClassVar[tuple[str, ...]] = ()
    """Arguments that ``recipe`` leaves out, because a fitted object does not need them."""
    revision: ClassVar[int] = 1
    """Raise it when the results of the class change: ``compare`` then computes the rows of its methods again."""
    arguments: dict[str, Any]

    @override
    def __init_subclass__(
        cls, *, kind: str = "", name: str = "", source: str = "", formerly: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if kind:
            cls.kind = kind
        cls.short_name = "" if kind else name or cls.__name__
        cls.source = source
        cls.former_names = formerly

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remember the arguments, with defaults."""
        made = super().__new__(cls)
        # bind_partial, because copy and pickle call __new__ without arguments and restore __dict__ afterwards.
        bound = inspect.signature(cls.__init__).bind_partial(made, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        for parameter in bound.signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(parameter.name)
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL and not arguments[parameter.name]:
                del arguments[parameter.name]  # the *args of object.__init__ and torch.nn.Module.__init__
        # Written to __dict__, because a torch module takes no attribute before its __init__ has run.
        made.__dict__["arguments"] = arguments
        return made

    def recipe(self) -> Recipe:
        """Return the plain description from which ``build`` makes an equal object.

        It holds the defaults too, also objects that the constructor chose: a later change of a default changes no old
        checkpoint.

        Raises:
            UserError: an argument is neither plain data nor a registered object.
        """
        cls = type(self)
        init_args = {}
        for name, value in self.arguments.items():
            current = getattr(self, name, None)
            if value is None or isinstance(value, Registered):
                value = current if isinstance(current, Registered) else value
            if name not in cls.left_out:
                init_args[name] = _plain(value, f"{cls.__name__}({name}=...)")
        return {"class_path": class_path(cls), "init_args": init_args}

    @classmethod
    def state(cls) -> str:
        """Return what changes when the results of the class do: its revision; empty for the first one."""
        return f"{cls.__name__} {cls.revision}" if cls.revision > 1 else ""

    def rebuilt(self, **changes: Any) -> Self:
        """Return a new object of the same class, with the same arguments except ``changes``."""
        return type(self)(**{**self.arguments, **changes})


def _plain(value: Any, where: str) -> Any:
    """Return ``value`` in the types that YAML and ``torch.load(weights_only=True)`` allow."""
    match value:
        case Registered():
            return value.recipe()
        case None | bool():
            return value
        case str():
            return str(value)
        case Integral():  # a NumPy number too, which torch.load would refuse
            return int(value)
        case Real():
            return float(value)
        case Path():
            return str(value)
        case list() | tuple():
            return [_plain(item, where) for item in value]
        case Mapping():
            return {str(key): _plain(item, where) for key, item in value.items()}
    raise UserError(
        f"{where} is a {type(value).__name__}, which a checkpoint cannot hold: "
        "use numbers, strings, lists or registered objects as constructor arguments"
    )


def class_path(cls: type) -> str:
    """Return the public import path of a class, which stays when its file moves.

    It starts with the outermost package, below the top one, whose ``__all__`` lists the class, else with its module.

    Example:
        >>> class_path(ZSN2N)
        'torchdenoise.denoisers.ZSN2N'
    """
    parts = cls.__module__.split(".")
    packages = [".".join(parts[:count]) for count in range(1, len(parts))]
    for package in packages[1:] or packages:
        module = sys.modules.get(package)
        if cls.__name__ in getattr(module, "__all__", ()) and getattr(module, cls.__name__, None) is cls:
            return f"{package}.{cls.__name__}"
    return _private_path(cls)


def _private_path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def resolve(path: str) -> "type[Registered] | None":
    """Return the class that a path or a short name names, among the classes that are imported; None if none does.

    Classes of this package are found by the last part of the path, because earlier checkpoints hold the paths of files
    that have moved. Installed plugins are imported if no class fits.

    Example:
        >>> resolve("torchdenoise.denoisers.zsn2n.ZSN2N").__name__
        'ZSN2N'
    """
    found = _resolve(path)
    if found is None:
        load_plugins_once()
        found = _resolve(path)
    return found


def _resolve(path: str) -> "type[Registered] | None":
    by_path: dict[str, type[Registered]] = {}
    by_name: dict[str, type[Registered]] = {}
    in_package: dict[str, type[Registered]] = {}
    for cls in subclasses(Registered):  # the newest definition wins, so that a class can be defined again
        by_path |= {_private_path(cls): cls, class_path(cls): cls}
        by_name |= dict.fromkeys((cls.short_name, *cls.former_names), cls)
        if cls.__module__.partition(".")[0] == PACKAGE:
            in_package |= dict.fromkeys((cls.__name__, *cls.former_names), cls)
    package, _, rest = path.partition(".")
    if not rest:
        return by_name.get(path) if path else None
    return by_path.get(path) or (in_package.get(rest.rpartition(".")[2]) if package == PACKAGE else None)


def entries(base: type[T]) -> dict[str, type[T]]:
    """Return short name -> class of every concrete class of a kind, given the kind's base class; sorted by name."""
    found: dict[str, type[T]] = {}
    for cls in subclasses(base):
        if cls.short_name and not inspect.isabstract(cls) and not cls.__name__.startswith("_"):
            # The newest definition wins, so that a class can be defined again in a notebook.
            found[cls.short_name] = cls
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def all_classes() -> list[type[Registered]]:
    """Return every concrete class of every kind."""
    return [cls for cls in subclasses(Registered) if cls.short_name and not inspect.isabstract(cls)]


def find(base: type[T], name: str) -> type[T]:
    """Return the class of a kind by short name, class name or import path of a class already imported.

    Raises:
        UserError: no such name; the message suggests the nearest one.
    """
    load_plugins_once()
    table = entries(base)
    if name in table:
        return table[name]
    concrete = (cls for cls in subclasses(base) if not inspect.isabstract(cls))
    names = [cls for cls in concrete if name in (cls.__name__, *cls.former_names, class_path(cls), _private_path(cls))]
    if names:
        return names[-1]  # the newest, as in the table
    raise UserError(f"{name}: unknown name among {base.kind}: {', '.join(table)}{did_you_mean(name, table)}")


def matching(names: Iterator[str] | list[str], pattern: str) -> list[str]:
    """Return the names that match a shell pattern; a pattern without ``*?[`` matches any name that contains it."""
    if not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"
    return [name for name in names if fnmatch.fnmatchcase(name.lower(), pattern.lower())]


def load_plugins() -> None:
    """Import the modules of the entry-point group ``torchdenoise.plugins``; one that fails gives a warning."""
    for entry in plugin_entries():
        if entry.value.partition(":")[0] not in sys.modules:
            try:
                entry.load()
            except Exception as error:  # it can raise anything, and must not stop the others
                reason = describe_error(error)
                warnings.warn(f"plugin {entry.name} ({entry.value}) was left out: {reason}", stacklevel=2)


@cache
def load_plugins_once() -> None:
    """Import the installed plugins at the first call in a process."""
    load_plugins()


def subclasses(base: type[T]) -> Iterator[type[T]]:
    """Yield every class below ``base`` once, also abstract ones, in the order of their definition."""
    below = (each for cls in base.__subclasses__() for each in (cls, *subclasses(cls)))
    yield from dict.fromkeys(below)  # a class of two bases is below both


def constructor_parameters(cls: type) -> list[inspect.Parameter]:
    """Return the named parameters of a class's constructor.

    ``inspect.signature(cls)`` would take those of ``Registered.__new__`` in early releases of Python 3.11.

    Example:
        >>> [each.name for each in constructor_parameters(SmallCNN)]
        ['channels', 'width', 'depth', 'slope', 'residual']
    """
    _, *parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return [each for each in parameters if each.kind not in variable]


def one_line(thing: type | Callable[..., Any]) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
