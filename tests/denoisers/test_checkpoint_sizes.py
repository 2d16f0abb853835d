"""Checkpoints that describe larger models than they hold: refused before they take time or memory."""

import time

import psutil
import pytest
import torch

from tests.denoisers.small_fits import fit, picture, small
from torchdenoise import denoisers
from torchdenoise.denoisers import Denoiser
from torchdenoise.denoisers.checkpoint_sizes import check_size
from torchdenoise.errors import CheckpointError
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.building import build_fit

LIES = [
    *((name, "width", 10**9 + 1) for name in denoisers.networks.__all__ if name != "Network"),
    *((name, "depth", 10**8) for name in ("SmallCNN", "UnshuffleCNN", "Noise2FastNet", "TwoScaleCNN")),
    ("SmallCNN", "depth", 10**30),
    ("SmallCNN", "channels", 10**9),
    ("N2VUNet", "kernel", 10**6 + 1),
    ("SkipNet", "skips", 10**9),
]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return the path of a checkpoint of a narrow network."""
    path = tmp_path_factory.mktemp("fitted") / "fitted.ckpt"
    fit(small(), picture(1), steps=1).save_checkpoint(path)
    return path


def lying(fitted, tmp_path, network, **arguments):
    content, path = torch.load(fitted, weights_only=True), tmp_path / "lying.ckpt"
    described = {"class_path": f"torchdenoise.denoisers.{network}", "init_args": arguments}
    content["torchdenoise"]["recipe"]["init_args"]["network"] = described
    torch.save(content, path)
    return path


@pytest.mark.parametrize(("network", "argument", "value"), LIES)
def test_a_model_that_is_larger_than_its_file_is_refused_at_once(fitted, tmp_path, network, argument, value):
    path = lying(fitted, tmp_path, network, **{argument: value})
    process = psutil.Process()
    memory, begin = process.memory_info().rss, time.process_time()
    with pytest.raises(CheckpointError, match=r"lying.ckpt: (describes a model that is larger|.* cannot be built)"):
        Denoiser.load(path)
    assert time.process_time() - begin < 5
    assert process.memory_info().rss - memory < 1 << 28


def test_predict_refuses_it_too(fitted, tmp_path, run, noisy_png):
    path = lying(fitted, tmp_path, "SmallCNN", channels=3, width=10**9)
    outcome = run("predict", "--ckpt_path", path, "--data.path", noisy_png)
    assert outcome.code == 2
    reason = "describes a model that is larger than the file: give one that `torchdenoise fit` wrote"
    assert outcome.err == f"torchdenoise: {path}: {reason}\n"


def test_the_models_of_all_recipes_are_as_large_as_their_files(tmp_path):
    path = tmp_path / "model.ckpt"
    for name in recipe_names():
        model = build_fit(load_recipe(name)).model
        torch.save(model.state_dict(), path)
        check_size(path, model.recipe())


def test_the_callers_modules_are_built_as_before(fitted, tmp_path):
    with pytest.raises(CheckpointError):
        Denoiser.load(lying(fitted, tmp_path, "SmallCNN", width=10**6))
    assert torch.nn.Linear(1000, 1000).weight.device.type == "cpu"
