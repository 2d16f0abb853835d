"""The working folder is no search path: a fresh process imports nothing from there that the user did not name."""

import os
import shlex
import subprocess
import sys

import pytest
from helpers import noisy_scene, write_png

TRIED = """
    IPython argcomplete charset_normalizer cloudpickle cuda dask dill fsspec gmpy2 ipywidgets lz4 mpi4py numpy omegaconf
    onnx onnxruntime opt_einsum pandas psutil pydot regex requests rich ruamel simplejson sklearn tabulate tensorboard
    tensorflow toml torch torchvision tree triton tvm uarray ujson xarray yaml zstandard
"""
"""Modules that libraries try to import, some installed and some not."""
TRAP = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n"
OWN = """
import sys, pathlib, helper_of_mine
assert str(pathlib.Path.cwd()) not in sys.path
"""
LOSS = """
import helper_of_mine
from torchdenoise import DenoisingLoss

class Calm(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"calm": denoise(batch["noisy"]).square().mean()}
"""
STARTS = ("module", "script")
COMMANDS = {
    "denoise": "denoise pictures -o clean --recipe zsn2n --max-steps 1",
    "compare": "compare --recipes tv,wavelet --data pictures --noise gaussian:25 --workers 2 -o results",
    "fit": "fit --config zsn2n --data.path pictures/noisy.png --trainer.max_steps 1",
    "inspect": "inspect pictures/noisy.png",
    "list": "list losses",
}


@pytest.fixture
def folder(tmp_path):
    """Return a working folder with pictures and modules that say so if they are imported."""
    for place in (tmp_path, tmp_path / "pictures"):
        place.mkdir(exist_ok=True)
        for name in TRIED.split():
            (place / f"{name}.py").write_text(TRAP)
    write_png(tmp_path / "pictures" / "noisy.png", noisy_scene())
    (tmp_path / "entry-1.0.dist-info").mkdir()
    (tmp_path / "entry-1.0.dist-info" / "METADATA").write_text("Name: entry\nVersion: 1.0\n")
    (tmp_path / "entry-1.0.dist-info" / "entry_points.txt").write_text("[torchdenoise.plugins]\nentry = regex\n")
    return tmp_path


def start(style, folder, words):
    """Return the outcome of a command in a fresh process, started as ``python -m`` or as the console script."""
    program = folder / "bin" / "torchdenoise"
    program.parent.mkdir(exist_ok=True)
    program.write_text("import sys\nfrom torchdenoise.cli import script\nsys.exit(script())\n")
    begin = ["-m", "torchdenoise"] if style == "module" else [str(program)]
    return subprocess.run(
        [sys.executable, *begin, *shlex.split(words)],
        capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


def check_nothing_ran(style, folder, command):
    """Assert that a command does its work and that no module of the folders is imported."""
    outcome = start(style, folder, COMMANDS[command])
    assert outcome.returncode == 0, outcome.stderr
    assert sorted(path.name for path in folder.rglob("*.ran")) == []


@pytest.mark.parametrize(("style", "command"), [("module", "denoise"), ("script", "list")])
def test_no_module_is_taken_from_the_working_folder(style, command, folder):
    check_nothing_ran(style, folder, command)


@pytest.mark.slow
@pytest.mark.parametrize("style", STARTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_a_module_from_the_working_folder(style, command, folder):
    check_nothing_ran(style, folder, command)


def test_the_users_module_is_found_by_its_name_and_finds_its_neighbors(folder):
    (folder / "own_code.py").write_text(OWN)
    (folder / "helper_of_mine.py").write_text(TRAP)
    outcome = start("module", folder, "--import own_code list recipes instant")
    assert outcome.returncode == 0, outcome.stderr
    assert [path.name for path in folder.glob("*.ran")] == ["helper_of_mine.ran"]


@pytest.mark.slow
def test_workers_find_the_users_module(folder):
    (folder / "own_code.py").write_text(LOSS)
    (folder / "helper_of_mine.py").write_text("import json\n")
    words = COMMANDS["compare"].replace("tv,wavelet", "a=zsn2n:model.loss=own_code.Calm,tv") + " --max-steps 1"
    outcome = start("script", folder, words)
    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    assert sorted(folder.rglob("*.ran")) == []
