"""``torchdenoise denoise`` doing tiny real work."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from helpers import correlated_noise, noisy_scene, scene, write_png, write_tiff
from PIL import Image

from torchdenoise.data import read_picture
from torchdenoise.denoisers import SmallCNN

FEW = ("--max-steps", "3", "--device", "cpu")


def pixels(path):
    picture = read_picture(path)
    return picture.restore(picture.image)


def test_a_file_gets_its_result_beside_it(run, noisy_png):
    outcome = run("denoise", "noisy.png", *FEW)
    assert outcome.code == 0, outcome.err
    assert "noisy.png -> noisy_denoised.png" in outcome.out
    before, after = pixels(noisy_png), pixels("noisy_denoised.png")
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert not np.array_equal(after, before)


def test_more_steps_come_nearer_to_the_clean_picture(run, noisy_png):
    assert run("denoise", "noisy.png", "--max-steps", "150").code == 0
    clean = 255 * scene()
    before, after = (np.mean((pixels(path) - clean) ** 2) for path in ("noisy.png", "noisy_denoised.png"))
    assert after < before / 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["png8", "png16", "tiff"])
def test_same_kind_of_file_out(run, tmp_path, kind, channels):
    picture = noisy_scene(channels=channels)
    if kind == "tiff":
        source = write_tiff(tmp_path / "x.tif", 5 * picture - 1)
    else:
        source = write_png(tmp_path / "x.png", picture, depth=int(kind[3:]))
    target = tmp_path / f"out{source.suffix}"
    assert run("denoise", source, "-o", target, *FEW).code == 0
    before, after = pixels(source), pixels(target)
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert abs(float(after.mean()) - float(before.mean())) < 0.1 * float(np.ptp(before))


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (2, 9), (7, 4)])
def test_tiny_and_odd_sizes(run, tmp_path, height, width):
    write_png(tmp_path / "x.png", noisy_scene(height, width))
    assert run("denoise", "x.png", *FEW).code == 0
    assert pixels("x_denoised.png").shape == (height, width, 3)


def test_a_folder_keeps_names_skips_what_is_done_and_goes_on(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        write_png(folder / f"{number}.png", noisy_scene(seed=number))
    (folder / "notes.txt").write_text("not a picture")
    assert run("denoise", "in", "-o", "a/b", *FEW).code == 0
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["0.png", "1.png", "2.png"]
    kept = (tmp_path / "a/b/0.png").read_bytes()
    (tmp_path / "a/b/1.png").unlink()
    (tmp_path / "a/b/0.png").touch()
    outcome = run("denoise", "in", "-o", "a/b", "--strength", "0.5", *FEW)
    assert outcome.code == 0
    assert "2 picture(s) skipped: their results exist, perhaps made with other options" in outcome.out
    assert "add --overwrite" in outcome.out
    assert "1.png" in outcome.out
    assert (tmp_path / "a/b/0.png").read_bytes() == kept


def test_a_folder_of_one_is_done_once_too(run, tmp_path):
    (tmp_path / "in").mkdir()
    write_png(tmp_path / "in" / "0.png", noisy_scene())
    for _ in range(2):
        assert run("denoise", "in", "-o", "out", *FEW).code == 0


def test_the_white_level_can_be_stated(run, tmp_path):
    write_png(tmp_path / "noisy.png", noisy_scene() / 20, depth=16)
    assert run("denoise", "noisy.png", "-o", "a.png", "--data-range", "4095", *FEW).code == 0
    assert run("denoise", "noisy.png", "-o", "b.png", *FEW).code == 0
    assert run("denoise", "noisy.png", "-o", "c.png", "--data-range", "0,65535", *FEW).code == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_float32_goes_into_a_tiff_and_strength_blends(run, noisy_png):
    words = ("denoise", "noisy.png", "--recipe", "tv", "--device", "cpu")
    assert run(*words).code == 0
    outcome = run(*words, "--dtype", "float32")
    assert "noisy.png -> noisy_denoised.tif" in outcome.out
    assert run(*words, "--dtype", "float32", "--strength", "0.25", "-o", "some.tiff").code == 0
    fractions, some = (tifffile.imread(name) for name in ("noisy_denoised.tif", "some.tiff"))
    assert fractions.dtype == some.dtype == np.float32
    np.testing.assert_array_equal(np.rint(fractions), pixels("noisy_denoised.png"))
    noisy = pixels("noisy.png").astype(float)
    np.testing.assert_allclose(some, noisy + 0.25 * (fractions - noisy), atol=1e-3)


def test_few_photons_get_a_warning_with_the_remedy(run, tmp_path):
    noisy = np.random.default_rng(0).poisson(0.7, (24, 24)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "counts.tif", noisy, compression="zlib", predictor=True)
    outcome = run("denoise", "counts.tif", "--recipe", "tv", "--device", "cpu")
    assert "warning: counts.tif: whole numbers are too coarse" in outcome.out
    assert "add --dtype float32" in outcome.out
    outcome = run("denoise", "counts.tif", "--recipe", "tv", "--device", "cpu", "--dtype", "float32", "--overwrite")
    assert "too coarse" not in outcome.out
    assert tifffile.imread("counts_denoised.tif").mean() == pytest.approx(noisy.mean(), rel=0.02)


def test_a_picture_that_does_not_fit_into_memory_is_told_and_the_others_are_done(run, tmp_path, monkeypatch):
    for number, size in enumerate([20, 40, 24]):
        write_png(tmp_path / f"{number}.png", noisy_scene(size, size))
    plain = SmallCNN.forward

    def hungry(self, image):
        if image.shape[-1] >= 40:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return plain(self, image)

    monkeypatch.setattr(SmallCNN, "forward", hungry)
    outcome = run("denoise", "0.png", "1.png", "2.png", "-o", "out", "--recipe", "zsn2n", *FEW)
    assert outcome.code == 2
    assert "failed: 1.png: not enough memory" in outcome.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "2.png"]


def test_results_depend_on_the_picture_alone(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        write_png(folder / f"{number}.png", noisy_scene(seed=number))
    assert run("denoise", "in", "-o", "together", *FEW).code == 0
    assert run("denoise", "in/1.png", "in/0.png", "-o", "reversed", *FEW).code == 0
    assert run("denoise", "in/1.png", "-o", "alone.png", *FEW).code == 0
    together = (tmp_path / "together/1.png").read_bytes()
    assert together == (tmp_path / "reversed/1.png").read_bytes()
    assert together == (tmp_path / "alone.png").read_bytes()
    assert run("denoise", "in/1.png", "-o", "other.png", "--seed", "1", *FEW).code == 0
    assert together != (tmp_path / "other.png").read_bytes()


def test_missing_folders_are_made_when_the_result_is_written(run, noisy_png):
    folder = noisy_png.parent
    (folder / "damaged.png").write_bytes(noisy_png.read_bytes()[:-40])
    assert run("denoise", "damaged.png", "-o", "new/deep/x.png", *FEW).code == 2
    assert not (folder / "new").exists()
    outcome = run("denoise", "noisy.png", "-o", "new/deep/x.png", *FEW)
    assert outcome.code == 0, outcome.err
    assert [path.name for path in (folder / "new/deep").iterdir()] == ["x.png"]


def test_an_output_is_replaced_only_when_asked(run, noisy_png):
    target = noisy_png.with_name("noisy_denoised.png")
    target.write_text("precious")
    outcome = run("denoise", "noisy.png", *FEW)
    assert (outcome.code, target.read_text()) == (2, "precious")
    assert "exists already" in outcome.err
    assert "--overwrite" in outcome.err
    assert run("denoise", "noisy.png", "--overwrite", *FEW).code == 0
    assert pixels(target).shape == (24, 28, 3)


def test_a_users_recipe_and_set(run, noisy_png, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(
        "model: {class_path: ZSN2N, init_args: {network: {class_path: SmallCNN}}}\ntrainer: {max_steps: 3}\n"
    )
    here = ("denoise", "noisy.png", "--device", "cpu", "--recipe")
    assert run(*here, "mine.yaml", "-o", "a.png").code == 0
    assert run(*here, own, "-o", "b.png", "--set", "model.network.width=8").code == 0
    assert run(*here, "zsn2n", "-o", "c.png", "--max-steps", "3").code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == c
    assert a != b


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.png"], "missing.png: no such file"),
        (["noisy.png", "--recipe", "zsn2nn"], "unknown recipe (did you mean zsn2n?)"),
        (["noisy.png", "--recipe", "mine.yaml"], "mine.yaml: no such recipe file"),
        (["noisy.png", "--recpe", "zsn2n"], "did you mean --recipe?"),
        (["noisy.png", "--max-steps", "0"], "argument --max-steps: give a whole number from 1 on"),
        (["noisy.png", "--device", "cuda:7"], "device cuda:7: PyTorch finds"),
        (["noisy.png", "--device", "gpu"], "device gpu: not one of auto, cpu"),
        (["noisy.png", "-o", "noisy.png/x.png"], "noisy.png is a file, not a folder; choose another place"),
        (["noisy.png", "-o", "missing/x.png", "--dtype", "float32"], "x.png: PNG cannot hold float32"),
        (["noisy.png", "-o", "missing/x.png", "--device", "gpu"], "device gpu: not one of auto, cpu"),
        (["noisy.png", "-o", "noisy.png"], "the output is an input"),
        (["noisy.png", "-o", "x.heic"], "x.heic: "),
        (["noisy.png", "--set", "model.network.widht=3"], "no such option (did you mean model.network.width?)"),
        (["noisy.png", "--set", "model.network.width"], "write it as KEY=VALUE"),
        (["noisy.png", "--set", "model.network.width=x"], "model.network.width: expected int, got x"),
        (["noisy.png", "--set", "model.network=SmalCNN"], "did you mean SmallCNN?"),
        (["noisy.png", "--set", "data.noise=gausian:25"], "did you mean gaussian?"),
        (["noisy.png", "--set", "data.noise=gaussian:-3"], "the level must be at least 0"),
        (["noisy.png", "--set", "data.crop=0"], "data.crop=0: must be at least 1"),
        (["noisy.png", "--set", "data.crops=0"], "data.crops=0: must be at least 1"),
        (["noisy.png", "--set", "data.data_range=4095"], "give --data-range"),
        (["noisy.png", "--data-range", "1,2,3"], "argument --data-range: give one number, or two"),
        (["noisy.png", "--data-range", "white"], "give one number, or two: WHITE or BLACK,WHITE"),
        (["noisy.png", "--strength", "2"], "argument --strength: give a number from 0 to 1, such as 0.5"),
        (["noisy.png", "--strength", "nan"], "argument --strength: give a number from 0 to 1, such as 0.5"),
        (["noisy.png", "--strength", "50%"], "argument --strength: give a number from 0 to 1, such as 0.5"),
        (["noisy.png", "--dtype", "int8"], "argument --dtype: invalid choice"),
        (["noisy.png", "--dtype", "float32", "-o", "x.png"], "x.png: PNG cannot hold float32; write .tiff instead"),
        (["noisy.png", "--dtype", "float32", "-o", "x.jpg"], "x.jpg: JPEG cannot hold float32; write .tiff instead"),
        (["noisy.png", "--seed", "-1"], "seed -1: must lie in 0 to 4294967295"),
        (["noisy.png", "--set", "model.optimizer.lr=1e30"], "the loss became NaN or infinite at step"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(run, noisy_png, words, message):
    before = sorted(noisy_png.parent.iterdir())
    outcome = run("denoise", *words, *([] if "--max-steps" in words else ["--max-steps", "5"]))
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2
    assert sorted(noisy_png.parent.iterdir()) == before


def test_one_bad_picture_does_not_stop_the_others(run, noisy_png):
    noisy_png.with_name("bad.png").write_text("no picture")
    outcome = run("denoise", "bad.png", "noisy.png", "-o", "out", *FEW)
    assert outcome.code == 2
    assert "failed: bad.png" in outcome.out
    assert "1 of 2 pictures failed" in outcome.err
    assert [path.name for path in (noisy_png.parent / "out").iterdir()] == ["noisy.png"]


@pytest.mark.slow
def test_ctrl_c_in_a_fit_leaves_nothing_half_written(noisy_png):
    command = [sys.executable, "-m", "torchdenoise", "denoise", "noisy.png", "--max-steps", "1000000"]
    process = subprocess.Popen(
        command,
        cwd=noisy_png.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    time.sleep(15)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "torchdenoise: stopped; finished results are kept\n"
    assert [path.name for path in noisy_png.parent.iterdir()] == ["noisy.png"]


@pytest.fixture
def checkpoint(run, noisy_png):
    """Return the checkpoint of a short fit."""
    words = ("--trainer.max_steps", "3", "--trainer.accelerator", "cpu")
    assert run("fit", "--config", "zsn2n", "--data.path", "noisy.png", *words).code == 0
    return "runs/version_0/checkpoints/last.ckpt"


def test_a_checkpoint_is_applied_to_any_picture_of_any_size(run, checkpoint, tmp_path):
    write_png(tmp_path / "other.png", noisy_scene(31, 17, seed=1))
    assert run("denoise", "noisy.png", "other.png", "-o", "out", "--ckpt", checkpoint, "--device", "cpu").code == 0
    assert run("denoise", "noisy.png", "-o", "fitted.png", "--recipe", "zsn2n", *FEW).code == 0
    assert (tmp_path / "out/noisy.png").read_bytes() == (tmp_path / "fitted.png").read_bytes()
    assert pixels("out/other.png").shape == (31, 17, 3)


def test_one_picture_that_a_checkpoint_does_not_suit_stops_no_other(run, checkpoint, tmp_path):
    (tmp_path / "in").mkdir()
    for name, channels in (("a", 3), ("b", 1), ("c", 3)):
        write_png(tmp_path / "in" / f"{name}.png", noisy_scene(21, 17, channels))
    outcome = run("denoise", "in", "-o", "out", "--ckpt", checkpoint, "--device", "cpu")
    assert outcome.code == 2
    assert "failed: in/b.png: the pictures have 1 channel(s)" in outcome.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_a_name_that_the_terminal_cannot_show_is_no_failure(noisy_png):
    noisy_png.rename(noisy_png.with_name("rote Füße.png"))
    command = [sys.executable, "-m", "torchdenoise", "denoise", "rote Füße.png", "--max-steps", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(command, cwd=noisy_png.parent, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"rote F\\xfc\\xdfe.png -> " in done.stdout


def test_a_fit_can_start_from_a_checkpoint(run, checkpoint, tmp_path):
    words = ("denoise", "noisy.png", "--device", "cpu", "--recipe", "zsn2n", "--max-steps", "1")
    still = ("--set", "model.optimizer.lr=0")
    assert run("denoise", "noisy.png", "-o", "applied.png", "--ckpt", checkpoint, "--device", "cpu").code == 0
    assert run(*words, *still, "--ckpt", checkpoint, "-o", "started.png").code == 0
    assert run(*words, *still, "-o", "fresh.png").code == 0
    applied, started, fresh = ((tmp_path / f"{name}.png").read_bytes() for name in ("applied", "started", "fresh"))
    assert applied == started
    assert applied != fresh


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.ckpt", "missing.ckpt: no such checkpoint file"), ("noisy.png", "noisy.png: not a checkpoint of")],
)
def test_a_file_that_is_no_checkpoint(run, noisy_png, name, message):
    outcome = run("denoise", "noisy.png", "--ckpt", name)
    assert outcome.code == 2
    assert message in outcome.err
    assert [path.name for path in noisy_png.parent.iterdir()] == ["noisy.png"]


def test_a_users_loss_beside_the_picture_is_found(run, noisy_png):
    noisy_png.with_name("my_own_loss.py").write_text(
        "from torchdenoise import DenoisingLoss\n"
        "class Mine(DenoisingLoss):\n"
        "    def forward(self, denoise, batch, draws, progress):\n"
        "        return {'mine': denoise(batch['noisy']).square().mean()}\n"
    )
    assert run("denoise", "noisy.png", "--set", "model.loss=my_own_loss.Mine", *FEW).code == 0
    wrong = run("denoise", "noisy.png", "--overwrite", "--set", "model.loss=my_own_loss.Min", *FEW)
    assert "the module my_own_loss has no Min (did you mean Mine?)" in wrong.err
    sys.modules.pop("my_own_loss")


def test_pictures_fitted_together_are_those_fitted_alone(run, tmp_path):
    (tmp_path / "in").mkdir()
    for number, size in enumerate([(24, 28), (31, 17), (20, 20)]):
        write_png(tmp_path / "in" / f"{number}.png", noisy_scene(*size, seed=number))
    (tmp_path / "in" / "broken.png").write_text("not a picture")
    words = ("denoise", "in", "--recipe", "fast", "--set", "model.readout=OnePass", *FEW)
    assert run(*words, "-o", "alone").code == 2
    outcome = run(*words, "-o", "together", "--batch", "3")
    assert outcome.code == 2
    assert "1 of 4 pictures failed (see above); the others are done" in outcome.err
    assert "[1-3/4] 0.png and 2 more ..." in outcome.out
    for number in range(3):
        alone, together = (pixels(f"{folder}/{number}.png").astype(int) for folder in ("alone", "together"))
        assert np.abs(alone - together).max() <= 1


def test_the_smallest_pictures_are_denoised_in_a_batch_too(run, tmp_path):
    for name, size in {"one.png": (1, 1), "row.png": (1, 30), "a.png": (24, 28)}.items():
        write_png(tmp_path / name, noisy_scene(*size))
    assert run("denoise", "one.png", "row.png", "a.png", "-o", "out", "--batch", "3", *FEW).code == 0
    assert pixels("out/one.png").shape == (1, 1, 3)
    assert pixels("out/row.png").shape == (1, 30, 3)


def test_what_cannot_be_stacked_says_so_and_goes_on(run, tmp_path):
    write_png(tmp_path / "a.png", noisy_scene())
    write_png(tmp_path / "b.png", noisy_scene(seed=1))
    outcome = run("denoise", "a.png", "b.png", "-o", "out", "--batch", "2", "--recipe", "tv")
    assert outcome.code == 0
    assert "TotalVariation fits nothing: the pictures are fitted one after the other" in outcome.out
    assert b"torchdenoise:" not in (tmp_path / "out" / "a.png").read_bytes()


def test_a_checkpoint_has_no_steps_to_choose(run, checkpoint):
    outcome = run("denoise", "noisy.png", "--ckpt", checkpoint, "--budget", "2s")
    assert outcome.code == 2
    assert "a checkpoint is applied without a fit" in outcome.err


@pytest.mark.parametrize("suffix", ["png", "tiff", "jpg"])
def test_a_budget_says_what_it_chose_in_the_file_too(run, tmp_path, suffix):
    write_png(tmp_path / "noisy.png", noisy_scene())
    outcome = run("denoise", "noisy.png", "-o", f"clean.{suffix}", "--budget", "300ms", "--device", "cpu")
    assert outcome.code == 0
    (line,) = re.findall(r"\d+ steps, chosen for a budget of 0.3 s on this machine", outcome.out)
    assert f"torchdenoise: {line}".encode() in (tmp_path / f"clean.{suffix}").read_bytes()


def test_outliers_can_stay(run, tmp_path):
    picture = noisy_scene(64, 64, channels=1, sigma=5)
    picture[3::13, 5::11] = 1
    write_png(tmp_path / "hot.png", picture)
    assert run("denoise", "hot.png", *FEW).code == 0
    outcome = run("denoise", "hot.png", "-o", "kept.png", "--keep-outliers", *FEW)
    assert "of the values are outliers" in outcome.out
    assert (pixels("kept.png")[3::13, 5::11] == 255).all()
    assert (pixels("hot_denoised.png")[3::13, 5::11] < 250).all()


def remark(path):
    """Return the comment of a PNG or JPEG, or the software of a TIFF."""
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            return file.pages[0].software
    with Image.open(path) as image:
        found = image.info["Comment" if path.suffix == ".png" else "comment"]
    return found if isinstance(found, str) else found.decode()


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_a_result_keeps_the_line_about_the_noise(run, tmp_path, suffix):
    write_png(tmp_path / "noisy.png", noisy_scene())
    target = tmp_path / f"clean.{suffix}"
    outcome = run("denoise", "noisy.png", "-o", target, *FEW)
    (line,) = re.findall(r"^noise: .*$", outcome.out, re.MULTILINE)
    assert f"torchdenoise: {line}".encode() in target.read_bytes()
    assert remark(target) == f"torchdenoise: {line}"


def test_predict_writes_the_same_line_about_the_noise(run, noisy_png):
    words = ("--trainer.max_steps", "2", "--trainer.accelerator", "cpu")
    assert run("fit", "--config", "fast", "--data.path", "noisy.png", *words).code == 0
    last = "runs/version_0/checkpoints/last.ckpt"
    outcome = run("predict", "--ckpt_path", last, "--data.path", "noisy.png", "--output", "predicted.png")
    assert outcome.code == 0, outcome.err
    assert run("denoise", "noisy.png", "-o", "denoised.png", "--ckpt", last, "--device", "cpu").code == 0
    folder = noisy_png.parent
    assert remark(folder / "predicted.png") == remark(folder / "denoised.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "2s", "--max-steps", "9"), "give budget or max_steps, not both"),
        (("--budget", "2s", "--batch", "4"), "--budget is for one picture at a time"),
        (("--budget", "soon"), "give a time above 0, such as 2s, 500ms or 3min"),
        (("--budget", "0s"), "give a time above 0"),
        (("--batch", "0"), "argument --batch: give a whole number from 1 on, or auto"),
        (("--budget", "1s", "--recipe", "tv"), "this recipe has none"),
    ],
)
def test_options_that_do_not_go_together(run, noisy_png, words, message):
    outcome = run("denoise", "noisy.png", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert [path.name for path in noisy_png.parent.iterdir()] == ["noisy.png"]


def test_correlated_noise_is_named_and_needs_no_warning(run, tmp_path):
    write_png(tmp_path / "noisy.png", correlated_noise())
    outcome = run("denoise", "noisy.png", *FEW)
    assert outcome.code == 0
    assert re.search(
        r"^noise: level [\d.]+ to [\d.]+ of 255, correlated over 2 pixels; multi-scale$", outcome.out, re.M
    )
    assert "warning" not in outcome.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], r"noise: white, level [\d.]+ of 255"),
        (["--noise-level", "12"], "noise: white, level 12 of 255; given"),
        (["--noise", "poisson:30+gaussian:5"], r"noise: sensor-like, gain 8\.5, read noise 5 \(of 255\); given"),
    ],
)
def test_one_line_about_the_noise(run, noisy_png, words, line):
    outcome = run("denoise", "noisy.png", *words, *FEW)
    assert outcome.code == 0, outcome.err
    assert re.search(f"^{line}(, clipped)?$", outcome.out, re.MULTILINE)


def test_the_default_says_which_recipe_it_chose(run, noisy_png):
    for words in ([], ["--recipe", "auto", "--overwrite"]):
        outcome = run("denoise", "noisy.png", *words)
        assert outcome.code == 0, outcome.err
        assert re.search("^noise: .*; by (pretrained-fast|fast: .*)$", outcome.out, re.MULTILINE)


def test_pictures_fitted_together_have_a_line_each(run, tmp_path):
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", noisy_scene())
    outcome = run("denoise", "a.png", "b.png", "--batch", "2", "--noise-level", "9", *FEW)
    assert all(f"{name}.png: noise: white, level 9 of 255; given\n" in outcome.out for name in ("a", "b"))


def test_a_method_that_measures_nothing_says_nothing(run, noisy_png):
    assert "noise:" not in run("denoise", "noisy.png", "--recipe", "zsn2n", *FEW).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--noise-level", "12", "--noise", "gaussian:12"], "--noise: not allowed with argument --noise-level"),
        (["--noise-level", "-3"], "--noise-level: give a number from 0 on, such as 12"),
        (["--noise", "gaussian:-3"], "gaussian:-3: the level must be at least 0"),
        (["--noise", "gaussian:5-50"], "each of one level"),
        (["--noise-profile", "noisy.png"], "noisy.png: not a noise profile"),
        (["--noise-profile", "none.json"], "none.json: cannot be read"),
        (["--recipe", "zsn2n", "--noise-level", "12"], "such as fast, instant or best"),
    ],
)
def test_mistakes_about_the_noise_are_one_line(run, noisy_png, words, message):
    outcome = run("denoise", "noisy.png", *words, *FEW)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_name_that_ends_in_a_slash_is_a_folder(run, tmp_path):
    write_png(tmp_path / "a.png", noisy_scene())
    outcome = run("denoise", "a.png", "-o", "new/deep/", "--recipe", "tv", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["a.png"]
    outcome = run("denoise", "a.png", "-o", "other/", "--recipe", "no-such-recipe")
    assert outcome.code == 2
    assert not (tmp_path / "other").exists()
