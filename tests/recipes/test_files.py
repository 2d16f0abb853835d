"""Recipe files: by name or path, and files that are not recipes."""

from pathlib import Path

import pytest

from torchdenoise import UserError, recipes


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


def test_a_file_of_the_users_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zsn2n").write_text("model: mine")
    assert recipes.load_recipe("zsn2n") == {"model": "mine"}
