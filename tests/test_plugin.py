"""The example plugin, installed as a user would install it and used in processes that know nothing else of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import noisy_scene, write_png

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "examples" / "plugin"
SESSION = """
import sys
import pytest
from torchdenoise.cli import main
recipe, tests, folder = sys.argv[1:]
for kind, name in [("losses", "hidden-pixels"), ("networks", "gated-cnn"), ("noise", "speckle")]:
    assert main(["list", kind, name]) == 0
fit = ["fit", "--config", recipe, "--data.path", "noisy.png", "--trainer.max_steps", "2"]
assert main([*fit, "--trainer.accelerator", "cpu"]) == 0
options = ["-q", "--rootdir", folder, "-p", "no:cacheprovider", "-o", "filterwarnings=ignore", "-o", "addopts="]
sys.exit(pytest.main([*options, "--import-mode=importlib", tests]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder that holds the installed plugin; pip builds in a copy of its source."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", *offline, "--target", folder / "site", source]
    subprocess.run(pip, check=True)
    return folder / "site"


def python(site, folder, *words):
    """Run a fresh Python that finds the plugin and this package, and return its output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_plugin_is_listed_fitted_tested_and_loaded_in_a_fresh_process(site, tmp_path):
    write_png(tmp_path / "noisy.png", noisy_scene())
    recipe = site / "hidden_pixels" / "hidden-pixels.yaml"
    printed = python(site, tmp_path, "-c", SESSION, recipe, PLUGIN / "tests", tmp_path)
    assert [line.partition("\t")[0] for line in printed.splitlines()[:3]] == ["hidden-pixels", "gated-cnn", "speckle"]
    assert "3 passed" in printed
    checkpoint = "runs/version_0/checkpoints/last.ckpt"
    denoise = ["denoise", "noisy.png", "--ckpt", checkpoint, "-o", "clean.png", "--device", "cpu"]
    python(site, tmp_path, "-m", "torchdenoise", *denoise)
    assert (tmp_path / "clean.png").is_file()
