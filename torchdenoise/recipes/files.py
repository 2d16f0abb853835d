"""Recipe files by name or path. Nothing here needs torch, so that a misspelt name is reported at once."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from torchdenoise.bounded import MAX_YAML, check_plain, load_yaml, read_text
from torchdenoise.errors import RecipeError, UserError, did_you_mean
from torchdenoise.registry import class_path, constructor_parameters, resolve

FOLDER = Path(str(files("torchdenoise.recipes")))
SUFFIXES = (".yaml", ".yml")
CHECKPOINT_SUFFIXES = (".ckpt", ".safetensors")
AUTO = "auto"
"""Stands for a choice between recipes, which is made for each picture; no recipe itself."""
COMMAND_ONLY = ("ckpt_path", "weights_only", "verbose", "return_predictions")
"""Keys of ``--print_config`` and of a run's ``config.yaml`` that do not belong to a recipe."""


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def recipe_path(name: str) -> Path:
    """Return the file of a recipe, given its name or the path of a YAML file; an existing file wins.

    Raises:
        RecipeError: neither a file nor a recipe, or a checkpoint.

    Example:
        >>> recipe_path("zsn2n").name
        'zsn2n.yaml'
    """
    own = Path(name)
    if own.suffix in CHECKPOINT_SUFFIXES:
        raise RecipeError(
            f"{name}: a checkpoint, not a recipe: in Python give checkpoint=, to denoise --ckpt, to fit, test and "
            "predict --ckpt_path, to compare NAME=FILE"
        )
    if own.is_file():
        return own
    if name not in recipe_names() and (own.suffix in SUFFIXES or len(own.parts) > 1):
        raise RecipeError(f"{name}: no such recipe file")
    return shipped_recipe_path(name)


def shipped_recipe_path(name: str) -> Path:
    """Return the file of a recipe that comes with the package, given its name.

    Raises:
        RecipeError: no such recipe; the message suggests the nearest one.

    Example:
        >>> shipped_recipe_path("zsn2n").name
        'zsn2n.yaml'
    """
    known = recipe_names()
    if name == AUTO:
        raise RecipeError(
            f"{AUTO} is no recipe, but the choice between pretrained-fast and fast that `denoise` and `compare` make "
            "for each picture: name one of them"
        )
    if name not in known:
        cls = None if name.lower() in known else resolve(name)
        if cls is not None and cls.kind == "denoisers":
            raise RecipeError(
                f"{name} is a method, not a recipe: write a file, mine.yaml, with the lines model: {{class_path: "
                f"{class_path(cls)}}} and trainer: {{max_steps: 1000}}, and name the file"
            )
        raise RecipeError(f"{name}: unknown recipe{did_you_mean(name, known)}; `torchdenoise list recipes` shows all")
    return FOLDER / f"{name}.yaml"


def load_recipe(name: str) -> dict[str, Any]:
    """Return a recipe as a plain dict, without run-only keys such as the checkpoint's path.

    Raises:
        RecipeError: no such recipe, or a file that is not YAML with a ``model``.
    """
    content = read_config(name)
    if not content.get("model"):
        path = recipe_path(name)
        raise RecipeError(f"{path}: a recipe needs at least a `model`; `torchdenoise fit --print_config` writes one")
    return {key: value for key, value in content.items() if key not in COMMAND_ONLY}


def read_config(name: str) -> dict[str, Any]:
    """Return the contents of a recipe file, which may hold a part of a recipe; empty if it holds no mapping.

    Raises:
        RecipeError: no such recipe, or a file that is not YAML, or larger than any recipe.
    """
    path = recipe_path(name)
    try:
        content = load_yaml(_text(path))
        check_plain(content)
    except UserError as error:
        raise RecipeError(f"{path}: {error}") from None
    return content if isinstance(content, dict) else {}


def describe(name: str) -> str:
    """Return the comment on the first line of a recipe."""
    first = _text(recipe_path(name)).partition("\n")[0]
    return first.removeprefix("#").strip()


def learns_from(name: str) -> str:
    """Return what the result of a recipe is learnt from: one picture, pretrained weights, or a data set.

    Example:
        >>> learns_from("zsn2n"), learns_from("pretrained-best"), learns_from("n2c")
        ('one picture', 'pretrained weights', 'a data set')
    """
    recipe = load_recipe(name)
    if "PretrainedUNet" in str(recipe["model"]):
        return "pretrained weights"
    return "one picture" if "SingleImage" in str(recipe.get("data")) else "a data set"


def starts_trained(name: str) -> bool:
    """Return whether a recipe of the package takes its network from a checkpoint: it names every part of its own.

    Example:
        >>> starts_trained("zsn2n-finetune"), starts_trained("zsn2n"), starts_trained("bm3d"), starts_trained("my.yaml")
        (True, False, False, False)
    """
    if name not in recipe_names():
        return False
    model = load_recipe(name)["model"]
    cls = resolve(model["class_path"])
    takes = cls is not None and "network" in [each.name for each in constructor_parameters(cls)]
    return takes and "network" not in model.get("init_args", {})


def _text(path: Path) -> str:
    try:
        return read_text(path, MAX_YAML)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from None
