"""What the noise of a picture is: facts, which recipes suit it, and a page with plots."""

from torchdenoise.inspection.inspecting import Inspection, inspect_noise
from torchdenoise.inspection.page import page
from torchdenoise.inspection.suitability import Suitability, suitable_recipes

__all__ = ["Inspection", "Suitability", "inspect_noise", "page", "suitable_recipes"]
