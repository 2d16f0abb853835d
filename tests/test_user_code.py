"""The line of the user's own code where an error comes from."""

import importlib
import importlib.metadata
import sys

import pytest

from torchdenoise.noise import from_spec
from torchdenoise.user_code import IMPORT, PLUGINS, describe_error, find_error


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


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return what installs a module into another environment, and imports it."""
    folder = tmp_path / "other" / "lib" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(folder)

    def install(name, text):
        (folder / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    yield install
    for name in ("a_users_module", "an_installed_module"):
        sys.modules.pop(name, None)


DIVIDE = "def divide(number):\n    return 1 / number\n"


def test_an_installed_package_is_passed_over_in_any_environment(installed, tmp_path, monkeypatch):
    installed("an_installed_module", DIVIDE)
    text = "import an_installed_module\n\ndef half():\n    return an_installed_module.divide(0)\n"
    error = raised(users_module(tmp_path, monkeypatch, text).half)
    assert describe_error(error) == "a_users_module.py:4, in half: ZeroDivisionError: division by zero"


def test_an_installed_plugin_is_the_users_code(installed, monkeypatch):
    error = raised(installed("an_installed_module", DIVIDE).divide, 0)
    assert "an_installed_module" not in describe_error(error)
    entry = importlib.metadata.EntryPoint("any", "an_installed_module.part:thing", PLUGINS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [entry])
    assert "an_installed_module.py:2, in divide: ZeroDivisionError" in describe_error(error)


def test_an_installed_package_that_the_user_names_is_the_users_code(installed, monkeypatch):
    error = raised(installed("an_installed_module", DIVIDE).divide, 0)
    monkeypatch.setenv(IMPORT, "other, an_installed_module.part")
    assert "an_installed_module.py:2, in divide: ZeroDivisionError" in describe_error(error)
