"""Noise: synthesis by model or spec, draws that can be repeated, estimation, and stabilisation of its variance."""

from torchdenoise.noise.assumptions import broken_assumptions
from torchdenoise.noise.clipping import clipped_moments, undo_clipped_mean
from torchdenoise.noise.correlation import correlation, unevenness
from torchdenoise.noise.draws import repeatable, seeded
from torchdenoise.noise.estimate import gaussian_level, poisson_photons, wavelet_level
from torchdenoise.noise.line import NoiseLine, noise_deviation, noise_line
from torchdenoise.noise.models import ClippedNoise, GaussianNoise, MixedNoise, NoiseModel, PoissonNoise, SummedNoise
from torchdenoise.noise.specs import from_spec
from torchdenoise.noise.stabilize import (
    anscombe,
    generalized_anscombe,
    inverse_anscombe,
    inverse_generalized_anscombe,
)

__all__ = [
    "ClippedNoise",
    "GaussianNoise",
    "MixedNoise",
    "NoiseLine",
    "NoiseModel",
    "PoissonNoise",
    "SummedNoise",
    "anscombe",
    "broken_assumptions",
    "clipped_moments",
    "correlation",
    "from_spec",
    "gaussian_level",
    "generalized_anscombe",
    "inverse_anscombe",
    "inverse_generalized_anscombe",
    "noise_deviation",
    "noise_line",
    "poisson_photons",
    "repeatable",
    "seeded",
    "undo_clipped_mean",
    "unevenness",
    "wavelet_level",
]
