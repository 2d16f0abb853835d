"""Noise: synthesis by model or spec, draws that can be repeated, estimation, and stabilisation of its variance."""

from torchdenoise.noise.draws import repeatable, seeded
from torchdenoise.noise.estimate import correlation, gaussian_level, poisson_photons, wavelet_level
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
    "NoiseModel",
    "PoissonNoise",
    "SummedNoise",
    "anscombe",
    "correlation",
    "from_spec",
    "gaussian_level",
    "generalized_anscombe",
    "inverse_anscombe",
    "inverse_generalized_anscombe",
    "poisson_photons",
    "repeatable",
    "seeded",
    "wavelet_level",
]
