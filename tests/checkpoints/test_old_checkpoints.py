"""Checkpoints of earlier versions still load everywhere; what today's checkpoints hold.

The files beside this one were written by commit 8d53397 (see ``write_checkpoints.py``), before checkpoints held a
format number and public class paths. Each PNG is what ``denoise --ckpt`` gave at that time.
"""

import csv
import runpy
import shutil
from collections import Counter
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch

from torchdenoise.denoisers import ZSN2N, Denoiser, DenoisingLoss, Network, Readout
from torchdenoise.denoisers.checkpoints import FORMAT, KEY, read_checkpoint
from torchdenoise.registry import all_classes, class_path

HERE = Path(__file__).parent
OPTIONS = runpy.run_path(str(HERE / "write_checkpoints.py"))["FITS"]
METHODS = {"zsn2n": "ZSN2N", "fast": "Recorrupted", "noise2fast": "Noise2Fast"}
CPU = ["--trainer.accelerator", "cpu"]
old = pytest.mark.parametrize("name", METHODS)


@pytest.fixture
def files(tmp_path):
    """Copy the committed files into the working folder."""
    for path in [*HERE.glob("*.ckpt"), *HERE.glob("*.png")]:
        shutil.copy(path, tmp_path)
    return tmp_path


def pixels(path):
    return imagecodecs.png_decode(path.read_bytes()).astype(int)


def assert_same_picture(path, name):
    """Allow one gray level: the kernels of another machine round differently."""
    expected = pixels(HERE / f"{name}.png")
    assert pixels(path).shape == expected.shape
    assert np.abs(pixels(path) - expected).max() <= 1


def done(outcome):
    assert outcome.code == 0, outcome.err
    return outcome


# -- files of commit 8d53397 -----------------------------------------------------------------------------------------


@old
def test_it_was_written_before_there_was_a_format(name):
    stored = torch.load(HERE / f"{name}.ckpt", weights_only=True)[KEY]
    assert "format" not in stored
    assert stored["recipe"]["class_path"].count(".") == 3  # the file's path, not the package's


@old
def test_it_loads_as_its_class(name):
    denoiser = Denoiser.load(HERE / f"{name}.ckpt")
    assert (type(denoiser).__name__, denoiser.fitted) == (METHODS[name], True)


@old
def test_denoise_gives_the_picture_of_that_time(run, files, name):
    done(run("denoise", "noisy.png", "--ckpt", f"{name}.ckpt", "-o", "out.png", "--device", "cpu"))
    assert_same_picture(files / "out.png", name)


@old
def test_predict_gives_the_picture_of_that_time(run, files, name):
    done(run("predict", "--ckpt_path", f"{name}.ckpt", "--data.path", "noisy.png", "--output", "out.png", *CPU))
    assert_same_picture(files / "out.png", name)


@old
def test_a_fit_resumes_with_its_own_recipe(run, files, name):
    words = ["fit", "--config", name, "--data.path", "noisy.png", *OPTIONS[name], "--trainer.max_steps", "6", *CPU]
    done(run(*words, "--ckpt_path", f"{name}.ckpt"))
    resumed = torch.load(files / "runs/version_0/checkpoints/last.ckpt", weights_only=True)
    assert resumed["global_step"] == 6
    assert resumed[KEY]["format"] == FORMAT
    done(run("denoise", "noisy.png", "--ckpt", "runs/version_0/checkpoints/last.ckpt", "-o", "out.png"))


@pytest.mark.slow
def test_compare_takes_them_all(run, files):
    methods = ",".join(f"{name}={name}.ckpt" for name in METHODS)
    done(run("compare", "--recipes", methods, "--noisy", "noisy.png", "-o", "results", "--device", "cpu"))
    with (files / "results/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["recipe"] for row in rows) == sorted(METHODS)
    assert not any(row["error"] for row in rows)


# -- what a checkpoint holds today -----------------------------------------------------------------------------------


def class_paths(recipe):
    """Yield every class path in a stored recipe."""
    if isinstance(recipe, dict):
        yield from [recipe["class_path"]] if "class_path" in recipe else []
        for value in recipe.values():
            yield from class_paths(value)
    elif isinstance(recipe, list):
        for value in recipe:
            yield from class_paths(value)


def rewritten(path, name="zsn2n", **changes):
    """Write a committed checkpoint again with other content under our key."""
    checkpoint = torch.load(HERE / f"{name}.ckpt", weights_only=True)
    torch.save({**checkpoint, KEY: {**checkpoint[KEY], **changes}}, path)
    return path


def test_it_holds_the_format_and_public_paths(run, files):
    done(run("fit", "--config", "zsn2n", "--data.path", "noisy.png", "--trainer.max_steps", "1", *CPU))
    stored = torch.load(files / "runs/version_0/checkpoints/last.ckpt", weights_only=True)[KEY]
    assert stored["format"] == FORMAT == 1
    paths = list(class_paths(stored["recipe"]))
    assert paths
    assert all(path.count(".") == 2 for path in paths), paths


def test_a_format_of_the_future_is_refused_in_one_line(run, files):
    rewritten(files / "future.ckpt", format=99)
    refused = run("denoise", "noisy.png", "--ckpt", "future.ckpt")
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert line == "torchdenoise: future.ckpt: written by a newer torchdenoise (format 99): upgrade torchdenoise"


def test_old_paths_are_replaced_by_public_ones_on_reading():
    recipe = read_checkpoint(HERE / "fast.ckpt")[KEY]["recipe"]
    assert all(path.startswith("torchdenoise.denoisers.") and path.count(".") == 2 for path in class_paths(recipe))


def test_classes_are_compared_as_classes(files):
    """A file that names a class by its private, its public or its former path holds the same class."""
    recipe = torch.load(HERE / "zsn2n.ckpt", weights_only=True)[KEY]["recipe"]
    for path in ("torchdenoise.denoisers.zsn2n.ZSN2N", "torchdenoise.denoisers.ZSN2N", "torchdenoise.gone.ZSN2N"):
        loaded = Denoiser.load(rewritten(files / "moved.ckpt", recipe={**recipe, "class_path": path}))
        assert type(loaded) is ZSN2N
        checkpoint = read_checkpoint(files / "moved.ckpt")
        loaded.on_load_checkpoint(checkpoint)  # refuses another class


def test_names_of_our_classes_present_and_former_are_unique():
    classes = [cls for cls in all_classes() if cls.__module__.startswith("torchdenoise.")]
    names = Counter(name for cls in classes for name in {cls.__name__, *cls.former_names})
    assert [name for name, count in names.items() if count > 1] == []
    kinds = (Denoiser, DenoisingLoss, Network, Readout)
    public = [cls for cls in classes if issubclass(cls, kinds) and not cls.__name__.startswith("_")]
    assert [class_path(cls) for cls in public if class_path(cls).count(".") != 2] == []
