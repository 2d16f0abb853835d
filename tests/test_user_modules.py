"""The user's own modules: which to import, where they lie, and which texts may name them."""

import importlib
import os
import sys

import pytest

from torchdenoise.errors import UserError
from torchdenoise.user_code import IMPORT
from torchdenoise.user_modules import (
    FOLDER,
    SAFE_PATH,
    announce,
    full_command,
    imported,
    is_trusted,
    may_import,
    paths_in,
    reading_recipe,
    search_folders,
    split_imports,
)


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Forget the modules of a test, and its folder."""
    monkeypatch.delenv(IMPORT, raising=False)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))


def test_modules_come_from_the_environment_and_the_option_each_once(monkeypatch):
    monkeypatch.setenv(IMPORT, "first, second")
    words = ["list", "--import", "second,third", "losses", "--import=fourth"]
    assert split_imports(words) == (["first", "second", "third", "fourth"], ["list", "losses"])


@pytest.mark.parametrize("words", [["--import"], ["--import="], ["--import", "--version"]])
def test_the_option_needs_a_name(words):
    with pytest.raises(UserError, match="--import: give the name of a module"):
        split_imports(words)


def test_child_processes_get_the_names_and_the_environment_is_restored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with imported(["json", "math"]):
        assert os.environ[IMPORT] == "json,math"
        assert os.environ[SAFE_PATH] == "1"
        assert search_folders() == [os.environ[FOLDER]] == [str(tmp_path)]
        assert full_command(["list", "a b"]) == "torchdenoise --import json,math list 'a b'"
    assert not {IMPORT, FOLDER, SAFE_PATH} & os.environ.keys()
    assert search_folders() == []


def test_only_what_is_named_is_found_and_what_it_imports_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_first.py").write_text(
        "import own_second\n\ndef late():\n    import own_third\n    return own_third\n"
    )
    for name in ("own_second", "own_third", "own_stranger"):
        (tmp_path / f"{name}.py").write_text("")
    with imported(["own_first"]):
        assert sys.modules["own_first"].late().__name__ == "own_third"
        assert {"own_first", "own_second"} <= sys.modules.keys()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("own_stranger")
        assert importlib.util.find_spec("own_stranger") is None
        assert str(tmp_path) not in sys.path


def test_an_installed_module_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise RuntimeError")
    monkeypatch.delitem(sys.modules, "json")
    with imported(["json"]):
        assert sys.modules["json"].loads("[1]") == [1]


def test_a_package_is_found_with_its_modules(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "inner.py").write_text("from own_package import beside\n")
    (tmp_path / "own_package" / "beside.py").write_text("")
    with imported(["own_package.inner"]):
        assert "own_package.beside" in sys.modules


def test_a_path_that_is_announced_is_found_here_and_by_children(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_typed.py").write_text("")
    with imported([]):
        announce("own_typed.Loss")
        assert importlib.import_module("own_typed").__name__ == "own_typed"
        assert os.environ[IMPORT] == "own_typed"
    announce("own_other.Loss")
    assert IMPORT not in os.environ  # in Python, the caller's own search path holds


@pytest.mark.parametrize("name", ["own_missing", "own_failing"])
def test_a_module_that_is_missing_or_fails_leaves_the_environment_alone(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_failing.py").write_text("1 / 0")
    with pytest.raises(UserError, match=f"--import {name}: "), imported([name]):
        pass
    assert not {IMPORT, FOLDER, SAFE_PATH} & os.environ.keys()


def test_a_recipe_imports_only_what_the_user_names(monkeypatch):
    assert may_import("os.system")
    monkeypatch.setenv(IMPORT, "mine, other.part")
    with reading_recipe(["typed.Loss"]):
        assert [may_import(each) for each in ("typed.Loss", "mine.inner.Net", "other.part.x")] == [True] * 3
        assert [may_import(each) for each in ("typed.Other", "miner.Net", "other.x", "os.system")] == [False] * 4
        with reading_recipe(["more.Net"]):
            assert may_import("more.Net")
            assert may_import("typed.Loss")
    assert is_trusted("mine")


def test_import_paths_are_read_from_values_and_files_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.png").write_text("")
    words = [
        *("--config", "evil.yaml", "--data.path", "lost.png", "--model.network", "mine.Net", "--data.noise=scan.png"),
        *("--trainer.callbacks+=mine.Stop", "model.loss={class_path: mine.Loss}", "--data.noise", "a.Noise:2+b.Noise"),
        *("folder/evil.png", "--model.x", "3.5", "--trainer.max_steps=2"),
    ]
    assert paths_in(words) == {"mine.Net", "mine.Stop", "mine.Loss", "a.Noise", "b.Noise"}
