"""What the noise of a picture is: facts, which recipes suit it, and a page with plots."""

from torchdenoise.inspection.findings import Findings, inspect_frames, inspect_image
from torchdenoise.inspection.inspecting import Inspection, inspect_noise
from torchdenoise.inspection.page import page
from torchdenoise.inspection.sampling import sampled
from torchdenoise.inspection.suitability import Suitability, single_picture_recipes, suitable_recipes
from torchdenoise.inspection.wording import in_words

__all__ = [
    "Findings",
    "Inspection",
    "Suitability",
    "in_words",
    "inspect_frames",
    "inspect_image",
    "inspect_noise",
    "page",
    "sampled",
    "single_picture_recipes",
    "suitable_recipes",
]
