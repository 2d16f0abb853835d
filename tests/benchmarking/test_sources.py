"""The files of the user's code that a recipe names."""

import sys

from torchdenoise.benchmarking.sources import state_of_code
from torchdenoise.denoisers import ZSN2NLoss


def test_only_files_of_the_user_are_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("first_own", "second_own"):
        (tmp_path / f"{name}.py").write_text(f"# {name}")
    loss = {"class_path": "first_own.Loss", "init_args": {"parts": [{"class_path": "second_own.Part"}]}}
    both = state_of_code({"model": loss, "again": "first_own.Other"})
    assert len(both) == 2
    assert state_of_code("second_own.x")[0] in both
    plain = [
        "torch.optim.Adam",
        "json.loads",
        "torchdenoise.denoisers.ZSN2NLoss",
        "a.b.c",
        "0.5",
        "runs/x.ckpt",
        "..",
        7,
    ]
    assert state_of_code([*plain, None, "first_own"]) == ()
    (tmp_path / "second_own.py").write_text("# another")
    assert len({*both, *state_of_code(loss)}) == 3


def test_packages_of_the_system_are_none_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "dist-packages").mkdir()
    (tmp_path / "dist-packages" / "of_the_system.py").write_text("# where Debian installs packages")
    monkeypatch.syspath_prepend(tmp_path / "dist-packages")
    assert state_of_code("of_the_system.Loss") == ()


def test_finding_them_imports_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_user_package").mkdir()
    for name in ("__init__", "inner"):
        (tmp_path / "a_user_package" / f"{name}.py").write_text("raise AssertionError('imported')")
    assert len(state_of_code({"class_path": "a_user_package.inner.Network"})) == 1
    assert state_of_code("a_user_package.missing.Network") == ()
    assert not [name for name in sys.modules if name.startswith("a_user_package")]


def test_a_class_whose_results_changed_says_so(monkeypatch):
    recipe = {"class_path": "torchdenoise.denoisers.ZSN2N", "init_args": {"loss": {"class_path": "ZSN2NLoss"}}}
    assert state_of_code(recipe) == ()
    monkeypatch.setattr(ZSN2NLoss, "revision", 2, raising=False)
    assert state_of_code(recipe) == ("ZSN2NLoss 2",)
    assert state_of_code("zsn2n") == ()
