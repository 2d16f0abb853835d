"""Stored recipes, made by hand; ``test_registry.py`` builds those that objects describe."""

import sys

import pytest

from torchdenoise.denoisers import ZSN2N, CappedRemoval, OnePass
from torchdenoise.errors import CheckpointError
from torchdenoise.stored_recipes import (
    build,
    class_paths,
    import_options,
    require_known,
    unknown_classes,
    user_classes,
    with_public_paths,
)

OLD = {
    "class_path": "torchdenoise.denoisers.zsn2n.ZSN2N",
    "init_args": {"readout": {"class_path": "torchdenoise.denoisers.limited.Limited", "init_args": {"factor": 2.0}}},
}


def test_paths_of_files_that_moved_and_names_that_changed_become_public_paths():
    recipe = with_public_paths(OLD)
    assert recipe["class_path"] == "torchdenoise.denoisers.ZSN2N"
    assert recipe["init_args"]["readout"]["class_path"] == "torchdenoise.denoisers.CappedRemoval"
    assert with_public_paths({"steps": [1, {"class_path": "mine.Net"}]}) == {"steps": [1, {"class_path": "mine.Net"}]}


def test_an_old_recipe_builds_todays_classes():
    denoiser = build(OLD)
    assert type(denoiser) is ZSN2N
    assert type(denoiser.readout) is CappedRemoval
    assert denoiser.readout.factor == 2.0


def test_a_class_of_another_package_is_not_found_by_its_last_name():
    with pytest.raises(CheckpointError, match=r"fitted with mine\.OnePass, which is not known here"):
        build({"class_path": "mine.OnePass", "init_args": {}})
    assert "mine" not in sys.modules


def test_all_unknown_classes_are_in_one_message():
    with pytest.raises(CheckpointError) as caught:
        require_known(["mine.b.Net", "torchdenoise.denoisers.OnePass", "mine.a.Loss", "other.X", "mine.a.Loss"], "x: ")
    assert str(caught.value) == (
        "x: fitted with mine.a.Loss, mine.b.Net and other.X, which are not known here; if you trust them, add "
        "--import mine.a --import mine.b --import other (in Python: import the module first)"
    )
    require_known(["torchdenoise.denoisers.OnePass"])


def test_only_module_names_become_options():
    assert import_options(["mine.Net", "mine.Loss", "a b.X", "-x.Y"]) == "--import mine"


def test_the_classes_of_a_recipe_and_those_the_user_must_import():
    recipe = {"class_path": "mine.Method", "init_args": {"parts": [OnePass().recipe(), {"a": OLD}], "name": "x.Y"}}
    assert list(class_paths(recipe)) == [
        "mine.Method",
        "torchdenoise.denoisers.OnePass",
        "torchdenoise.denoisers.zsn2n.ZSN2N",
        "torchdenoise.denoisers.limited.Limited",
    ]
    assert user_classes(recipe) == ["mine.Method"]


def test_text_that_a_parser_would_import_is_found():
    recipe = {"class_path": "torchdenoise.denoisers.ZSN2N", "init_args": {"loss": "mine.Loss", "readout": "OnePass"}}
    assert list(unknown_classes(recipe, "--model")) == [("--model.loss", "mine.Loss")]
