"""The methods that the text or mapping of a comparison names."""

import hashlib
import re

import pytest

from torchdenoise import UserError
from torchdenoise.benchmarking.methods import methods
from torchdenoise.denoisers.weight_files import located, shipped_weights
from torchdenoise.recipes import load_recipe

JSON = 'model.network={"class_path": "SmallCNN", "init_args": {"width": 8, "depth": 2}}'


def test_variants_among_other_recipes():
    found = methods(f"zsn2n, wide=zsn2n:{JSON},trainer.max_steps=100 ,mine=zsn2n,zsn2m-star*")
    assert [method.name for method in found] == ["zsn2n", "wide", "mine", "zsn2m-star", "zsn2m-star-real"]
    assert found[1].overrides == (JSON, "trainer.max_steps=100")
    assert found[0].recipe == found[1].recipe == found[2].recipe == load_recipe("zsn2n")
    assert found[0].overrides == found[2].overrides == ()


def test_the_default_is_a_method():
    auto, mine = methods("auto,mine=auto")
    assert (auto.name, mine.name, auto.identity) == ("auto", "mine", mine.identity)
    assert auto.weights == methods("pretrained-fast")[0].weights != []
    assert auto.fit_key != methods("fast")[0].fit_key
    with pytest.raises(UserError, match="mine: overrides are for one recipe: name one that `auto` chooses from"):
        methods("mine=auto:model.network.width=8")


def test_a_mapping_gives_the_same_methods(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("model: ZSN2N\n")
    given = {"a": "zsn2n", "b": ("zsn2n", ["model.network.width=8"]), "c": path, "d": {"model": "ZSN2N"}}
    found = methods(given)
    assert [method.name for method in found] == list(given)
    assert found[1].overrides == ("model.network.width=8",)
    assert found[2].recipe == found[3].recipe == {"model": "ZSN2N"}
    assert found[1] == methods("b=zsn2n:model.network.width=8")[0]


def test_the_identity_has_overrides_only_if_there_are_any():
    plain, variant = methods("zsn2n,wide=zsn2n:model.network.width=8")
    assert plain.identity == [load_recipe("zsn2n"), None]
    assert variant.identity == [load_recipe("zsn2n"), None, ("model.network.width=8",)]


def test_variants_that_differ_only_in_their_readout_share_a_fit():
    plain, one, mean, wide = methods(
        "self2self,one=self2self:model.readout.passes=1,mean=self2self:model.readout=MaskedMean,"
        "wide=self2self:model.readout.passes=1,model.network.width=8"
    )
    assert plain.fit_key == one.fit_key == mean.fit_key != wide.fit_key


def test_user_code_in_an_override_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_variant_loss.py").write_text("# one")
    words = 'a=zsn2n:model.loss=a_variant_loss.Loss,b=zsn2n:model.loss={"class_path": "a_variant_loss.Loss"},zsn2n'
    first, second, plain = methods(words)
    assert first.code == second.code
    assert (len(first.code), plain.code) == (1, ())
    (tmp_path / "a_variant_loss.py").write_text("# another")
    assert methods(words)[0].code != first.code


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        ("w=zsn3n:model.network.width=8", "zsn3n: unknown recipe (did you mean zsn2n?)"),
        ("w=zsn3n", "zsn3n: unknown recipe (did you mean zsn2n?)"),
        ("w=n2n:model.network.width=8", "w is trained on a data set: give its checkpoint, w=FILE.ckpt"),
        (
            "zsn2n-finetune",
            "zsn2n-finetune starts from a trained network: give its checkpoint, zsn2n-finetune=FILE.ckpt",
        ),
        ("f=zsn2n-finetune:trainer.max_steps=9", "f starts from a trained network: give its checkpoint"),
        ("w=zsn2n:network.width=8", "network.width: an override begins with model., data. or trainer.: model."),
        ("zsn2n,trainer.max_steps=9", "trainer.max_steps=9: an override of which recipe? write NAME=RECIPE:"),
        ("zsn2n:model.network.width=8", "give the variant a name: NAME=zsn2n:model.network.width=8"),
        ("Zsn2n:x=zsn2n", "'Zsn2n:x' cannot name a method and its files: leave out"),
        (
            "SingleStage",
            "SingleStage is a method, not a recipe: write a file, mine.yaml, with the lines model: "
            "{class_path: torchdenoise.denoisers.SingleStage} and trainer: {max_steps: 1000}, and name the file",
        ),
        ("zsn2n=zsn2n:model.network.width=8,zsn2n", "zsn2n is named twice"),
        ("w=zsn2n:seed_everything=3", "w: a comparison sets the seed itself; use --seeds"),
        ({"w": {"data": "SingleImage"}}, "w: a recipe needs at least a `model`"),
        ({}, "no recipe to compare"),
    ],
)
def test_errors_are_one_line(recipes, message):
    with pytest.raises(UserError, match=re.escape(message)):
        methods(recipes)


def test_the_weights_of_a_method_are_those_of_its_checkpoint_or_the_shipped_ones():
    shipped = [hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in shipped_weights().values()]
    path = located("torchdenoise:grey")
    plain, ready, adapted, applied = methods(
        "zsn2n,pretrained,own=zsn2n:model.network=PretrainedUNet,grey=torchdenoise:grey"
    )
    assert plain.weights == []
    assert ready.weights == adapted.weights == shipped
    assert applied.weights == [hashlib.sha256(path.read_bytes()).hexdigest()[:8]]


def test_a_pattern_leaves_out_what_starts_from_a_trained_network():
    assert [method.name for method in methods("zsn2n*")] == ["zsn2n", "zsn2n-3000", "zsn2n-bf16"]
    assert methods("f=zsn2n-finetune:model.network=SmallCNN")[0].name == "f"
