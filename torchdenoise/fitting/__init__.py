"""Denoising by a recipe, from noisy image to clean one; used by the command line, the Python API and comparisons."""

from torchdenoise.deprecation import renamed
from torchdenoise.fitting.denoising import DEFAULT_RECIPE, denoise, restorer
from torchdenoise.fitting.frames import Restore
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, apply_denoiser, build, fit_image, fit_shared
from torchdenoise.fitting.step_graphs import StepGraphs
from torchdenoise.fitting.together import Result, fit_images, recipe_stacking_obstacle, unwrap
from torchdenoise.fitting.trainers import HYGIENE, accelerator

__all__ = [
    "DEFAULT_RECIPE",
    "HYGIENE",
    "Fitted",
    "Options",
    "Restore",
    "Result",
    "StepGraphs",
    "accelerator",
    "apply_denoiser",
    "build",
    "denoise",
    "fit_image",
    "fit_images",
    "fit_shared",
    "recipe_stacking_obstacle",
    "restorer",
    "unwrap",
]

__getattr__ = renamed(__name__, {"settled": "unwrap", "why_alone": "recipe_stacking_obstacle"}, globals())
