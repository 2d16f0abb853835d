"""Objects built from recipes and overrides."""

import pytest
import torch
import yaml

from torchdenoise import UserError, recipes
from torchdenoise.data import DenoisingData
from torchdenoise.recipes.building import build_fit


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_builds_and_says_what_it_is(name):
    fit = build_fit(recipes.load_recipe(name))
    assert isinstance(fit.data, DenoisingData)
    assert (fit.trainer.get("max_steps", 0) > 0) == bool(fit.model.stages())  # a classical method has no steps
    assert fit.seed == 0
    assert len(recipes.describe(name)) > 20


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_names_its_parts_by_class(name):
    recipe = recipes.load_recipe(name)
    if not build_fit(recipe).model.stages():
        return  # a classical method has no parts
    parts = recipe["model"]["init_args"]
    assert {"loss", "optimizer", "scheduler"} <= set(parts)
    assert ("network" in parts) == (name != "zsn2n-finetune")  # whose network is a checkpoint's
    assert all("class_path" in part for part in parts.values() if not isinstance(part, float | int))


def test_the_same_seed_builds_the_same_network():
    recipe = recipes.load_recipe("zsn2n")
    first, second, other = (build_fit(recipe, [f"seed_everything={seed}"]).model for seed in (0, 0, 1))
    weights = [model.network.layers[0].weight for model in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        (["model.network.width=64"], lambda fit: fit.model.network.arguments["width"] == 64),
        (["model.network=SmallCNN", "model.network.depth=4"], lambda fit: fit.model.network.arguments["depth"] == 4),
        (["model.loss.consistency_weight=0"], lambda fit: fit.model.loss.consistency_weight == 0),
        (["model.readout=EightTurns"], lambda fit: type(fit.model.readout).__name__ == "EightTurns"),
        (["trainer.precision=bf16-mixed"], lambda fit: fit.trainer["precision"] == "bf16-mixed"),
        (["data.noise=poisson:25"], lambda fit: fit.data.noise.photons == 25),
        (["model.optimizer=SGD", "model.optimizer.lr=0.5"], lambda fit: rate(fit.model) == 0.5),
    ],
)
def test_overrides_reach_every_argument(overrides, read):
    assert read(build_fit(recipes.load_recipe("zsn2n"), overrides))


def rate(model):
    """Return the rate of the optimizer that a model would be fitted with."""
    optimizer = model.optimizer(list(model.named_parameters()))
    assert isinstance(optimizer, torch.optim.SGD)
    return optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modell": 3}, "modell: no such option (did you mean model?)"),
        ({"model": {"class_path": "ZSN2X"}}, "no class ZSN2X fits here (did you mean ZSN2N?)"),
        ({"model": {"class_path": "ZSN2N", "init_args": {"netwrk": None}}}, "model.netwrk: no such option"),
        (
            {"model": {"class_path": "ZSN2N", "init_args": {"loss": {"class_path": "OnCrops"}}}},
            "OnCrops needs loss: give both at once",
        ),
        ({"trainer": {"max_steps": "many"}}, "trainer.max_steps: expected int, got many"),
        ({"data": {"class_path": "SingleImage", "init_args": {"noise": "gaussian:x"}}}, "write it like one of"),
    ],
)
def test_mistakes_in_a_users_file_are_one_line(tmp_path, change, message):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump({**recipes.load_recipe("zsn2n"), **change}))
    with pytest.raises(UserError) as caught:
        build_fit(recipes.load_recipe(str(own)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
