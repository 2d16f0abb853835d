"""The option ``--scene`` and files of several scenes."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import noisy_scene, random_pixels, save_picture

from torchdenoise.fitting import denoise

WORDS = ("--strength", "0", "--device", "cpu")


def noisy(number, height=40):
    return np.round(200 * noisy_scene(height, 40, 1, seed=number)[..., 0]).astype(np.uint8)


def save_series(path, **pictures):
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, array in pictures.items():
            writer.write(array, photometric="minisblack", metadata={"axes": "ZYX"[-array.ndim :], "Name": name})
    return path


@pytest.fixture
def series(tmp_path):
    """Two scenes, of which the second is a stack."""
    (tmp_path / "in").mkdir()
    return save_series(tmp_path / "in" / "a.ome.tif", dusk=noisy(0), dawn=np.stack([noisy(1, 36), noisy(2, 36)]))


def test_a_folder_gives_a_file_for_each_scene_and_resumes(run, tmp_path, series):
    save_picture(tmp_path / "in" / "b.png", random_pixels((9, 8)))
    outcome = run("denoise", "in", "-o", "out", *WORDS)
    assert outcome.code == 0, outcome.err
    assert "3 done, 0 skipped, 0 failed" in outcome.out
    np.testing.assert_array_equal(tifffile.imread("out/a_dusk.ome.tif"), noisy(0))
    np.testing.assert_array_equal(tifffile.imread("out/a_dawn.ome.tif")[1], noisy(2, 36))
    (tmp_path / "out" / "a_dawn.ome.tif").unlink()
    outcome = run("denoise", "in", "-o", "out", *WORDS)
    assert "2 picture(s) skipped" in outcome.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_dawn.ome.tif", "a_dusk.ome.tif", "b.png"]


def test_results_beside_the_file_are_left_out_of_the_next_run(run, tmp_path, series):
    assert run("denoise", "in", *WORDS).code == 0
    names = ["a.ome.tif", "a_dawn_denoised.ome.tif", "a_dusk_denoised.ome.tif"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == names
    outcome = run("denoise", "in", *WORDS)
    assert outcome.code == 0
    assert "2 picture(s) left out, named like an earlier result" in outcome.out
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == names


@pytest.mark.parametrize("scene", ["2", "dawn"])
def test_one_scene(run, tmp_path, series, scene):
    assert run("denoise", series, "--scene", scene, "-o", "b.ome.tif", *WORDS).code == 0
    np.testing.assert_array_equal(tifffile.imread("b.ome.tif")[0], noisy(1, 36))
    assert run("denoise", series, "--scene", scene, *WORDS).code == 0
    assert (tmp_path / "in" / "a_dawn_denoised.ome.tif").exists()
    assert not (tmp_path / "in" / "a_dusk_denoised.ome.tif").exists()


def test_a_file_without_scenes_has_one(run, tmp_path):
    save_picture(tmp_path / "a.png", random_pixels((9, 8)))
    save_series(tmp_path / "b.ome.tif", dusk=noisy(0))
    assert run("denoise", "a.png", "--scene", "1", *WORDS).code == 0
    assert run("denoise", "b.ome.tif", "--scene", "dusk", *WORDS).code == 0
    assert (tmp_path / "b_denoised.ome.tif").exists()
    assert denoise(tmp_path / "b.ome.tif", scene="dusk", max_steps=1, device="cpu").shape == (40, 40)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.ome.tif", "-o", "b.ome.tif"), "a.ome.tif: holds 2 scenes (1 dusk, 2 dawn); choose one with --scene, or a"),
        (("a.ome.tif", "--scene", "3"), "a.ome.tif, scene 3: holds no scene 3, but 2 scenes (1 dusk, 2 dawn)"),
        (("a.ome.tif", "--scene", "noon", "-o", "b.tif"), "holds no scene noon, but 2 scenes (1 dusk, 2 dawn)"),
        (("b.png", "--scene", "2"), "b.png, scene 2: holds no scene 2, but 1 scene (1)"),
        (("a.ome.tif", "--scene", "1", "-o", "c.tif", "--axes", "ZYX"), "axes ZYX are 3, but the shape"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(run, tmp_path, words, message):
    save_series(tmp_path / "a.ome.tif", dusk=noisy(0), dawn=noisy(1, 36))
    save_picture(tmp_path / "b.png", random_pixels((9, 8)))
    before = sorted(tmp_path.iterdir())
    outcome = run("denoise", *words, *WORDS)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_scene_does_not_stop_other_files(run, tmp_path, series):
    save_series(tmp_path / "in" / "b.ome.tif", noon=noisy(3), night=noisy(4))
    outcome = run("denoise", "in", "--scene", "noon", "-o", "out", *WORDS)
    assert outcome.code == 2
    assert "1 of 2 pictures failed" in outcome.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b_noon.ome.tif"]


def test_inspect_tells_scenes_apart(run, series):
    outcome = run("inspect", series, "--json", "noise.json")
    assert outcome.code == 0, outcome.err
    assert f"{series}, scene dusk: " in outcome.out
    assert f"{series}, scene dawn: " in outcome.out
    first, second = json.loads(Path("noise.json").read_text(encoding="utf-8"))
    assert (first["inspection"]["scene"], second["inspection"]["scene"]) == (1, 2)
    assert second["inspection"]["command"].endswith("--scene 2")
    outcome = run("inspect", series, "--scene", "dawn", "--json")
    assert json.loads(outcome.out)["inspection"]["stack"] == "ZYX, 2x36x40, 2 frames"
