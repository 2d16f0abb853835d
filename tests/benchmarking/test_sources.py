"""The files of the user's code that a recipe names."""

import sys

from torchdenoise.benchmarking.sources import own_code


def test_only_files_of_the_user_are_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("first_own", "second_own"):
        (tmp_path / f"{name}.py").write_text(f"# {name}")
    loss = {"class_path": "first_own.Loss", "init_args": {"parts": [{"class_path": "second_own.Part"}]}}
    both = own_code({"model": loss, "again": "first_own.Other"})
    assert len(both) == 2
    assert own_code("second_own.x")[0] in both
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
    assert own_code([*plain, None, "first_own"]) == ()
    (tmp_path / "second_own.py").write_text("# another")
    assert len({*both, *own_code(loss)}) == 3


def test_finding_them_imports_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_user_package").mkdir()
    for name in ("__init__", "inner"):
        (tmp_path / "a_user_package" / f"{name}.py").write_text("raise AssertionError('imported')")
    assert len(own_code({"class_path": "a_user_package.inner.Network"})) == 1
    assert own_code("a_user_package.missing.Network") == ()
    assert not [name for name in sys.modules if name.startswith("a_user_package")]
