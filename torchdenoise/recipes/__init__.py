"""Recipes: YAML files as ``torchdenoise fit --config`` takes them, and the code that builds objects from them."""

from torchdenoise.recipes.files import (
    AUTO,
    describe,
    learns_from,
    load_recipe,
    recipe_names,
    recipe_path,
    starts_trained,
)

__all__ = ["AUTO", "describe", "learns_from", "load_recipe", "recipe_names", "recipe_path", "starts_trained"]
