"""The dispatcher: help at once, errors in one line, exit codes."""

import subprocess
import sys

import pytest

from torchdenoise import __version__, cli
from torchdenoise.cli import main
from torchdenoise.commands import COMMANDS


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(words, capsys):
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"torchdenoise {__version__}\n"


def test_unknown_command_is_named_with_the_nearest(capsys):
    assert main(["denois"]) == 2
    assert "denois: unknown command (did you mean denoise?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["nonsense"],
        ["denoise", "--help"],
        ["denoise", "missing.png"],
        ["denoise", "pyproject.toml", "--recipe", "zsn"],
        ["list", "recipes"],
        ["list", "recipes", "--json"],
        ["recipe", "show", "zsn2n"],
        ["recipe", "cp", "zsn2", "mine.yaml"],
        ["recipe", "check", "missing.yaml"],
        ["cite", "zsn2n"],
        ["completion", "bash"],
        ["export", "--help"],
        ["export", "missing.ckpt", "-o", "a.onnx"],
        ["export", "missing.ckpt", "-o", "a.png"],
    ],
)
def test_what_needs_no_torch_does_not_load_it(words):
    code = "import sys; from torchdenoise.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    assert shown.endswith("False\n")


def test_ctrl_c_is_one_line_and_exit_code_130(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    assert main(["denoise", "x.png"]) == 130
    assert capsys.readouterr().err == "torchdenoise: stopped; finished results are kept\n"
