"""A fit to one image."""

from dataclasses import replace

import pytest
import torch
from helpers import noisy_scene

from tests.noise.correlated import smoothed
from torchdenoise.errors import RecipeError
from torchdenoise.fitting import Options, build, fit_image, fit_shared
from torchdenoise.recipes import load_recipe

OPTIONS = Options(max_steps=2, device="cpu")


def image():
    return torch.from_numpy(noisy_scene(16, 17)).float().permute(2, 0, 1)[None]


def with_readout(name):
    recipe = load_recipe("zsn2n")
    arguments = {**recipe["model"]["init_args"], "readout": {"class_path": name}}
    return {**recipe, "model": {**recipe["model"], "init_args": arguments}}


def test_readouts_of_a_shared_fit_equal_those_of_separate_fits():
    recipes = [with_readout(f"torchdenoise.denoisers.{name}") for name in ("OnePass", "EightTurns")]
    shared = fit_shared(image(), [(recipe, OPTIONS) for recipe in recipes])
    separate = [fit_image(image(), recipe, OPTIONS) for recipe in recipes]
    assert all(torch.equal(one.image, other.image) for one, other in zip(shared, separate, strict=True))
    assert not torch.equal(shared[0].image, shared[1].image)


def test_readouts_of_correlated_noise_are_fitted_separately():
    """The fit of a finer scale depends on how the coarser ones were read."""
    noisy, recipe = 0.5 + 0.1 * smoothed(96, 96), load_recipe("fast")
    each = [
        (recipe, replace(OPTIONS, overrides=["model.network.width=4", f"model.readout={name}"]))
        for name in ("OnePass", "EightTurns")
    ]
    shared = fit_shared(noisy, each)
    separate = [fit_image(noisy, *one) for one in each]
    assert all(torch.equal(one.image, other.image) for one, other in zip(shared, separate, strict=True))


def test_building_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    assert build(load_recipe("zsn2n"), OPTIONS).stages()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        ("n2n", (), "is trained on a data set: use `torchdenoise fit`, then `torchdenoise denoise --ckpt`"),
        ("zsn2n", ("data.data_range=255",), "data.data_range is only used by `torchdenoise fit`"),
    ],
)
def test_recipes_that_are_refused(recipe, overrides, message):
    with pytest.raises(RecipeError, match=message):
        build(load_recipe(recipe), Options(overrides=overrides))
