"""The methods of a comparison, from words or a mapping."""

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchdenoise.benchmarking.sources import digest, state_of_code
from torchdenoise.bounded import load_yaml
from torchdenoise.data import DenoisingData
from torchdenoise.denoisers.checkpoints import KEY, read_checkpoint
from torchdenoise.denoisers.networks import PretrainedUNet
from torchdenoise.denoisers.weight_files import located, shipped_weights
from torchdenoise.errors import RecipeError, UserError
from torchdenoise.fitting.choosing import choice_recipe, is_choice
from torchdenoise.recipes import AUTO, load_recipe, recipe_names, starts_trained
from torchdenoise.registry import find

Source = str | Path | Mapping[str, Any]
"""A recipe's name, a YAML file, a plain recipe, or a checkpoint."""
Recipes = str | Path | Sequence[str | Path] | Mapping[str, Source | tuple[Source, Sequence[str]]]
"""Words, or a mapping of names to a source or (recipe, overrides)."""
SHORT = 8
"""Digits of the digests of weights in rows."""


@dataclass(frozen=True)
class Method:
    """A recipe fitted to each picture, a checkpoint applied to it, or both: a fit that starts from it."""

    name: str
    recipe: Mapping[str, Any] | None
    checkpoint: Path | None = None
    code: tuple[str, ...] = ()
    """Digests of the user's code in it."""
    overrides: tuple[str, ...] = ()
    """``KEY=VALUE``: what a variant changes in its recipe."""

    @property
    def identity(self) -> Any:
        """Everything that decides its result."""
        checkpoint = None if self.checkpoint is None else digest(self.checkpoint)
        return [self.recipe, checkpoint, *([self.overrides] if self.overrides else [])]

    @property
    def weights(self) -> list[str]:
        """The digests of the weights, trained on other pictures, that it may use; none for a fit from scratch."""
        shipped = PretrainedUNet.__name__ in json.dumps([self.recipe, self.overrides], default=str)
        files = [*shipped_weights().values()] if shipped else []
        return [digest(path)[:SHORT] for path in [*files, *([self.checkpoint] if self.checkpoint else [])]]

    @property
    def fit_key(self) -> str:
        """Everything that decides its fit: methods that differ only in their readout share one."""
        if self.recipe is None or not isinstance(self.recipe.get("model"), Mapping):
            return self.name
        model = {**self.recipe["model"]}
        model["init_args"] = {**(model.get("init_args") or {}), "readout": None}
        overrides = [each for each in self.overrides if not re.match(r"model\.readout\b", each)]
        content = [{**self.recipe, "model": model}, self.checkpoint, overrides]
        return json.dumps(content, sort_keys=True, default=str)


_KEY = r"(?:seed_everything|(?:model|data|trainer)\.[\w.]+)="
_OVERRIDE = re.compile(_KEY)
_UNNAMED = re.compile(rf"[^=]+:{_KEY}")
_SHORT_KEY = re.compile(r"[^=:]+=([^=:]+):([\w.]+)=")
"""A variant whose key lacks its first word."""
_VARIANT = re.compile(rf"([^=]*)=(.*?):({_KEY}.*)", re.DOTALL)


def methods(recipes: Recipes) -> list[Method]:
    """Return the methods that words or a mapping name.

    A word is a recipe's name, a YAML file, a pattern, ``NAME=RECIPE``, a variant ``NAME=RECIPE:KEY=VALUE,KEY=VALUE``,
    or ``NAME=CHECKPOINT``. A pattern matches recipes for single pictures. A checkpoint is applied unchanged; if NAME
    is a recipe for single pictures, a fit starts from it.

    Raises:
        UserError: an unknown name, a trained recipe without a checkpoint, two methods of one name.

    Example:
        >>> [method.name for method in methods("zsn2n,zsn2m-star*")]
        ['zsn2n', 'zsn2m-star', 'zsn2m-star-real']
        >>> methods("wide=zsn2n:model.network.width=64,trainer.max_steps=9")[0].overrides
        ('model.network.width=64', 'trainer.max_steps=9')
    """
    if isinstance(recipes, Mapping):
        found = [_method(name, source) for name, source in recipes.items()]
    else:
        words = _words(recipes) if isinstance(recipes, str) else [recipes] if isinstance(recipes, Path) else recipes
        found = [method for word in words for method in _named(str(word).strip())]
    if not found:
        raise UserError("no recipe to compare: give --recipes zsn2n,zsn2m-star,n2n=CHECKPOINT")
    names = [method.name for method in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"{twice} is named twice: give each method a name of its own, NAME=RECIPE or NAME=CHECKPOINT")
    return found


def _words(text: str) -> list[str]:
    """Return a list's words; the overrides after a variant's first one belong to it."""
    words: list[str] = []
    for piece in _pieces(text):
        if words and _OVERRIDE.match(piece.strip()) and _VARIANT.match(words[-1]):
            words[-1] += f",{piece}"
        else:
            words.append(piece)
    return words


def _pieces(text: str) -> list[str]:
    """Split a text at the commas outside of brackets and double quotes, which JSON values hold.

    Example:
        >>> _pieces('a,b=[1,2],c={"d": "e,]"}')
        ['a', 'b=[1,2]', 'c={"d": "e,]"}']
    """
    pieces, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == '"'
        if not quoted:
            depth = max(0, depth + (sign in "[{") - (sign in "]}"))
        if sign == "," and not depth and not quoted:
            pieces.append("")
        else:
            pieces[-1] += sign
    return pieces


def _named(word: str) -> Iterator[Method]:
    """Yield the methods of one word: several for a pattern, one for anything else."""
    name, sign, source = (word, "", "") if Path(word).is_file() else word.partition("=")
    if _OVERRIDE.match(word):
        raise UserError(f"{word}: an override of which recipe? write NAME=RECIPE:{word}")
    if _UNNAMED.match(word):
        raise UserError(f"{word}: give the variant a name: NAME={word}")
    if (short := _SHORT_KEY.match(word)) and _names_recipe(short[1]) and not _VARIANT.fullmatch(word):
        raise UserError(
            f"{word}: {short[2]}: an override begins with model., data. or trainer.: model.network.width=64"
        )
    if variant := _VARIANT.fullmatch(word):
        name, source, overrides = variant.groups()
        yield _method(name, (source, [each.strip() for each in _pieces(overrides)]))
    elif sign:
        yield _method(name, source)
    elif any(letter in name for letter in "*?[") and not Path(name).is_file():
        matching = {each: load_recipe(each) for each in fnmatch.filter(recipe_names(), name)}
        zero_shot = {
            each: recipe for each, recipe in matching.items() if fits_one_picture(recipe) and not starts_trained(each)
        }
        if not zero_shot:
            raise UserError(f"{name}: no recipe for single pictures matches; `torchdenoise list recipes` shows all")
        yield from (Method(each, recipe) for each, recipe in zero_shot.items())
    else:
        _check_start(name, name)
        yield _method(name, _recipe(name))


def _method(name: str, source: Source | tuple[Source, Sequence[str]]) -> Method:
    """Return a method by its name and its recipe, which may have overrides, or its checkpoint."""
    label = _label(name)
    source, changes = source if isinstance(source, tuple) else (source, ())
    overrides = (changes,) if isinstance(changes, str) else tuple(changes)
    recipe = source if isinstance(source, Mapping) else None
    if recipe is None and (overrides or _names_recipe(str(source))):
        recipe = _recipe(str(source))
    if recipe is None:
        path = located(str(source))
        stored = read_checkpoint(path)[KEY]["recipe"]
        own = load_recipe(name) if name in recipe_names() or Path(name).is_file() else None
        start = own if own and fits_one_picture(own) else None
        return Method(label, start, path, state_of_code([stored, start]))
    if is_choice(recipe):
        if overrides:
            raise UserError(f"{label}: overrides are for one recipe: name one that `{AUTO}` chooses from")
        return Method(label, recipe, None, state_of_code([recipe]))
    if not recipe.get("model"):
        raise RecipeError(f"{label}: a recipe needs at least a `model`")
    if not fits_one_picture(recipe):
        raise UserError(f"{name} is trained on a data set: give its checkpoint, {label}=FILE.ckpt")
    if not any(re.match(r"model\.network\b", each) for each in overrides):
        _check_start(str(source), label)
    if any(each.startswith("seed_everything=") for each in overrides):
        raise UserError(f"{label}: a comparison sets the seed itself; use --seeds in place of seed_everything")
    return Method(label, recipe, None, state_of_code([recipe, *map(_value, overrides)]), overrides)


def _check_start(source: str, label: str) -> None:
    """Refuse a recipe that starts from a trained network and has none."""
    if starts_trained(source):
        raise UserError(f"{label} starts from a trained network: give its checkpoint, {source}=FILE.ckpt")


def _names_recipe(source: str) -> bool:
    """Return whether a source is a recipe's name or file, or else a checkpoint."""
    path = located(source)
    return source in (AUTO, *recipe_names()) or path.suffix in (".yaml", ".yml") or not (path.suffix or path.exists())


def _recipe(name: str) -> Mapping[str, Any]:
    return choice_recipe() if name == AUTO else load_recipe(name)


def _value(override: str) -> Any:
    """Return the value of ``KEY=VALUE`` as plain data."""
    text = override.partition("=")[2]
    with suppress(UserError):
        return load_yaml(text)
    return text


def _label(name: str) -> str:
    """Return the name of a method in tables and in the files of its pictures."""
    label = Path(name).stem if Path(name).is_file() else name
    if not label or not label.isprintable() or any(sign in label for sign in "/\\:|"):
        raise UserError(f"{name!r} cannot name a method and its files: leave out / \\ : |")
    return label


def fits_one_picture(recipe: Mapping[str, Any]) -> bool:
    """Return whether a recipe is fitted to one noisy picture, and not trained on a data set."""
    data = recipe.get("data") or "SingleImage"
    name = data.get("class_path", "SingleImage") if isinstance(data, Mapping) else data
    if not isinstance(name, str):
        return True  # building it raises the error
    try:
        return find(DenoisingData, name).zero_shot  # type: ignore[type-abstract]
    except UserError:
        return False
