"""The exceptions, and suggestions for misspelt words."""

import subprocess
import sys

import pytest

from torchdenoise.errors import CheckpointError, DataError, PictureError, RecipeError, UserError, did_you_mean


@pytest.mark.parametrize("error", [CheckpointError, DataError, PictureError, RecipeError])
def test_programs_can_catch_every_mistake_as_a_user_error(error):
    assert issubclass(error, UserError)
    assert issubclass(error, ValueError)


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("gausian", " (did you mean gaussian?)"),
        ("GAUSSIAN", " (did you mean gaussian?)"),
        ("smallcnn", " (did you mean SmallCNN?)"),
        ("loss", ""),  # half of its letters are those of progress
        ("speckle", ""),
        ("", ""),
    ],
)
def test_suggestions(word, suggestion):
    assert did_you_mean(word, ["gaussian", "poisson", "SmallCNN", "progress"]) == suggestion


def test_errors_and_paths_need_no_torch():
    code = "import sys, torchdenoise.errors, torchdenoise.paths; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
