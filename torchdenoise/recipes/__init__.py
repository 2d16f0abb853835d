"""Recipes: one YAML file each, exactly what ``torchdenoise fit --config`` takes, and what builds objects from them."""

from torchdenoise.recipes.files import describe, load_recipe, recipe_names, recipe_path

__all__ = ["describe", "load_recipe", "recipe_names", "recipe_path"]
