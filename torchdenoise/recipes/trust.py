"""What a recipe may name: it is a stranger's file, and jsonargparse imports for it only what is listed here."""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, get_type_hints

import torch
import yaml
from jsonargparse import _optionals, get_loader, set_loader
from jsonargparse._common import ImportDenied, parsing_settings
from jsonargparse._loaders_dumpers import get_yaml_default_loader, yaml_load
from jsonargparse._util import import_object
from lightning.fabric.plugins import ClusterEnvironment
from lightning.pytorch import accelerators, callbacks, loggers, plugins, profilers, strategies
from typing_extensions import override

from torchdenoise.bounded import load_yaml
from torchdenoise.errors import UserError
from torchdenoise.registry import PACKAGE, Registered, subclasses
from torchdenoise.user_modules import announce, may_import, reading_recipe

importlib.import_module("lightning.pytorch.plugins.environments")  # it is known only then

_KINDS: tuple[type, ...] = (
    Registered,
    torch.optim.Optimizer,
    torch.optim.lr_scheduler.LRScheduler,
    callbacks.Callback,
    loggers.Logger,
    strategies.Strategy,
    accelerators.Accelerator,
    profilers.Profiler,
    plugins.Precision,
    plugins.CheckpointIO,
    plugins.LayerSync,
    ClusterEnvironment,
)


@contextlib.contextmanager
def only_trusted(named: Iterable[str] = ()) -> Iterator[None]:
    """Let jsonargparse import only what a recipe may name, and read YAML within bounds, while the block runs.

    A recipe may name classes that are imported already and are ``Registered``, optimizers or schedulers of torch, or
    callbacks, loggers, strategies, plugins, accelerators or profilers of Lightning. Functions count if they return an
    optimizer or a schedule, or stand beside a registered class of the user's, whose default argument they may be. It
    may name everything in modules that the user named with ``--import``. jsonargparse asks before each import, however
    a text became an import path.

    Args:
        named: further import paths, which the user typed beside the recipe.
    """
    # jsonargparse has one policy for the whole process, which is the caller's: it is restored.
    ours = {"import_path_verdicts": _Verdicts(), "import_paths_enforced": True}
    before = {name: parsing_settings[name] for name in ours}
    mode, load = _optionals._config_read_mode, get_loader("yaml")
    with reading_recipe(named):
        try:
            parsing_settings.update(ours)
            _optionals._config_read_mode = "fr"  # files, no web addresses
            set_loader("yaml", _load_bounded, (yaml.YAMLError,))
            _check_effect()
            yield
        finally:
            parsing_settings.update(before)
            _optionals._config_read_mode = mode
            set_loader("yaml", load, (yaml.YAMLError,))


def may_name(path: str) -> bool:
    """Return whether a recipe may name an import path; nothing is imported.

    Example:
        >>> [may_name(each) for each in ("torch.optim.SGD", "torchdenoise.ZSN2N", "os.system", "torch.optim.os.system")]
        [True, True, False, False]
    """
    found = _imported(path)
    if isinstance(found, type):
        return issubclass(found, _KINDS)
    return inspect.isfunction(found) and (_makes_optimizer(found) or _stands_beside_a_class(found))


class _Verdicts(Mapping[str, bool]):
    """The answer to each import path, in the place of jsonargparse's table of answers."""

    @override
    def __contains__(self, path: object) -> bool:
        return True

    @override
    def __getitem__(self, path: str) -> bool:
        if may_name(path):
            return True
        if may_import(path):
            announce(path)
            return True
        return False

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(())

    @override
    def __len__(self) -> int:
        return 0


def _imported(path: str) -> Any:
    """Return the object of an import path if its module is imported already; None otherwise."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:count]))
        if found is not None:
            for name in parts[count:]:
                # Only our own packages import on demand when they are asked for a name.
                found = getattr(found, name, None) if _is_of_package(path) else getattr(found, "__dict__", {}).get(name)
            return found
    return None


def _is_of_package(path: str) -> bool:
    return path.partition(".")[0] == PACKAGE


def _makes_optimizer(function: Any) -> bool:
    """Return whether a function says that it returns an optimizer or a schedule."""
    try:
        made = get_type_hints(function).get("return")
    except (NameError, TypeError):  # annotations that only type checkers can resolve
        return False
    return isinstance(made, type) and issubclass(made, (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler))


def _stands_beside_a_class(function: Any) -> bool:
    """Return whether a module of the user's or a plugin's defines a function and a registered class."""
    modules = {cls.__module__ for cls in subclasses(Registered) if not _is_of_package(cls.__module__)}
    return function.__module__ in modules


def _load_bounded(text: str) -> Any:
    """Read YAML as jsonargparse does, unless it is out of bounds: then it is no YAML."""
    try:
        load_yaml(text, get_yaml_default_loader())  # type: ignore[no-untyped-call]
    except UserError as error:
        raise yaml.YAMLError(str(error)) from None
    return yaml_load(text)  # type: ignore[no-untyped-call]


@cache
def _check_effect() -> None:
    """Fail unless this version of jsonargparse asks before it imports."""
    with contextlib.suppress(ImportDenied):
        import_object("torchdenoise_asks.first")
        raise RuntimeError("this version of jsonargparse does not ask before it imports: install one below 5")
