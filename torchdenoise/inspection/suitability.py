"""Which recipes' assumptions the noise of a picture fulfils."""

from dataclasses import dataclass

from torchdenoise.data import DenoisingData
from torchdenoise.denoisers import Denoiser
from torchdenoise.inspection.inspecting import Inspection
from torchdenoise.recipes import load_recipe, recipe_names, starts_trained
from torchdenoise.registry import resolve

RECOMMENDED = ("fast", "best", "instant", "pretrained-fast", "pretrained", "pretrained-best")
"""Recipes for most pictures, most useful first."""


@dataclass(frozen=True)
class Suitability:
    """A recipe, and which of its assumptions do not hold."""

    recipe: str
    broken: tuple[str, ...]


def suitable_recipes(inspection: Inspection, chosen: str = "") -> list[Suitability]:
    """Return the recipes for a single picture without further knowledge, each with its broken assumptions.

    Args:
        inspection: of the picture.
        chosen: the recipe that ``auto`` takes, which comes first; then come those for most pictures, then all others.

    Example:
        >>> import torch
        >>> from torchdenoise.inspection import inspect_noise
        >>> white = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> [each.recipe for each in suitable_recipes(inspect_noise(0.5 + 0.1 * white)) if each.broken]
        ['anscombe-bm3d']
    """
    models = _models()
    first = [name for name in dict.fromkeys((chosen, *RECOMMENDED)) if name in models]
    return [
        Suitability(name, tuple(str(each) for each in models[name].assumes if each in inspection.broken))
        for name in dict.fromkeys((*first, *models))
    ]


def single_picture_recipes() -> list[str]:
    """Return the names of the recipes for a single picture without further knowledge.

    Example:
        >>> "fast" in single_picture_recipes(), "bm3d-oracle" in single_picture_recipes()
        (True, False)
    """
    return list(_models())


def _models() -> dict[str, type[Denoiser]]:
    """Return the classes of the recipes for a single picture without further knowledge, by the recipe's name."""
    found = {}
    for name in recipe_names():
        recipe = load_recipe(name)
        model, data = resolve(recipe["model"]["class_path"]), resolve(_class_path(recipe.get("data")))
        if model is None or not issubclass(model, Denoiser) or model.requires:
            continue
        if data is not None and issubclass(data, DenoisingData) and not data.zero_shot:
            continue
        if not starts_trained(name):
            found[name] = model
    return found


def _class_path(part: object) -> str:
    return str(part.get("class_path", "")) if isinstance(part, dict) else ""
