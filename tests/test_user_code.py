"""The line of the user's own code where an error comes from."""

import sys

import pytest

from torchdenoise.noise import from_spec
from torchdenoise.user_code import describe_error, find_error


def raised(function, *arguments):
    """Return the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function(*arguments)
    return caught.value


def users_module(tmp_path, monkeypatch, text):
    """Import a module of a user in the working folder."""
    (tmp_path / "a_users_module.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "a_users_module", raising=False)
    import a_users_module

    return a_users_module


def test_an_error_is_described_by_the_users_line_even_if_a_library_raised_it(tmp_path, monkeypatch):
    module = users_module(tmp_path, monkeypatch, "import json\n\ndef read():\n    return json.loads('[')\n")
    error = raised(module.read)
    assert describe_error(error).startswith("a_users_module.py:4, in read: JSONDecodeError: Expecting value")
    assert find_error(error) is error


def test_the_cause_of_an_error_is_found(tmp_path, monkeypatch):
    module = users_module(tmp_path, monkeypatch, "def fail(number):\n    return 1 / number\n")
    cause = raised(module.fail, 0)
    error = raised(from_spec, "nothing:1")  # of ours
    assert find_error(error) is None
    error.__cause__ = cause
    assert find_error(error) is cause


def test_a_syntax_error_has_its_own_line(tmp_path, monkeypatch):
    error = raised(users_module, tmp_path, monkeypatch, "\nx = [\n")
    assert describe_error(error) == "a_users_module.py:2: SyntaxError: '[' was never closed"
