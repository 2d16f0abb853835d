"""Optional packages."""

import json
import sys

import pytest

from torchdenoise.errors import UserError
from torchdenoise.extras import optional_module


def test_an_installed_module_is_returned():
    assert optional_module("json", "pip install json") is json


def test_a_missing_module_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pywt", None)
    with pytest.raises(UserError, match=r"^needs pip install torchdenoise\[classical\]$"):
        optional_module("pywt", "needs pip install torchdenoise[classical]")


def test_a_module_whose_library_does_not_load_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "of_another_processor.py").write_text("import ctypes\nctypes.CDLL('libmissing_here.so')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"^of_another_processor cannot be loaded \(libmissing_here\.so: "):
        optional_module("of_another_processor", "pip install it")
