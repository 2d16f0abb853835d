"""From a noisy picture to a clean one by a recipe: the road that command line, Python API and comparisons all take."""

from torchdenoise.fitting.denoising import DEFAULT_RECIPE, Restore, denoise, restorer
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, apply_denoiser, build, fit_image, fit_readings
from torchdenoise.fitting.together import Result, fit_images, recipe_stacking_obstacle, unwrap
from torchdenoise.fitting.trainers import HYGIENE, accelerator

__all__ = [
    "DEFAULT_RECIPE",
    "HYGIENE",
    "Fitted",
    "Options",
    "Restore",
    "Result",
    "accelerator",
    "apply_denoiser",
    "build",
    "denoise",
    "fit_image",
    "fit_images",
    "fit_readings",
    "recipe_stacking_obstacle",
    "restorer",
    "unwrap",
]
