"""What a comparison consists of: methods, scenes, noises and seeds, and the jobs that they make."""

import fnmatch
import hashlib
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from torchdenoise.benchmarking.sources import digest, own_code
from torchdenoise.denoisers.checkpoints import KEY, read_checkpoint
from torchdenoise.errors import RecipeError, UserError
from torchdenoise.noise import from_spec
from torchdenoise.paths import check_input, find_pictures, read_errors
from torchdenoise.recipes import load_recipe, recipe_names

Source = str | Path | Mapping[str, Any]
"""A recipe's name, a YAML file, a plain recipe, or a checkpoint."""
Recipes = str | Path | Sequence[str | Path] | Mapping[str, Source | tuple[Source, Sequence[str]]]
"""What ``compare`` compares: words, or name -> source or (recipe, overrides)."""

REAL = "real"
"""In the place of a noise spec: the pictures bring their own noise."""


@dataclass(frozen=True)
class Method:
    """One row of the table: a recipe fitted to each picture, a checkpoint applied to it, or a fit that starts there."""

    name: str
    recipe: Mapping[str, Any] | None
    checkpoint: Path | None = None
    code: tuple[str, ...] = ()
    """Digests of the user's own code in it."""
    overrides: tuple[str, ...] = ()
    """``KEY=VALUE``: what a variant changes in its recipe."""

    @property
    def identity(self) -> Any:
        """What decides its result."""
        checkpoint = None if self.checkpoint is None else digest(self.checkpoint)
        return [self.recipe, checkpoint, *([self.overrides] if self.overrides else [])]

    @property
    def fit_key(self) -> str:
        """What decides its fit: methods that differ only in their readout share one."""
        if self.recipe is None or not isinstance(self.recipe["model"], Mapping):
            return self.name
        model = {**self.recipe["model"]}
        model["init_args"] = {**(model.get("init_args") or {}), "readout": None}
        overrides = [each for each in self.overrides if not re.match(r"model\.readout\b", each)]
        content = [{**self.recipe, "model": model}, self.checkpoint, overrides]
        return json.dumps(content, sort_keys=True, default=str)


@dataclass(frozen=True)
class Scene:
    """The files of a picture: a clean one that gets synthetic noise, a noisy one, or both."""

    name: str
    clean: Path | None
    noisy: Path | None = None


@dataclass(frozen=True)
class Settings:
    """What all jobs of a comparison share."""

    crop: int | None = None
    max_steps: int | None = None
    threads: int = 1
    device: str = "auto"
    batch: int = 1
    """So many pictures are fitted together at most."""


@dataclass(frozen=True)
class Job:
    """One method on one noisy picture."""

    method: Method
    scene: Scene
    noise: str
    seed: int
    settings: Settings
    code: tuple[str, ...] = ()
    """Digests of the user's own code in method and noise."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names its row."""
        return (self.method.name, self.scene.name, self.noise, str(self.seed))

    def fingerprint(self) -> str:
        """Return a digest of everything that decides the numbers: a changed recipe, file or setting changes it."""
        files = [None if path is None else digest(path) for path in (self.scene.clean, self.scene.noisy)]
        content = [self.method.identity, files, self.noise, self.seed, asdict(self.settings), *self.code]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


_KEY = r"(?:seed_everything|(?:model|data|trainer)\.[\w.]+)="
_OVERRIDE = re.compile(_KEY)
_VARIANT = re.compile(rf"([^=]*)=(.*?):({_KEY}.*)", re.DOTALL)


def methods(recipes: Recipes) -> list[Method]:
    """Return the methods that words name, or those of a mapping.

    A word is a recipe's name, a pattern, a YAML file, ``NAME=CHECKPOINT`` or a variant,
    ``NAME=RECIPE:KEY=VALUE,KEY=VALUE``. A pattern takes the recipes that need no checkpoint. A checkpoint is applied
    unchanged, unless NAME is a recipe for single pictures: then a fit starts from it.

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
    if variant := _VARIANT.fullmatch(word):
        name, source, overrides = variant.groups()
        yield _method(name, (source, [each.strip() for each in _pieces(overrides)]))
    elif sign:
        yield _method(name, source)
    elif any(letter in name for letter in "*?[") and not Path(name).is_file():
        matching = {each: load_recipe(each) for each in fnmatch.filter(recipe_names(), name)}
        zero_shot = {each: recipe for each, recipe in matching.items() if fits_one_picture(recipe)}
        if not zero_shot:
            raise UserError(f"{name}: no recipe for single pictures has such a name; `torchdenoise list recipes`")
        yield from (Method(each, recipe) for each, recipe in zero_shot.items())
    else:
        yield _method(name, load_recipe(name))


def _method(name: str, source: Source | tuple[Source, Sequence[str]]) -> Method:
    """Return a method by its name and its recipe, which may have overrides, or its checkpoint."""
    label = _label(name)
    source, changes = source if isinstance(source, tuple) else (source, ())
    overrides = (changes,) if isinstance(changes, str) else tuple(changes)
    recipe = source if isinstance(source, Mapping) else None
    if recipe is None and (overrides or _names_recipe(str(source))):
        recipe = load_recipe(str(source))
    if recipe is None:
        path = Path(str(source))
        stored = read_checkpoint(path)[KEY]["recipe"]
        own = load_recipe(name) if name in recipe_names() or Path(name).is_file() else None
        start = own if own and fits_one_picture(own) else None
        return Method(label, start, path, own_code([stored, start]))
    if not recipe.get("model"):
        raise RecipeError(f"{label}: a recipe needs at least a `model`")
    if not fits_one_picture(recipe):
        raise UserError(f"{name} is trained on a data set: give its checkpoint, {label}=FILE.ckpt")
    if any(each.startswith("seed_everything=") for each in overrides):
        raise UserError(f"{label}: a comparison sets the seed itself; use --seeds in place of seed_everything")
    return Method(label, recipe, None, own_code([recipe, *map(_value, overrides)]), overrides)


def _names_recipe(source: str) -> bool:
    """Return whether a source is a recipe's name or file, or else a checkpoint."""
    path = Path(source)
    return source in recipe_names() or path.suffix in (".yaml", ".yml") or not (path.suffix or path.exists())


def _value(override: str) -> Any:
    """Return the value of ``KEY=VALUE`` as plain data."""
    text = override.partition("=")[2]
    with suppress(yaml.YAMLError):
        return yaml.safe_load(text)
    return text


def _label(name: str) -> str:
    """Return what a method is called in tables and its pictures' file names."""
    label = Path(name).stem if Path(name).is_file() else name
    if not label or not label.isprintable() or any(sign in label for sign in "/\\:|"):
        raise UserError(f"{name!r} cannot name a method, and its pictures' files: leave out / \\ : | there")
    return label


def fits_one_picture(recipe: Mapping[str, Any]) -> bool:
    """Return whether a recipe is fitted to the one noisy picture, or trained on a data set."""
    data = recipe.get("data") or "SingleImage"
    name = data.get("class_path", "SingleImage") if isinstance(data, Mapping) else data
    return not isinstance(name, str) or name.endswith("SingleImage")  # what is no name, the build refuses


def scenes(clean: Sequence[Path], noisy: Sequence[Path]) -> list[Scene]:
    """Return clean pictures, noisy ones, or pairs of one name, given as files and folders.

    Raises:
        UserError: a file or folder that is not there, pictures without partner, or two of one name.
    """
    sides = [_by_name(paths) for paths in (clean, noisy)]
    if not any(sides):
        raise UserError("no pictures: give --data DIR, --noisy DIR, or --noisy DIR and --clean DIR")
    if all(sides):
        alone = sorted(set(sides[0]) ^ set(sides[1]))
        if alone:
            more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
            raise UserError(f"no partner of the same name for {', '.join(alone[:5])}{more}: rename or remove them")
    names = sides[0] or sides[1]
    return [Scene(name, sides[0].get(name), sides[1].get(name)) for name in names]


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_dir():
            with read_errors(path):
                check_input(path)
        for picture in find_pictures(path) if path.is_dir() else [path]:
            earlier = found.setdefault(picture.stem, picture)
            if not earlier.samefile(picture):
                raise UserError(f"{earlier} and {picture} have one name: rename one")
            try:
                picture.stem.encode()
            except UnicodeEncodeError:
                raise UserError(f"{str(picture)!a}: its name is not UTF-8, which tables need: rename it") from None
    return found


def plan(
    named: Sequence[Method], pictures: Sequence[Scene], noises: Sequence[str], seeds: Sequence[int], settings: Settings
) -> list[Job]:
    """Return all jobs; noise is synthetic where the scenes are clean pictures, their own elsewhere.

    Raises:
        UserError: a noise for pictures that have theirs, none for clean ones, or a spec that is none.
    """
    own = pictures[0].noisy is not None
    if own and noises:
        raise UserError("the noisy pictures have their own noise: leave out --noise, or give clean ones with --data")
    if not own and not noises:
        raise UserError("clean pictures need a noise: give --noise gaussian:25")
    models = {model.spec: model for model in map(from_spec, noises)}
    code = {REAL: ()} if own else {spec: own_code(model.recipe()) for spec, model in models.items()}
    chosen = list(dict.fromkeys(seeds)) or [0]
    return [
        Job(method, scene, spec, seed, settings, (*method.code, *code[spec]))
        for method, scene, spec, seed in product(named, pictures, code, chosen)
    ]


def bundles(jobs: Iterable[Job], gathering: Container[str] = ()) -> list[Sequence[Job]]:
    """Return the jobs as they are done: by itself each, or several at once.

    Those at once are so many pictures of a method as it allows, or what several readouts make of one fit.

    Args:
        jobs: to be done.
        gathering: names of methods whose readout accumulates outputs of the fit, which therefore is theirs alone.
    """
    unfilled: dict[tuple[str, ...], list[Job]] = {}
    made: list[Sequence[Job]] = []
    for job in jobs:
        name, stacked = job.method.name, job.settings.batch > 1
        what = (name,) if stacked else (name if name in gathering else job.method.fit_key, job.scene.name)
        bundle = unfilled.setdefault((*what, job.noise, str(job.seed)), [])
        if not bundle:
            made.append(bundle)
        bundle.append(job)
        if stacked and len(bundle) == job.settings.batch:
            del unfilled[*what, job.noise, str(job.seed)]
    return made
