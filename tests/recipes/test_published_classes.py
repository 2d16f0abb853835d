"""The defaults of every published class are those of its recipe, except for the differences listed here."""

import pytest
import torch

from torchdenoise import denoisers, recipes
from torchdenoise.recipes.building import build_fit

LENGTH_N2N = {"scheduler.steps": (500_000, 50_000)}  # the class has the published length
PER_FIFTH = "scheduler.step_size"  # recipes halve the learning rate five times in their own number of steps
DIFFERENCES = {
    ("anscombe-bm3d", "AnscombeBM3D"): {},
    ("bm3d", "BM3D"): {},
    ("bm3d-correlated", "BM3DCorrelated"): {},
    ("bm3d-oracle", "BM3DOracle"): {},
    ("dip", "DeepImagePrior"): {},
    ("fast", "Recorrupted"): {},
    ("mash", "MASH"): {},
    ("n2c", "Noise2Clean"): LENGTH_N2N,
    ("n2n", "Noise2Noise"): LENGTH_N2N,
    ("n2v", "Noise2Void"): {PER_FIFTH: (1000, 8000)},
    ("neighbor2neighbor", "Neighbor2Neighbor"): {PER_FIFTH: (1000, 10_000)},
    ("nl-ridge", "NLRidge"): {},
    ("nlm", "NLMeans"): {},
    ("nlr", "NLR"): {},
    ("nlr-real", "NLRReal"): {},
    ("noise2fast", "Noise2Fast"): {},
    ("pixel2pixel", "Pixel2Pixel"): {},
    ("pretrained", "Pretrained"): {},
    ("self2self", "Self2Self"): {},
    ("tv", "TotalVariation"): {},
    ("wavelet", "Wavelet"): {},
    ("zsn2m", "ZSN2M"): {},
    ("zsn2m-star", "ZSN2MStar"): {},
    ("zsn2n", "ZSN2N"): {},
}


def flat(value, place=""):
    """Yield (dotted place, plain value) of a nested description."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{place}.{key}" if place else key)
    else:
        yield place, value


def described(model):
    """Return everything that a model was built with, optimizers and schedules included."""
    parts = dict(model.recipe()["init_args"])
    for name in model.left_out:
        if name.endswith("optimizer"):
            optimizer = getattr(model, name)([torch.nn.Parameter(torch.zeros(1))])
            schedule = getattr(model, name.replace("optimizer", "scheduler"))(optimizer)
            parts[name] = {"class": type(optimizer).__name__, **optimizer.defaults}
            parts[name.replace("optimizer", "scheduler")] = {"class": type(schedule).__name__, **schedule.state_dict()}
    return dict(flat(parts))


@pytest.mark.parametrize(("recipe", "name"), DIFFERENCES)
def test_a_class_has_the_defaults_of_its_recipe(recipe, name):
    given = described(getattr(denoisers, name)())
    wanted = described(build_fit(recipes.load_recipe(recipe)).model)
    found = {
        place: (given.get(place), wanted.get(place))
        for place in given | wanted
        if given.get(place) != wanted.get(place)
    }
    assert found == DIFFERENCES[recipe, name]


def test_every_class_with_a_recipe_is_compared():
    used = {recipes.load_recipe(name)["model"]["class_path"].rpartition(".")[2] for name in recipes.recipe_names()}
    assert used == {name for _, name in DIFFERENCES}
