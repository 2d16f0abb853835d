"""One table of everything that can be named: classes declare a short name once, and remember how they were built.

Specs, ``torchdenoise list``, LightningCLI and checkpoints all read the table that this module derives from the class
statements themselves; nothing is registered anywhere else.
"""

import fnmatch
import importlib.metadata
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, get_args, get_origin, get_type_hints

from torchdenoise.errors import UserError, did_you_mean

T = TypeVar("T", bound="Registered")

Recipe = dict[str, Any]
"""A plain, nested description of an object: ``{"class_path": "package.module.Class", "init_args": {...}}``."""

PACKAGE = "torchdenoise"
PLUGINS = f"{PACKAGE}.plugins"
"""The entry-point group whose modules are imported so that their classes join the table."""


class Registered:
    """A class that is known by a short name and remembers the arguments it was built with.

    A direct subclass with ``kind=...`` opens a new kind ("losses", "networks", ...); its concrete subclasses are the
    entries. ``name`` is the short name (the class name unless given), ``source`` the paper or page it comes from,
    ``formerly`` the names that the class had in earlier versions, which checkpoints may still hold.

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
    """Arguments that ``recipe`` leaves out, because a result can be rebuilt without them."""
    arguments: dict[str, Any]

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
        """Note the arguments, defaults included."""
        made = super().__new__(cls)
        # Partial: copy and pickle call __new__ without arguments and restore __dict__ afterwards.
        bound = inspect.signature(cls.__init__).bind_partial(made, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        for parameter in bound.signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(parameter.name)
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL and not arguments[parameter.name]:
                del arguments[parameter.name]  # as in the constructor that object and torch's Module have
        # Straight into __dict__: torch modules allow no attribute before their own __init__ has run.
        made.__dict__["arguments"] = arguments
        return made

    def recipe(self) -> Recipe:
        """Return the plain description from which ``build`` makes an equal object.

        Optional parts that the constructor filled in are written out, so that later defaults change no old checkpoint.

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

    def rebuilt(self, **changes: Any) -> Self:
        """Return a fresh object of the same class and arguments, but for ``changes``."""
        return type(self)(**{**self.arguments, **changes})


def _plain(value: Any, where: str) -> Any:
    """Return ``value`` as YAML and ``torch.load(weights_only=True)`` can hold it."""
    match value:
        case Registered():
            return value.recipe()
        case None | bool():
            return value
        case str():
            return str(value)
        case Integral():  # NumPy's numbers too, which torch.load would refuse
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
        "take numbers, strings, lists or registered objects as constructor arguments"
    )


def class_path(cls: type) -> str:
    """Return the public import path of a class: files may move, the packages that export it stay.

    It is the outermost package below the top one whose ``__all__`` lists the class; without one, the class's module.

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
    """Return the class that a stored path names, among those already imported; None if there is none.

    Our own classes are found by their name alone, present or former, because earlier checkpoints hold the paths of
    files that have moved since.

    Example:
        >>> resolve("torchdenoise.denoisers.zsn2n.ZSN2N").__name__
        'ZSN2N'
    """
    ours: dict[str, type[Registered]] = {}
    known: dict[str, type[Registered]] = {}
    for cls in _subclasses(Registered):  # the newest definition wins, so that a class can be defined again
        known |= {_private_path(cls): cls, class_path(cls): cls}
        if cls.__module__.partition(".")[0] == PACKAGE:
            ours |= dict.fromkeys((cls.__name__, *cls.former_names), cls)
    package, _, rest = path.partition(".")
    return known.get(path) or (ours.get(rest.rpartition(".")[2]) if package == PACKAGE else None)


def with_public_paths(recipe: Any) -> Any:
    """Return a stored recipe with the present public path of every class that is known here.

    Example:
        >>> with_public_paths({"class_path": "torchdenoise.denoisers.zsn2n.ZSN2N", "init_args": {}})["class_path"]
        'torchdenoise.denoisers.ZSN2N'
    """
    match recipe:
        case {"class_path": str(path)}:
            cls = resolve(path)
            rest = {key: with_public_paths(value) for key, value in recipe.items() if key != "class_path"}
            return {"class_path": path if cls is None else class_path(cls), **rest}
        case Mapping():
            return {key: with_public_paths(value) for key, value in recipe.items()}
        case list():
            return [with_public_paths(item) for item in recipe]
    return recipe


def build(recipe: Mapping[str, Any]) -> Any:
    """Make the object that a stored recipe describes, from classes that are already imported and no others.

    Raises:
        UserError: a class of the recipe is not known here.
    """
    path = recipe["class_path"]
    cls = resolve(path)
    if cls is None:
        module = path.rpartition(".")[0]
        known = map(class_path, _subclasses(Registered))
        raise UserError(f"{path}: unknown class; import {module} first if you trust it{did_you_mean(path, known)}")
    token = _building.set(True)
    try:
        return cls(**{name: _built(value) for name, value in recipe["init_args"].items()})
    finally:
        _building.reset(token)


_building: ContextVar[bool] = ContextVar("building", default=False)


def may_import() -> bool:
    """Return whether a name may be imported that an argument holds: not if the argument stood in a file."""
    return not _building.get()


def unknown_classes(recipe: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield (place in the recipe, name) of all that a parser would import: classes, and text in an object's place."""
    cls = resolve(str(recipe["class_path"]))
    if cls is None:
        yield place, str(recipe["class_path"])
    for name in recipe.keys() - {"class_path", "init_args"}:
        yield f"{place}.{name}", name
    for name, value in recipe.get("init_args", {}).items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and "class_path" in item:
                yield from unknown_classes(item, f"{place}.{name}")
            elif name in getattr(cls, "left_out", ()) or (isinstance(item, str) and _may_be_imported(item, cls, name)):
                yield f"{place}.{name}", str(item)


def _may_be_imported(text: str, cls: type | None, name: str) -> bool:
    """Return whether a parser could take a text for an object: by what the argument takes, or by the text's looks."""
    try:
        hint = get_type_hints(cls.__init__).get(name) if cls else None  # type: ignore[misc]
    except NameError:  # an annotation that is there for type checkers alone
        hint = None
    if hint is None:
        return "{" in text or ("." in text and all(part.isidentifier() for part in text.split(".")))
    return any((isinstance(each, type) and issubclass(each, Registered)) or each is Callable for each in _leaves(hint))


def _leaves(hint: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of."""
    yield get_origin(hint) or hint
    for part in get_args(hint):
        if not isinstance(part, list):
            yield from _leaves(part)


def _built(value: Any) -> Any:
    match value:
        case {"class_path": str(), "init_args": Mapping()}:
            return build(value)
        case list():
            return [_built(item) for item in value]
        case Mapping():
            return {key: _built(item) for key, item in value.items()}
    return value


def entries(base: type[T]) -> dict[str, type[T]]:
    """Return short name -> class for every concrete class of a kind, given the kind's base class, sorted by name."""
    found: dict[str, type[T]] = {}
    for cls in _subclasses(base):
        if cls.short_name and not inspect.isabstract(cls) and not cls.__name__.startswith("_"):
            # The newest definition wins, so that a class can be defined again in a notebook.
            found[cls.short_name] = cls
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def all_classes() -> list[type[Registered]]:
    """Return every concrete class of every kind."""
    return [cls for cls in _subclasses(Registered) if cls.short_name and not inspect.isabstract(cls)]


def find(base: type[T], name: str) -> type[T]:
    """Return the class of a kind by short name, class name or import path of a class already imported.

    Raises:
        UserError: no such name; the message gives the nearest one.
    """
    table = entries(base)
    if name in table:
        return table[name]
    concrete = (cls for cls in _subclasses(base) if not inspect.isabstract(cls))
    named = [cls for cls in concrete if name in (cls.__name__, class_path(cls), _private_path(cls))]
    if named:
        return named[-1]  # the newest, as in the table
    raise UserError(f"{name}: unknown name among {base.kind}: {', '.join(table)}{did_you_mean(name, table)}")


def matching(names: Iterator[str] | list[str], pattern: str) -> list[str]:
    """Return the names that fit a pattern: with ``*?[`` as in the shell, without them any name that contains it."""
    if not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"
    return [name for name in names if fnmatch.fnmatchcase(name.lower(), pattern.lower())]


def load_plugins() -> None:
    """Import the modules that installed packages offer under ``torchdenoise.plugins``; a broken one is a warning."""
    for entry in importlib.metadata.entry_points(group=PLUGINS):
        if entry.value.partition(":")[0] not in sys.modules:
            try:
                entry.load()
            except Exception as error:  # a stranger's module can raise anything, and must not stop the rest
                warnings.warn(f"plugin {entry.name} ({entry.value}) was left out: {error!r}", stacklevel=2)


def _subclasses(base: type[T]) -> Iterator[type[T]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _subclasses(cls)


def one_line(thing: type | Callable[..., Any]) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
