"""The measure of faint spots against the formula of a Gaussian's sum, and the page."""

from math import exp, pi

import numpy as np
import pytest


@pytest.fixture
def faint(script):
    return script("faint_spots")


@pytest.mark.parametrize("width", [1.0, 1.6])
def test_the_brightness_of_a_spot_is_its_sum(faint, width):
    spot = faint.Spot(100.3, 90.6, 0.25)
    expected = 2 * pi * width**2 * spot.peak * (1 - exp(-(faint.RADIUS**2) / (2 * width**2)))
    assert faint.brightness(faint.drawn([spot], width), spot) == pytest.approx(expected, rel=0.03)
    assert faint.brightness(faint.drawn([spot], width) + 0.3, spot) == pytest.approx(expected, rel=0.03)


def test_spots_do_not_overlap(faint):
    each = faint.spots(np.random.default_rng(0))
    places = np.array([(spot.y, spot.x) for spot in each])
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 99 * np.eye(len(each))
    assert distances.min() > faint.RADIUS + faint.RING[1]


def test_the_page_has_a_row_for_each_recipe(faint):
    found = {"": [[1.0, 1.2]] * 4, "fast": [[0.5, 0.7]] * 4}
    assert "| `fast` | 0.60 ± 0.10 |" in faint.page(found)
    assert "| noisy picture | 1.10 ± 0.10 |" in faint.page(found)
