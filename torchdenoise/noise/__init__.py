"""Noise: synthesis by model or spec, and draws that can be repeated."""

from torchdenoise.noise.draws import repeatable, seeded
from torchdenoise.noise.models import ClippedNoise, GaussianNoise, MixedNoise, NoiseModel, PoissonNoise, SummedNoise
from torchdenoise.noise.specs import from_spec

__all__ = [
    "ClippedNoise",
    "GaussianNoise",
    "MixedNoise",
    "NoiseModel",
    "PoissonNoise",
    "SummedNoise",
    "from_spec",
    "repeatable",
    "seeded",
]
