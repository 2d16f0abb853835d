"""Recipe files: by name or path, and files that are not recipes."""

from pathlib import Path

import pytest

from torchdenoise import UserError, recipes
from torchdenoise.recipes.files import FOLDER, read_config, recipe_path


def test_every_recipe_is_in_the_table_of_methods():
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    assert [name for name in recipes.recipe_names() if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not a YAML file"), ("a: 1", "needs at least a `model`"), ("", "needs at least")]
)
def test_files_that_are_no_recipes(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        recipes.load_recipe(str(path))


@pytest.mark.parametrize("name", ["last.ckpt", "runs/weights.safetensors"])
def test_a_checkpoint_is_no_recipe(name):
    with pytest.raises(UserError, match=f"^{name}: a checkpoint, not a recipe: in Python give checkpoint=, .* --ckpt,"):
        recipes.load_recipe(name)


def test_a_file_of_the_users_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zsn2n").write_text("model: mine")
    assert recipes.load_recipe("zsn2n") == {"model": "mine"}


def test_a_recipe_is_found_by_name_or_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("# My own.\nmodel: ZSN2N\nckpt_path: null\n")
    assert recipes.load_recipe(str(path)) == {"model": "ZSN2N"}  # without keys of a run
    assert recipes.describe(str(path)) == "My own."
    assert recipe_path("zsn2n").parent == FOLDER
    with pytest.raises(UserError, match=r"other.yaml: no such recipe file"):
        recipe_path("other.yaml")
    with pytest.raises(UserError, match=r"zsn2: unknown recipe \(did you mean zsn2n\?\)"):
        recipe_path("zsn2")


def test_a_part_of_a_recipe_is_a_configuration_and_a_list_is_none(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("trainer: {max_steps: 3}")
    assert read_config(str(path)) == {"trainer": {"max_steps": 3}}
    path.write_text("[1, 2]")
    assert read_config(str(path)) == {}
