"""A part of the model that is named anew starts from its own defaults, on every way that it can be named."""

import json

import pytest
from torch.optim import Adam

from torchdenoise.cli import main
from torchdenoise.denoisers import EightTurns, RandomMaskDownsampler, UnshuffleCNN, ZSN2MLoss
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.building import build_fit
from torchdenoise.recipes.class_defaults import with_class_defaults

UNSHUFFLE = '{"class_path": "UnshuffleCNN"}'


@pytest.mark.parametrize("name", ["UnshuffleCNN", "torchdenoise.denoisers.UnshuffleCNN", UNSHUFFLE])
def test_another_network_is_not_as_wide_as_the_recipes(name):
    recipe = load_recipe("n2c")
    assert recipe["model"]["init_args"]["network"]["init_args"]["width"] == 48
    network = build_fit(recipe, [f"model.network={name}"]).model.network
    assert isinstance(network, UnshuffleCNN)
    assert network.arguments["width"] == 64
    narrow = build_fit(recipe, [f"model.network={name}", "model.network.width=8"]).model.network
    assert narrow.arguments["width"] == 8


def test_another_loss_has_its_own_downsampler():
    loss = build_fit(load_recipe("zsn2n"), ["model.loss=ZSN2MLoss"]).model.loss
    assert isinstance(loss, ZSN2MLoss)
    assert isinstance(loss.downsampler, RandomMaskDownsampler)


def test_a_loss_in_a_loss_has_too():
    words = '{"class_path": "OnCrops", "init_args": {"size": 16, "loss": {"class_path": "RecorruptedLoss"}}}'
    [_, word] = with_class_defaults(["--model.loss", words])
    inner = json.loads(word)["init_args"]["loss"]
    assert json.loads(word)["init_args"]["size"] == 16
    assert {"amount", "share"} <= set(inner["init_args"])
    build_fit(load_recipe("fast"), [f"model.loss={words}"])


def test_a_part_of_a_part_is_changed_by_name():
    model = build_fit(load_recipe("zsn2n"), ["model.loss.downsampler=RandomMaskDownsampler"]).model
    assert isinstance(model.loss.downsampler, RandomMaskDownsampler)
    words = ["model.loss=OnCrops", "model.loss.loss=ZSN2NLoss", "model.loss.loss.residual_weight=2"]
    assert build_fit(load_recipe("zsn2n"), words).model.loss.loss.residual_weight == 2


@pytest.mark.parametrize("name", ["Adam", "torch.optim.Adam"])
def test_another_optimizer_has_its_own_rate(name):
    model = build_fit(load_recipe("fast"), [f"model.optimizer={name}"]).model
    optimizer = model.optimizer(model.named_parameters())
    assert isinstance(optimizer, Adam)
    assert optimizer.defaults["lr"] == 0.001
    assert tuple(optimizer.defaults["betas"]) == (0.9, 0.999)


def test_words_that_name_no_class_stay():
    words = [
        "--config",
        "zsn2n",
        "--model.network.width",
        "64",
        "--model.readout",
        "nowhere.Class",
        "--data=SingleImage",
    ]
    assert with_class_defaults(words) == words


def test_the_class_a_recipe_has_already_starts_anew_too():
    assert isinstance(build_fit(load_recipe("zsn2n"), ["model.readout=EightTurns"]).model.readout, EightTurns)
    network = build_fit(load_recipe("fast"), ["model.network=SmallCNN"]).model.network
    assert network.arguments["width"] == 48


def test_on_the_command_line_as_well(capsys):
    assert (
        main(["fit", "--config", "n2c", "--model.network", "UnshuffleCNN", "--data.train", "x", "--print_config"]) == 0
    )
    printed = capsys.readouterr().out
    network = printed[printed.index("UnshuffleCNN") :]
    assert network.index("width: 64") < network.index("loss:")


def test_a_default_that_its_annotation_does_not_allow_is_no_hindrance(tmp_path, monkeypatch):
    (tmp_path / "loose_loss.py").write_text(
        "from torchdenoise import DenoisingLoss\n"
        "class LooseLoss(DenoisingLoss):\n"
        "    def __init__(self, weight: float = None, things: object = object()):\n"
        "        self.weight = weight\n"
        "    def forward(self, denoise, batch, draws, progress):\n"
        "        return {}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loss = build_fit(load_recipe("zsn2n"), ["model.loss=loose_loss.LooseLoss"]).model.loss
    assert loss.arguments["weight"] is None
