"""Frames handed over as channels."""

import numpy as np
import pytest
from helpers import scene

from torchdenoise.data.alignment import shifted_channels


def blobs(seed, size=112):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centres = random.uniform(0, size, (30, 2))
    return sum(np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18) for row, column in centres)


@pytest.mark.parametrize("shift", [(3, 0), (-4, 7)])
@pytest.mark.parametrize("photons", [10, 1000])
def test_shifted_copies_are_found_and_named(shift, photons):
    first = blobs(0)
    pair = np.dstack([first, np.roll(first, shift, (0, 1))])
    found = shifted_channels(np.random.default_rng(1).poisson(photons * pair))
    assert found.startswith(f"channels 1 and 2 show the same, shifted by {shift[0]} rows and {shift[1]} columns")


@pytest.mark.parametrize(
    "frame",
    [
        np.dstack([blobs(0), blobs(1), blobs(2)]),
        np.dstack([blobs(0), 0.2 * blobs(0) + 0.1]),
        np.dstack([blobs(0), np.roll(blobs(0), 1, 0)]),
        np.random.default_rng(0).normal(size=(112, 112, 5)),
        np.dstack([blobs(0), np.zeros((112, 112))]),
        scene(128, 120),
        np.dstack([blobs(0, 20), np.roll(blobs(0, 20), 5, 0)]),
    ],
    ids=["others", "scaled", "one pixel", "noise", "empty", "colours", "small"],
)
def test_true_channels_are_not(frame):
    assert shifted_channels(frame + 0.01 * np.random.default_rng(3).normal(size=frame.shape)) == ""
