"""What is found in a picture, in words."""

from helpers import clean_image

from torchdenoise.inspection import in_words, inspect_noise
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, repeatable


def test_photons_are_counted():
    rows = dict(in_words(inspect_noise(repeatable("poisson:20", clean_image(3, 128, 128))), []))
    photons = rows["gain"].rpartition("; about ")[2]
    assert 18 <= int(photons.removesuffix(" photons at white")) <= 22


def test_a_drawing_without_noise_has_no_photons():
    profile = NoiseProfile(NoiseLevelFunction(5e-25, 0.0, True))  # as measured in one with smooth edges
    rows = in_words(inspect_noise(clean_image(3, 64, 64), profile), [])
    assert "photons" not in str(rows)
    assert ("note", "no noise is found: there is none, or the picture does not show it") in rows
