"""``torchdenoise list``."""

import importlib.metadata
import json

import pytest

from torchdenoise import denoisers, noise
from torchdenoise.recipes import AUTO, recipe_names
from torchdenoise.registry import all_classes, entries, one_line
from torchdenoise.user_code import PLUGINS


def test_everything_is_listed_once_plain_and_untruncated(run):
    outcome = run("list")
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert outcome.code == 0
    assert {len(row) for row in rows} == {4}
    names = {(kind, name) for kind, name, *_ in rows}
    assert {name for kind, name in names if kind == "recipes"} == {AUTO, *recipe_names()}
    assert {("denoisers", "ZSN2N"), ("losses", "ZSN2NLoss"), ("networks", "SmallCNN"), ("noise", "gaussian")} <= names
    assert len(names) == len(rows)


@pytest.mark.parametrize(
    ("kind", "base"),
    [("networks", denoisers.Network), ("losses", denoisers.DenoisingLoss), ("noise", noise.NoiseModel)],
)
def test_a_kind_is_what_the_registry_holds(run, kind, base):
    names = [line.split("\t")[0] for line in run("list", kind).out.splitlines()]
    assert set(entries(base)) >= set(names) != set()


def test_methods_are_the_denoisers(run):
    assert "zsn2n" in run("list", "methods").out.lower()
    assert run("list", "methods").out == run("list", "denoisers").out


def test_every_package_class_names_its_source_and_says_what_it_is():
    classes = [cls for cls in all_classes() if cls.__module__.startswith("torchdenoise.") and cls.__name__[0] != "_"]
    assert classes
    for cls in classes:
        assert one_line(cls).endswith((".", "``")), cls
        assert cls.source, cls


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [("zsn2n", "zsn2n-3000", "n2c"), ("zsn2n-*", "zsn2n-3000", "zsn2n"), ("*3000", "zsn2n-3000", "zsn2n")],
)
def test_patterns(run, pattern, inside, outside):
    names = [line.split("\t")[0] for line in run("list", "recipes", pattern).out.splitlines()]
    assert inside in names
    assert outside not in names
    assert run("list", "recipes", pattern.upper()).out == run("list", "recipes", pattern).out


def test_json_holds_the_same_rows(run):
    rows = [line.split("\t") for line in run("list").out.splitlines()]
    listed = json.loads(run("list", "--json").out)
    assert [list(row.values()) for row in listed] == rows
    assert {tuple(row) for row in listed if row["kind"] == "recipes"} == {("kind", "name", "line", "learnt_from")}
    assert {tuple(row) for row in listed if row["kind"] != "recipes"} == {("kind", "name", "line", "source")}


def test_json_of_a_part(run):
    (row,) = json.loads(run("list", "recipes", "zsn2n-3*", "--json").out)
    assert row["name"] == "zsn2n-3000"
    assert row["learnt_from"] == "one picture"
    outcome = run("list", "--json", "recipes", "zzz")
    assert (outcome.code, outcome.out) == (2, "")
    assert "zzz: no such name" in outcome.err


@pytest.mark.parametrize(("words", "message"), [(["losses", "zzz"], "zzz: no such name"), (["los"], "KIND")])
def test_what_is_not_there(run, words, message):
    outcome = run("list", *words)
    assert outcome.code == 2
    assert message in outcome.err


def test_on_a_terminal_it_is_a_table(run, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    outcome = run("list", "networks")
    assert "SmallCNN" in outcome.out
    assert "\t" not in outcome.out


@pytest.mark.filterwarnings("default:plugin")
def test_a_broken_plugin_is_one_line(run, tmp_path, monkeypatch):
    (tmp_path / "plugin_of_zeros.py").write_text("one = 1\nzero = one / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = importlib.metadata.EntryPoint("zeros", "plugin_of_zeros", PLUGINS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [entry])
    outcome = run("list", "losses", "ZSN2N")
    assert outcome.code == 0
    reason = "plugin_of_zeros.py:2: ZeroDivisionError: division by zero"
    assert outcome.err == f"warning: plugin zeros (plugin_of_zeros) was left out: {reason}\n"
