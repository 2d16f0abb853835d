"""The line that says on which noise pictures are scored."""

from types import SimpleNamespace

import pytest

from torchdenoise.callbacks.scored_noise import ScoredNoise
from torchdenoise.data import ImageFolder, PairFolder, SingleImage


@pytest.mark.parametrize("hook", ["on_validation_start", "on_test_start"])
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (ImageFolder(noise="poisson:25+gaussian:5:clip", seed=4), "poisson:25+gaussian:5:clip, seed 4"),
        (SingleImage(noise="gaussian:10"), "gaussian:10, seed 0"),
        (SingleImage(), "that of the pictures themselves"),
        (PairFolder(), "that of the pictures themselves"),
    ],
)
def test_the_first_process_names_noise_and_seed(capsys, hook, data, line):
    getattr(ScoredNoise(), hook)(SimpleNamespace(is_global_zero=True, datamodule=data), None)
    assert capsys.readouterr().out == f"noise: {line}\n"
    getattr(ScoredNoise(), hook)(SimpleNamespace(is_global_zero=False, datamodule=data), None)
    assert capsys.readouterr().out == ""
