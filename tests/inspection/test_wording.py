"""What is found in a picture, in words."""

import pytest
from helpers import clean_image

from torchdenoise.inspection import in_words, inspect_noise
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, ValueRange, repeatable


def test_photons_are_counted():
    rows = dict(in_words(inspect_noise(repeatable("poisson:20", clean_image(3, 128, 128))), []))
    photons = rows["sensor"].rpartition("; about ")[2]
    assert 18 <= int(photons.removesuffix(" photons at white")) <= 22


@pytest.mark.parametrize(("dtype", "photons"), [("uint16", "; 0.125 photons a count"), ("float32", "")])
def test_a_sensor_is_described_in_the_values_of_the_file(dtype, photons):
    level = NoiseLevelFunction(0.002, 0.004, offset=0.05)
    rows = dict(in_words(inspect_noise(clean_image(1, 64, 64), NoiseProfile(level), ValueRange(dtype, 95, 4095)), []))
    assert rows["sensor"] == "gain 0.51, read noise 1.02, pedestal 12.8 (of 255); about 500 photons at white"
    assert rows["in the file's values"] == f"gain 8, read noise 16, pedestal 295{photons}"
    rows = dict(in_words(inspect_noise(clean_image(1, 64, 64), NoiseProfile(level), ValueRange("uint8", 0, 255)), []))
    assert "in the file's values" not in rows


def test_a_drawing_without_noise_has_no_photons():
    profile = NoiseProfile(NoiseLevelFunction(5e-25, 0.0, True))  # as measured in one with smooth edges
    rows = in_words(inspect_noise(clean_image(3, 64, 64), profile), [])
    assert "photons" not in str(rows)
    assert ("note", "no noise is found: there is none, or the picture does not show it") in rows
