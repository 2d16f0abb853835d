"""``torchdenoise inspect`` on made pictures."""

import json

import numpy as np
import pytest
import tifffile
from helpers import noisy_scene, scene, write_png

from torchdenoise.data import memory, read_picture
from torchdenoise.noise import load_profile, measure_noise


@pytest.fixture
def white(tmp_path):
    return write_png(tmp_path / "white.png", noisy_scene(112, 112, sigma=12))


@pytest.fixture
def correlated(tmp_path):
    noise = np.random.default_rng(0).normal(0, 20 / 255, (113, 112, 3))
    return write_png(tmp_path / "correlated.png", np.clip(scene(112, 112) + noise[1:] + noise[:-1], 0, 1))


def test_the_facts_of_a_picture(run, white):
    outcome = run("inspect", "white.png")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("white.png: noise: white, level 1")
    assert any(line.startswith("  assumptions hold: ") and "fast" in line for line in lines)
    assert lines[-2].startswith("  auto: by ")
    assert lines[-1] == "  command: torchdenoise denoise white.png"


def test_correlated_noise_is_drawn(run, correlated):
    outcome = run("inspect", "correlated.png", "--data-range", "255")
    assert "correlated over 2 pixels" in outcome.out
    middle = outcome.out.splitlines()[outcome.out.splitlines().index("  correlation by place:") + 5]
    assert middle.strip() == "········██········"
    assert "zsn2n" in next(line for line in outcome.out.splitlines() if "do not hold: bm3d" in line)
    assert "--data-range 255" in outcome.out


def test_noise_of_single_photons_has_no_picture_of_its_correlation(tmp_path, run):
    photons = np.random.default_rng(0).poisson(0.5, (64, 64)).astype(np.uint16) * 100
    tifffile.imwrite(tmp_path / "photons.tif", photons)
    out = run("inspect", "photons.tif").out
    assert "photons" in out
    assert "correlation by place" not in out


def test_the_json_is_the_profile_that_other_commands_take(run, correlated, white):
    assert run("inspect", "correlated.png", "--json", "p.json").code == 0
    profile, measured = load_profile("p.json"), measure_noise(read_picture(correlated).image)
    assert profile.level == measured.level
    assert (profile.covariance == measured.covariance).all()
    outcome = run("denoise", "white.png", "--noise-profile", "p.json", "--max-steps", "2", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "correlated over 2 pixels; given; multi-scale" in outcome.out
    outcome = run("compare", "--recipes", "tv", "--data", "white.png", "--noise", "measured:p.json", "-o", "r")
    assert outcome.code == 0, outcome.err


def bits16(path, white):
    """Write a picture of 16 bits with noise of a hundredth of its white level."""
    noise = np.random.default_rng(0).normal(0, 0.01, (112, 112))
    tifffile.imwrite(path, (white * np.clip(0.8 * scene(112, 112)[..., 0] + 0.1 + noise, 0, 1)).astype(np.uint16))


def test_pictures_of_16_bits_say_what_255_stands_for(run, tmp_path):
    bits16(tmp_path / "a.tif", 4000)
    outcome = run("inspect", "a.tif")
    assert "255 stands for 4095" in outcome.out.splitlines()[0]
    level = next(line for line in outcome.out.splitlines() if line.startswith("  level: "))
    assert level.endswith("in the file's values")
    assert float(level.split("which is ")[1].split(" in ")[0]) == pytest.approx(40, rel=0.1)


def test_a_profile_of_another_white_level_is_refused(run, tmp_path):
    bits16(tmp_path / "a.tif", 4000)
    bits16(tmp_path / "b.tif", 1000)
    assert run("inspect", "a.tif", "--json", "p.json").code == 0
    words = ["--noise-profile", "p.json", "--recipe", "instant", "--max-steps", "2"]
    outcome = run("denoise", "b.tif", *words)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == (
        "torchdenoise: b.tif: the noise profile is for black 0, white 4095; the picture has black 0, white 1023: give "
        "--data-range=4095 (data_range in Python), or measure the noise in a picture with the same range"
    )
    outcome = run("denoise", "b.tif", *words, "--data-range=4095", "--dtype", "float32")
    assert outcome.code == 0, outcome.err
    assert "255 stands for 4095" in outcome.out


def test_json_on_standard_output_is_json_alone(run, white):
    content = json.loads(run("inspect", "white.png", "--json").out)
    assert (content["kind"], content["inspection"]["picture"]) == ("noise profile", "white.png")
    assert content["inspection"]["recipes"]["fast"] == []
    assert content["inspection"]["command"] == "torchdenoise denoise white.png"


def test_several_pictures_and_one_damaged(run, white, tmp_path):
    (tmp_path / "a_damaged.png").write_bytes(white.read_bytes()[:200])
    outcome = run("inspect", ".", "--json", "all.json", "--html", "all.html")
    assert outcome.code == 2
    assert outcome.err.splitlines()[0].startswith("failed: a_damaged.png: ")
    assert outcome.err.splitlines()[1] == "torchdenoise: 1 of 2 pictures failed (see above); the others are done"
    assert "white.png: noise: white" in outcome.out
    (content,) = json.loads((tmp_path / "all.json").read_text())
    assert content["inspection"]["picture"] == "white.png"
    assert "white.png" in (tmp_path / "all.html").read_text()
    again = run("denoise", "white.png", "--noise-profile", "all.json")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "all.json: holds the noise profiles of several pictures" in again.err


def test_a_tree_of_folders(run, tmp_path):
    for name in ("in/a.png", "in/below/b.png", "in/below/c.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / name, noisy_scene(32, 32))  # the content decides
    found = (("-r",), "a.png below/b.png below/c.bmp"), (("--recursive", "--pattern", "*.p*"), "a.png below/b.png")
    for words, names in found:
        contents = json.loads(run("inspect", "in", *words, "--json").out)
        assert [each["inspection"]["picture"] for each in contents] == [f"in/{name}" for name in names.split()]
    assert json.loads(run("inspect", "in", "--json").out)["inspection"]["picture"] == "in/a.png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png"], "a.png: no such file"),
        (["--pattern", "*.tif", "."], ".: no PNG"),
        (["--json", "white.png"], "required: IN"),
        (
            ["white.png", "--json", "white.png"],
            "--json white.png: the name must end in .json; name the pictures before",
        ),
        (["white.png", "--html", "x.json"], "--html x.json: the name must end in .html"),
        (["white.png", "--json", "there.json"], "there.json: exists already; add --overwrite"),
        (["white.png", "--json", "white.png/there.json"], "white.png is a file, not a folder; choose another place"),
        (["missing.png", "--json", "no/there.json"], "missing.png: no such file"),
        (["white.png", "--jsn"], "did you mean --json"),
    ],
)
def test_mistakes_are_one_line(run, white, tmp_path, words, message):
    (tmp_path / "there.json").write_text("mine")
    outcome = run("inspect", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert (tmp_path / "there.json").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"there.json", "white.png"}


def test_missing_folders_of_its_files_are_made(run, white, tmp_path):
    outcome = run("inspect", "white.png", "--json", "new/deep/p.json", "--html", "pages/p.html")
    assert outcome.code == 0, outcome.err
    assert load_profile(tmp_path / "new/deep/p.json").level.sigma
    assert (tmp_path / "pages/p.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 1), (3, 200, 3)])
def test_tiny_pictures_get_an_answer(run, tmp_path, shape):
    write_png(tmp_path / "tiny.png", np.random.default_rng(0).random(shape))
    outcome = run("inspect", "tiny.png", "--json", "p.json", "--html", "p.html")
    assert outcome.code == 0, outcome.err
    load_profile("p.json")


def test_a_picture_too_large_for_the_memory_is_refused_unread(run, tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", np.zeros((3000, 3000, 1)))
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 10**8)
    outcome = run("inspect", "a.png")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(
        "torchdenoise: a.png: 3000 x 3000 pixels need about 0.59 GB of memory, 0.2 GB are free"
    )


def test_earlier_results_in_a_folder_are_left_out_unless_they_are_named(run, white, tmp_path):
    write_png(tmp_path / "white_denoised.png", noisy_scene(64, 64, sigma=2))
    outcome = run("inspect", ".")
    assert outcome.out.splitlines()[0].startswith(
        "1 picture(s) left out, named like an earlier result: white_denoised.png; "
    )
    assert outcome.out.count(".png: noise: ") == 1
    outcome = run("inspect", ".", "--json")
    assert json.loads(outcome.out)["inspection"]["picture"] == "white.png"
    assert outcome.err.startswith("1 picture(s) left out")
    assert "white_denoised.png: noise: " in run("inspect", "white_denoised.png").out


def test_a_clean_drawing_shares_no_noise(run, tmp_path):
    drawing = np.full((120, 160, 3), 0.9)
    drawing[30:90, 20:70] = 0.8, 0.1, 0.1
    for row in range(120):
        drawing[row, row : row + 20] = 0.1, 0.3, 0.8
    write_png(tmp_path / "drawing.png", drawing)
    outcome = run("inspect", "drawing.png")
    assert outcome.out.startswith("drawing.png: noise: none")
    assert "neighbour" not in outcome.out


def test_recommended_recipes_come_first(run, white):
    lines = dict(line.strip().split(": ", 1) for line in run("inspect", "white.png").out.splitlines())
    chosen = lines["auto"].removeprefix("by ").partition(":")[0]
    assert lines["assumptions hold"].startswith(f"{chosen}, ")
    first = lines["assumptions hold"].partition(" and ")[0].split(", ")
    assert len(first) == 8
    assert set(first) >= {"fast", "best", "instant", "pretrained-fast", "pretrained", "pretrained-best"}
    assert lines["assumptions hold"].endswith(" more (inspect --json has all)")


def test_help_has_examples(run):
    outcome = run("inspect", "--help")
    assert "torchdenoise inspect noisy.png" in outcome.out


def test_a_stack_says_its_axes_and_its_noise(run, tmp_path):
    frames = [noisy_scene(64, 64, 1, seed=seed)[..., 0] for seed in range(12)]
    np.save(tmp_path / "a.npy", np.round(255 * np.stack(frames)).astype(np.uint8))
    outcome = run("inspect", "a.npy", "--axes", "TYX")
    assert outcome.code == 0
    assert "axes: TYX, 12x64x64, 12 frames" in outcome.out
    assert "command: torchdenoise denoise a.npy --axes TYX" in outcome.out
    content = json.loads(run("inspect", "a.npy", "--axes", "TYX", "--json").out)
    assert 20 < content["inspection"]["level_0_255"][1] < 30
