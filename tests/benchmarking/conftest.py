"""Fixtures for the tests of comparisons."""

import pytest
from helpers import scene, write_pictures


@pytest.fixture
def clean(tmp_path):
    """Return a folder of two clean pictures of different size."""
    return write_pictures(tmp_path / "clean", scene)
