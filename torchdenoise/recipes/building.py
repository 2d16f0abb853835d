"""From a recipe and its overrides to objects, with the defaults that the command line has."""

import copy
import inspect
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import lightning
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from torchdenoise.data import DenoisingData, SingleImage
from torchdenoise.denoisers import Denoiser, DenoisingLoss, Network, Readout
from torchdenoise.errors import UserError, did_you_mean
from torchdenoise.isolation import seed_all
from torchdenoise.recipes.class_defaults import with_class_defaults
from torchdenoise.recipes.explain import explain, option_names
from torchdenoise.recipes.files import load_recipe, read_config
from torchdenoise.registry import all_classes, load_plugins

_PART_KINDS: dict[str, type] = {"network": Network, "loss": DenoisingLoss, "readout": Readout}
"""What the last word of an argument's name says about its value."""


@dataclass(frozen=True)
class Fit:
    """All that a recipe says, as objects: what learns, from what, for how long, from which seed."""

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
        UserError: an unknown option, a wrong value or a class that does not fit.
    """
    config = _remembered(recipe, overrides)
    seed_all(config.seed_everything)
    try:
        built = _parser().instantiate(config)
    except ValueError as error:
        raise find_user_error(error) from None
    model: Denoiser = built.model
    if parts:
        _check_parts(model, parts)
        model = model.rebuilt(**parts)
    trainer = {key: value for key, value in vars(config.trainer).items() if value != _defaults()[key]}
    return Fit(model, built.data or SingleImage(), trainer, config.seed_everything)


def _check_parts(model: Denoiser, parts: Mapping[str, Any]) -> None:
    for name, part in parts.items():
        if name not in model.arguments:
            options = [*model.arguments, "max_steps", "seed", "device", "data_range", "overrides", "progress", "level"]
            raise UserError(
                f"{type(model).__name__} takes no {name}{did_you_mean(name, options)}: "
                f"it takes {', '.join(model.arguments)}"
            )
        kind = next((base for word, base in _PART_KINDS.items() if name.endswith(word)), object)
        if isinstance(part, type):
            raise UserError(f"{name}={part.__name__} is a class: give an object, {name}={part.__name__}()")
        if not isinstance(part, kind):
            raise UserError(f"{name} must be a {kind.__name__}, not a {type(part).__name__}: derive it from that class")


_parsed: dict[str, Namespace] = {}
"""What recipes and overrides came to: a folder of pictures is denoised by one of them, and parsing takes a while."""


def _remembered(recipe: Mapping[str, Any], overrides: Sequence[str]) -> Namespace:
    key = json.dumps([recipe, *overrides], default=repr)
    if key not in _parsed:
        _parsed[key] = _parse(recipe, overrides)
    return copy.deepcopy(_parsed[key])


def _parse(recipe: Mapping[str, Any], overrides: Sequence[str]) -> Namespace:
    parser = _parser()
    config = parser.get_defaults()
    try:
        config = parser.parse_object(dict(recipe))
        for override in overrides:
            if "=" not in override:
                raise UserError(f"{override}: write it as KEY=VALUE, e.g. model.network.width=64")
        if overrides:
            config = parser.parse_args(
                with_class_defaults([f"--{override}" for override in overrides]), namespace=config
            )
    except ArgumentError as error:
        options = [*option_names(config), *_named_options(str(error))]
        raise UserError(explain(str(error), options, _class_names())) from None
    return config


def one_line_error(message: str, words: Sequence[str]) -> UserError:
    """Return the one-line error for a report of jsonargparse about a command line."""
    given = [word for before, word in itertools.pairwise(words) if before in ("--config", "-c")]
    named = [load_recipe(word) for word in given if read_config(word).get("model")]
    options = [name for recipe in named for name in option_names(_parse(recipe, ()))]
    options += _named_options(message)
    return UserError(explain(message, options or _argument_names(), _class_names()))


def _named_options(message: str) -> list[str]:
    """Return the options of the innermost class that a report names, as they are written."""
    keys = list(dict.fromkeys(re.findall(r'Parser key "([\w.]+)"', message)))
    named = re.findall(r"Problem with given class_path '([^']+)'", message)
    last = named[-1].rpartition(".")[2] if named else ""
    classes = [cls for cls in all_classes() if cls.__name__ == last]
    return [".".join([*keys, name]) for cls in classes for name in inspect.signature(cls).parameters]


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


def find_user_error(error: BaseException) -> BaseException:
    """Return the message of ours that jsonargparse wrapped into its own while it built objects, or ``error`` itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, UserError):
            return inner
        inner = inner.__cause__ or inner.__context__
    return error


def _class_names() -> list[str]:
    """Return the names of all classes that an option can take."""
    return [cls.__name__ for cls in all_classes()]


def _argument_names() -> list[str]:
    """Return the names of all constructor arguments of all classes."""
    return [name for cls in all_classes() for name in inspect.signature(cls).parameters]
