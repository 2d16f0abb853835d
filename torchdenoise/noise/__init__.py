"""Noise: synthesis by model or spec, repeatable draws, estimation, and variance stabilisation.

``measure_noise`` returns all that is known of one image's noise, a ``NoiseProfile``; ``docs/noise.md`` explains it.
"""

from torchdenoise.deprecation import renamed
from torchdenoise.noise.assumptions import Assumption, broken_assumptions
from torchdenoise.noise.blocks import LevelCurve
from torchdenoise.noise.camera import CameraNoise, JPEGNoise
from torchdenoise.noise.clipping import clipped_moments, undo_clipped_mean
from torchdenoise.noise.correlated_models import BlurredNoise, RowNoise, SharedNoise
from torchdenoise.noise.correlation import correlation, unevenness
from torchdenoise.noise.draws import repeatable, seeded
from torchdenoise.noise.estimators import gaussian_level, poisson_photons, wavelet_level
from torchdenoise.noise.given import given_profile, given_profiles
from torchdenoise.noise.level_function import NoiseLevelFunction, noise_deviation, noise_level_function
from torchdenoise.noise.measured import MeasuredNoise, draw_noise
from torchdenoise.noise.measuring import FramesNoise, ImagesNoise, NoiseSource, Profiles, level_patches, measure_noise
from torchdenoise.noise.models import (
    ClippedNoise,
    GaussianNoise,
    MixedNoise,
    NoiseModel,
    PoissonNoise,
    StoredNoise,
    SummedNoise,
)
from torchdenoise.noise.outliers import Impulses, find_outliers, replace_outliers
from torchdenoise.noise.profile import NoiseProfile, ValueRange
from torchdenoise.noise.profile_files import load_profile, load_profiles, save_profile
from torchdenoise.noise.regions import informative_pixels
from torchdenoise.noise.specs import from_spec
from torchdenoise.noise.stabilization import (
    anscombe,
    destabilize,
    generalized_anscombe,
    inverse_anscombe,
    inverse_generalized_anscombe,
    stabilize,
)
from torchdenoise.noise.stripes import StripeNoise, remove_stripes, row_column_noise
from torchdenoise.noise.variation import LevelVariation, level_map

__all__ = [
    "Assumption",
    "BlurredNoise",
    "CameraNoise",
    "ClippedNoise",
    "FramesNoise",
    "GaussianNoise",
    "ImagesNoise",
    "Impulses",
    "JPEGNoise",
    "LevelCurve",
    "LevelVariation",
    "MeasuredNoise",
    "MixedNoise",
    "NoiseLevelFunction",
    "NoiseModel",
    "NoiseProfile",
    "NoiseSource",
    "PoissonNoise",
    "Profiles",
    "RowNoise",
    "SharedNoise",
    "StoredNoise",
    "StripeNoise",
    "SummedNoise",
    "ValueRange",
    "anscombe",
    "broken_assumptions",
    "clipped_moments",
    "correlation",
    "destabilize",
    "draw_noise",
    "find_outliers",
    "from_spec",
    "gaussian_level",
    "generalized_anscombe",
    "given_profile",
    "given_profiles",
    "informative_pixels",
    "inverse_anscombe",
    "inverse_generalized_anscombe",
    "level_map",
    "level_patches",
    "load_profile",
    "load_profiles",
    "measure_noise",
    "noise_deviation",
    "noise_level_function",
    "poisson_photons",
    "remove_stripes",
    "repeatable",
    "replace_outliers",
    "row_column_noise",
    "save_profile",
    "seeded",
    "stabilize",
    "undo_clipped_mean",
    "unevenness",
    "wavelet_level",
]

__getattr__ = renamed(__name__, {"NoiseLine": "NoiseLevelFunction", "noise_line": "noise_level_function"}, globals())
