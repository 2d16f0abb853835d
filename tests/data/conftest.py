"""A folder of clean pictures for the tests of data modules."""

import numpy as np
import pytest
from helpers import write_png


@pytest.fixture
def folder(tmp_path):
    """Return a folder of five pictures of random pixels, so that every crop shows where it is from."""
    (tmp_path / "clean").mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).uniform(size=(12 + number, 20, 3))
        write_png(tmp_path / "clean" / f"{number}.png", pixels, depth=16)
    return tmp_path / "clean"
