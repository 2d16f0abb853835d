"""Objects from a recipe and its overrides, with the same defaults as the command line."""

import contextlib
import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import lightning
import torch
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from torchdenoise.data import DenoisingData, SingleImage
from torchdenoise.denoisers import Denoiser, DenoisingLoss, Network, Readout
from torchdenoise.errors import RecipeError, UserError, did_you_mean
from torchdenoise.isolation import seed_all
from torchdenoise.recipes.class_defaults import with_class_defaults
from torchdenoise.recipes.explain import explain, option_names
from torchdenoise.recipes.files import load_recipe, read_config
from torchdenoise.recipes.trust import only_trusted
from torchdenoise.registry import all_classes, constructor_parameters, load_plugins
from torchdenoise.stored_recipes import with_public_paths
from torchdenoise.user_code import find_error
from torchdenoise.user_modules import paths_in

_PART_KINDS: dict[str, type] = {"network": Network, "loss": DenoisingLoss, "readout": Readout}
"""The type of a constructor argument, by the last word of its name."""

_MADE_FROM = {"optimizer": "parameters", "scheduler": "optimizer"}
"""What the function gets that makes a part for each fit."""
_OTHERS = ("checkpoint", "max_steps", "seed", "device", "data_range", "overrides", "progress", "level", "budget")
"""Other arguments of ``denoise``."""
_SYNONYMS = {
    **dict.fromkeys(("ckpt", "ckpt_path", "checkpoint_path", "init_from", "weights"), "checkpoint"),
    **{"method": "recipe", "model": "recipe", "set": "overrides", "steps": "max_steps"},
}
"""What they are called elsewhere, on the command line for instance."""


@dataclass(frozen=True)
class Fit:
    """The contents of a recipe as objects: model, data, arguments of the Trainer, seed."""

    model: Denoiser
    data: DenoisingData
    trainer: dict[str, Any]
    seed: int


def build_fit(recipe: Mapping[str, Any], overrides: Sequence[str] = (), parts: Mapping[str, Any] | None = None) -> Fit:
    """Return the objects of a recipe, built right after seeding.

    Args:
        recipe: a plain dict, as ``load_recipe`` returns it.
        overrides: ``"model.network.width=64"``: any constructor argument, as on the command line.
        parts: constructor arguments of the denoiser that are objects already (``loss=MyLoss()``).

    Raises:
        RecipeError: an unknown option, a wrong value or a class that does not fit.
    """
    with only_trusted(paths_in(overrides)), unwrapped_user_errors():
        config = _cached_config(recipe, overrides)
        seed_all(config.seed_everything)
        built = _parser().instantiate(config)
    model: Denoiser = built.model
    if parts:
        _check_parts(model, parts)
        model = model.rebuilt(**parts)
    trainer = {key: value for key, value in vars(config.trainer).items() if value != _defaults()[key]}
    return Fit(model, built.data or SingleImage(), trainer, config.seed_everything)


def overridden(recipe: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a recipe with overrides, as a plain dict of all its arguments.

    Raises:
        RecipeError: as ``build_fit``.

    Example:
        >>> overridden({"model": "ZSN2N"}, ["model.network=N2NUNet"])["model"]["init_args"]["network"]["class_path"]
        'torchdenoise.denoisers.N2NUNet'
    """
    with only_trusted(paths_in(overrides)), unwrapped_user_errors():
        arguments: dict[str, Any] = _cached_config(recipe, overrides).as_dict()
    return arguments


def _check_parts(model: Denoiser, parts: Mapping[str, Any]) -> None:
    for name, part in parts.items():
        if name not in model.arguments:
            options = [*model.arguments, *_OTHERS]
            hint = f" (did you mean {_SYNONYMS[name]}?)" if name in _SYNONYMS else did_you_mean(name, options)
            raise RecipeError(
                f"{type(model).__name__} takes no {name}{hint}: it takes {', '.join(model.arguments)}; arguments of "
                'these are given by overrides=["model.network.width=64"]'
            )
        kind = next((base for word, base in _PART_KINDS.items() if name.endswith(word)), object)
        if name in _MADE_FROM and (isinstance(part, type) or not callable(part)):
            made, given = part.__name__ if isinstance(part, type) else "Adam", _MADE_FROM[name]
            raise RecipeError(f"{name} must be a function: {name}=lambda {given}: {made}({given}, ...)")
        if isinstance(part, type):
            raise RecipeError(f"{name}={part.__name__} is a class: give an object, {name}={part.__name__}()")
        if not isinstance(part, kind):
            raise RecipeError(
                f"{name} must be a {kind.__name__}, not a {type(part).__name__}: derive it from {kind.__name__}"
            )


_parsed: dict[str, Namespace] = {}
"""The parsed configurations, because parsing is slow and a folder of pictures is denoised with the same recipe."""


def _cached_config(recipe: Mapping[str, Any], overrides: Sequence[str]) -> Namespace:
    try:
        key = json.dumps([recipe, *overrides], default=repr)
    except (ValueError, TypeError, RecursionError) as error:  # a mapping that contains itself, or has odd keys
        raise RecipeError(f"the recipe is no plain mapping: {error}") from None
    if key not in _parsed:
        _parsed[key] = _parse(recipe, overrides)
    return copy.deepcopy(_parsed[key])


def _parse(recipe: Mapping[str, Any], overrides: Sequence[str]) -> Namespace:
    parser = _parser()
    config = parser.get_defaults()
    try:
        config = parser.parse_object(with_public_paths(dict(recipe)))
        for override in overrides:
            if "=" not in override:
                raise RecipeError(f"{override}: write it as KEY=VALUE, e.g. model.network.width=64")
        if overrides:
            config = parser.parse_args(
                with_class_defaults([f"--{override}" for override in overrides]), namespace=config
            )
    except ArgumentError as error:
        options = [*option_names(config), *_named_options(str(error))]
        raise RecipeError(explain(str(error), options, _class_names())) from None
    return config


def one_line_error(message: str, words: Sequence[str]) -> UserError:
    """Return the one-line error for jsonargparse's report about a command line."""
    given = [word for before, word in itertools.pairwise(words) if before in ("--config", "-c")]
    given += [word.partition("=")[2] for word in words if word.startswith("--config=")]
    named = [load_recipe(word) for word in given if read_config(word).get("model")]
    options = [name for recipe in named for name in option_names(_parse(recipe, ()))]
    options += _named_options(message)
    line = explain(message, options or _argument_names(), _class_names())
    return RecipeError(_of_no_option(line, words) or _of_other_data(line) or line)


def _of_no_option(line: str, words: Sequence[str]) -> str:
    """Return what to say of a word that stands where an option is expected, as a picture; empty for others."""
    word = line.partition(": no such option")[0]
    stands_alone = word in words and word != line and not word.startswith("-")
    return f"{word}: no option; a picture is given by --data.path {word}" if stands_alone else ""


def _of_other_data(line: str) -> str:
    """Return what to say of an option that other data have; empty for others."""
    match = re.match(r"data\.(\w+): no such option", line)
    names = [
        cls.__name__
        for cls in all_classes()
        if match and issubclass(cls, DenoisingData) and match[1] in [each.name for each in constructor_parameters(cls)]
    ]
    return f"{match[0]} of these data: put --data {' or '.join(names)} before it" if match and names else ""


def _named_options(message: str) -> list[str]:
    """Return the options of the innermost class that a report names, as on the command line."""
    keys = list(dict.fromkeys(re.findall(r'Parser key "([\w.]+)"', message)))
    named = re.findall(r"Problem with given class_path '([^']+)'", message)
    last = named[-1].rpartition(".")[2] if named else ""
    classes = [cls for cls in all_classes() if cls.__name__ == last]
    return [".".join([*keys, each.name]) for cls in classes for each in constructor_parameters(cls)]


@cache
def _parser() -> ArgumentParser:
    load_plugins()
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--seed_everything", type=int, default=0)
    parser.add_subclass_arguments(Denoiser, "model", fail_untyped=False)
    parser.add_subclass_arguments(DenoisingData, "data", fail_untyped=False, required=False)
    parser.add_class_arguments(lightning.Trainer, "trainer", fail_untyped=False, instantiate=False, sub_configs=True)
    return parser


@cache
def _defaults() -> dict[str, Any]:
    defaults: dict[str, Any] = vars(_parser().get_defaults().trainer)
    return defaults


@contextlib.contextmanager
def unwrapped_user_errors() -> Iterator[None]:
    """Raise a UserError that jsonargparse wrapped into its own error while it built objects, or one for its own error.

    Other errors stay unchanged.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        inner: BaseException | None = error
        while inner is not None and not isinstance(inner, UserError):
            inner = inner.__cause__ or inner.__context__
        if inner is None and str(error).startswith("Does not validate") and find_error(error) is None:
            raise RecipeError(explain(str(error), (), ())) from None
        if inner is None or inner is error:
            raise
        raise inner from None


def _class_names() -> list[str]:
    """Return the names of all classes that an option can take."""
    ours = [name for cls in all_classes() for name in dict.fromkeys((cls.__name__, cls.short_name))]
    return [*ours, *_public(torch.optim), *_public(torch.optim.lr_scheduler)]


def _public(module: ModuleType) -> list[str]:
    return [name for name, each in vars(module).items() if isinstance(each, type) and not name.startswith("_")]


def _argument_names() -> list[str]:
    """Return the names of all constructor arguments of all classes."""
    return [each.name for cls in all_classes() for each in constructor_parameters(cls)]
