"""``torchdenoise completion``: the scripts, and what bash completes with its script."""

import shutil
import subprocess

import pytest

from torchdenoise.commands import COMMANDS, EXPERIMENTS, completion
from torchdenoise.recipes import recipe_names

TRY = """
_run=$(complete -p torchdenoise | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$_run torchdenoise "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%%s\\n' "${COMPREPLY[@]}"
"""


def completed(words, folder):
    """Return what bash completes the last word with, in a folder where no Python is found."""
    script = completion.script("bash") + TRY % words
    bash = [shutil.which("bash"), "--norc", "-c", script]
    done = subprocess.run(bash, capture_output=True, text=True, check=True, cwd=folder, timeout=30)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "mine.yaml", "own.yml"):
        (tmp_path / name).touch()
    (tmp_path / "scans").mkdir()
    return tmp_path


def test_every_command_is_completed():
    assert completion.DESCRIPTIONS.keys() == {name for name, module in COMMANDS.items() if module == EXPERIMENTS}
    script = completion.script("bash")
    assert all(f"_shtab_torchdenoise_{name}_option_strings" in script for name in COMMANDS)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_hold_commands_options_and_recipes(run, shell):
    outcome = run("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    for word in (*COMMANDS, *recipe_names(), "keep-outliers", "init_from", "_torchdenoise_recipes"):
        assert word in outcome.out
    assert "python" not in outcome.out.lower()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("torchdenoise den", {"denoise"}),
        ("torchdenoise --import mine den", {"denoise"}),
        ("torchdenoise denoise a", {"a.png"}),
        ("torchdenoise denoise a.png --keep", {"--keep-outliers"}),
        ("torchdenoise denoise a.png --dtype ''", {"same", "float32"}),
        ("torchdenoise denoise a.png --recipe zsn2n-", {"zsn2n-3000", "zsn2n-bf16", "zsn2n-finetune"}),
        ("torchdenoise denoise a.png --recipe m", {"mash", "mash-code", "mine.yaml"}),
        ("torchdenoise denoise a.png --recipe o", {"own.yml"}),
        ("torchdenoise compare --recipes zsn2n,nl", {"zsn2n,nl-ridge", "zsn2n,nlm", "zsn2n,nlr", "zsn2n,nlr-real"}),
        ("torchdenoise compare --data ''", {"scans"}),
        ("torchdenoise list no", {"noise"}),
        ("torchdenoise recipe ''", {"cp", "check", "show"}),
        ("torchdenoise recipe cp dip m", {"mine.yaml"}),
        ("torchdenoise recipe check m", {"mash", "mash-code", "mine.yaml"}),
        ("torchdenoise cite fast nl", {"nl-ridge", "nlm", "nlr", "nlr-real"}),
        ("torchdenoise fit --config tv", {"tv"}),
        ("torchdenoise predict --ckpt_path a", {"a.png"}),
        ("torchdenoise export a", {"a.png"}),
        ("torchdenoise export a.ckpt --format ''", {"onnx", "pt2", "bioimage"}),
        ("torchdenoise completion z", {"zsh"}),
    ],
)
def test_bash_completes(folder, words, expected):
    assert completed(words, folder) == expected


def test_mistakes_are_one_line(run):
    outcome = run("completion", "tcsh")
    assert (outcome.code, outcome.out) == (2, "")
    assert "invalid choice: 'tcsh'" in outcome.err
