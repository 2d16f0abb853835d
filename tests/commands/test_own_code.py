"""The user's own classes, from ``fit`` to every command that uses its checkpoint, each in a fresh process."""

import os
import shlex
import subprocess
import sys

import pytest
from helpers import noisy_scene, scene, write_png

from torchdenoise import cli
from torchdenoise.denoisers import Denoiser

CHECKPOINT = "runs/version_0/checkpoints/last.ckpt"
MINE = """\
import torch
from torchdenoise import DenoisingLoss, Network

class TinyNet(Network):
    def __init__(self, channels: int = 3, width: int = 4):
        super().__init__()
        self.channels = channels
        self.layer = torch.nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, noisy):
        return self.layer(noisy)

class OwnSquares(DenoisingLoss, name="mine", formerly=("older",)):
    def __init__(self, weight: float = 1.0):
        self.weight = weight

    def forward(self, denoise, batch, draws, progress):
        return {"mine": self.weight * (denoise(batch["noisy"]) - batch["noisy"]).square().mean()}
"""
FIT = "fit --config zsn2n --data.path noisy.png --trainer.max_steps 2 --trainer.accelerator cpu --model.network TinyNet"


def call(folder, words, **environment):
    """Return the outcome of a command in a process that has imported nothing."""
    command = [sys.executable, "-m", "torchdenoise", *shlex.split(words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return a folder with a checkpoint of a user's loss and network, and the outcome of the fit."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_code.py").write_text(MINE)
    write_png(folder / "noisy.png", noisy_scene())
    (folder / "clean").mkdir()
    write_png(folder / "clean" / "0.png", scene())
    return folder, call(folder, f"--import my_code {FIT} --model.loss mine --model.loss.weight 2")


@pytest.mark.slow
def test_the_command_that_fit_prints_works(fitted):
    folder, outcome = fitted
    assert outcome.returncode == 0, outcome.stderr
    line = outcome.stdout.splitlines()[-1].removeprefix("use it:").replace("FILE", "noisy.png").strip()
    assert line.startswith(f"torchdenoise --import my_code predict --ckpt_path {CHECKPOINT}")
    done = call(folder, f"{line.removeprefix('torchdenoise ')} --output predicted.png --trainer.accelerator cpu")
    assert done.returncode == 0, done.stderr
    assert (folder / "predicted.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["option", "environment"])
@pytest.mark.parametrize(
    "words",
    [
        f"denoise noisy.png -o OUT.png --ckpt {CHECKPOINT} --device cpu",
        f"compare --recipes mine={CHECKPOINT} --data clean --noise gaussian:25 --workers 2 -o OUT --device cpu",
        "list losses mine",
    ],
    ids=["denoise", "compare", "list"],
)
def test_every_command_knows_the_class(fitted, words, by):
    folder, _ = fitted
    words = words.replace("OUT", by)
    if by == "option":
        done = call(folder, f"--import my_code {words}")
    else:
        done = call(folder, words, TORCHDENOISE_IMPORT="my_code")
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout or "noisy.png" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [f"denoise noisy.png -o refused.png --ckpt {CHECKPOINT}", f"predict --ckpt_path {CHECKPOINT}"]
)
def test_unknown_classes_are_named_in_one_message(fitted, words):
    folder, _ = fitted
    refused = call(folder, words)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        f"torchdenoise: {CHECKPOINT}: fitted with my_code.OwnSquares and my_code.TinyNet, which are not known here; "
        "if you trust them, add --import my_code (in Python: import the module first)"
    ]


# -- in this process ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own(run, noisy_png, monkeypatch):
    """Return the command line beside a user's module."""
    noisy_png.with_name("my_code.py").write_text(MINE)
    yield run
    sys.modules.pop("my_code", None)


@pytest.mark.parametrize(
    "loss",
    ["--model.loss mine", "--model.loss=mine", "--model.loss older", "--model.loss OwnSquares", "--config own.yaml"],
)
def test_a_class_is_known_by_each_of_its_names(own, noisy_png, loss):
    noisy_png.with_name("own.yaml").write_text("model:\n  init_args:\n    loss:\n      class_path: mine\n")
    outcome = own("--import", "my_code", *FIT.split(), *loss.split(), "--model.loss.weight", "2")
    assert outcome.code == 0, outcome.err
    recipe = Denoiser.load(CHECKPOINT).loss.recipe()
    assert recipe == {"class_path": "my_code.OwnSquares", "init_args": {"weight": 2.0}}
    assert "TORCHDENOISE_IMPORT" not in os.environ
    assert sys.argv == ["torchdenoise"]


def test_a_short_name_overrides_a_recipe_too(own):
    words = "--recipe zsn2n --set model.loss=mine --max-steps 2 --device cpu"
    outcome = own("--import=my_code", "denoise", "noisy.png", *words.split())
    assert outcome.code == 0, outcome.err


BAD = """\
from torchdenoise import DenoisingLoss
from torchdenoise.denoisers import ZSN2N

class BadConstructor(DenoisingLoss):
    def __init__(self, weight: float = 1.0):
        self.weight = weight.nothing

    def forward(self, denoise, batch, draws, progress):
        return {}

class BadForward(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"a": batch["nothing"]}

class BadMethod(ZSN2N):
    def __init__(self, width: int = 4):
        super().__init__(nonsense=width)
"""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--model.loss my_bad.BadConstructor", "my_bad.py:6, in BadConstructor.__init__: AttributeError: 'float' ob"),
        ("--model.loss my_bad.BadForward", "my_bad.py:13, in BadForward.forward: KeyError: 'nothing'"),
        ("--model my_bad.BadMethod", "my_bad.py:17, in BadMethod.__init__: TypeError: "),
    ],
)
@pytest.mark.parametrize("command", ["fit", "denoise"])
def test_an_error_in_the_users_code_names_its_line(own, tmp_path, command, words, line):
    (tmp_path / "my_bad.py").write_text(BAD)
    if command == "fit":
        outcome = own("fit", "--config", "zsn2n", "--data.path", "noisy.png", *words.split())
    else:
        (tmp_path / "out.png").unlink(missing_ok=True)
        override = words.removeprefix("--").replace(" ", "=")
        outcome = own("denoise", "noisy.png", "-o", "out.png", "--recipe", "zsn2n", "--set", override)
    sys.modules.pop("my_bad", None)
    assert outcome.code == 2
    first, second = outcome.err.splitlines()
    assert first.startswith(f"torchdenoise: {line}")
    assert "TORCHDENOISE_TRACEBACK=1" in second


@pytest.mark.parametrize(("before", "loss"), [("--import my_bad", "BadForward"), ("", "my_bad.BadForward")])
def test_an_installed_package_that_the_user_names_is_the_users_code(own, tmp_path, monkeypatch, before, loss):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "my_bad.py").write_text(BAD)
    monkeypatch.syspath_prepend(folder)
    outcome = own(*before.split(), "fit", "--config", "zsn2n", "--data.path", "noisy.png", "--model.loss", loss)
    sys.modules.pop("my_bad", None)
    assert outcome.code == 2
    assert "my_bad.py:13, in BadForward.forward: KeyError: 'nothing'" in outcome.err.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("\n1 / 0\n", "ZeroDivisionError: division by zero"),
        ("\n[\n", "SyntaxError: '[' was never closed"),
        ("\nimport not_there\n", "ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_a_class_whose_module_cannot_be_imported_names_its_line(own, tmp_path, text, error):
    (tmp_path / "my_broken.py").write_text(text)
    outcome = own("fit", "--config", "zsn2n", "--data.path", "noisy.png", "--model.loss", "my_broken.Loss")
    assert outcome.code == 2
    assert outcome.err == f"torchdenoise: my_broken.Loss: my_broken.py:2: {error}\n"


def test_the_traceback_is_shown_on_request_and_for_errors_of_ours(own, tmp_path, monkeypatch):
    (tmp_path / "my_bad.py").write_text(BAD)
    monkeypatch.setenv("TORCHDENOISE_TRACEBACK", "1")
    with pytest.raises(KeyError):
        own("fit", "--config", "zsn2n", "--data.path", "noisy.png", "--model.loss", "my_bad.BadForward")
    sys.modules.pop("my_bad", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--import my_cod list", "--import my_cod: no such module in"),
        ("--import my_code.py list", "(did you mean my_code?)"),
        ("--import raises list", "--import raises: raises.py:2: ZeroDivisionError: division by zero"),
        ("--import unclosed list", "--import unclosed: unclosed.py:1: SyntaxError: '[' was never closed"),
        ("list --import", "--import: give the name of a module"),
        (
            "--import my_code fit --config zsn2n --trainer.max_steps 2 --model.loss mined",
            "no class mined fits here (did you mean mine?)",
        ),
    ],
)
def test_a_wrong_import_is_one_line(own, tmp_path, words, message):
    (tmp_path / "raises.py").write_text("\n1 / 0\n")
    (tmp_path / "unclosed.py").write_text("[\n")
    outcome = own(*words.split())
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_imports_are_found_wherever_they_stand():
    assert cli.main(["--import", "json", "--version"]) == 0
