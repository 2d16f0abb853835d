"""An example plugin: hide random pixels from a gated network and learn to predict them from their neighbors."""

from hidden_pixels.loss import HiddenPixelsLoss
from hidden_pixels.network import GatedCNN
from hidden_pixels.noise import SpeckleNoise

__all__ = ["GatedCNN", "HiddenPixelsLoss", "SpeckleNoise"]
