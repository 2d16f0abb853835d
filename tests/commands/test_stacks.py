"""The command ``denoise`` on stacks."""

import json

import numpy as np
import pytest
import tifffile
from helpers import clean_image, noisy_scene, random_pixels, save_picture

from torchdenoise.data import Frames
from torchdenoise.fitting import choosing, denoise
from torchdenoise.fitting.frames import DENOISED_APART
from torchdenoise.noise import repeatable

WORDS = ("--device", "cpu", "--recipe", "tv")
FEW_STEPS = ("--device", "cpu", "--recipe", "instant", "--max-steps", "2")


def save_stack(path, count=4, axes="TYX", **options):
    frames = [noisy_scene(channels=1, seed=seed)[..., 0] for seed in range(count)]
    array = np.round(255 * np.stack(frames)).astype(np.uint8)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": axes, "unit": "um", "finterval": 2.0}, **options)
    return path


def test_a_stack_goes_in_and_comes_out(run, tmp_path):
    path = save_stack(tmp_path / "a.tif", resolution=(9.26, 9.26))
    outcome = run("denoise", path, *WORDS)
    assert outcome.code == 0
    assert f"{path}: axes TYX, 4x24x28, 4 frames" in outcome.out
    assert "2 of 4 frames" in outcome.out
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(tmp_path / "a_denoised.tif") as after:
        assert after.imagej_metadata == before.imagej_metadata
        assert after.pages[0].resolution == before.pages[0].resolution
        assert (after.series[0].axes, after.asarray().dtype) == ("TYX", np.uint8)
        assert after.asarray().std((1, 2)).max() < before.asarray().std((1, 2)).min()


def test_the_noise_is_said_once(run, tmp_path):
    outcome = run("denoise", save_stack(tmp_path / "a.tif"), "--recipe", "instant", "--device", "cpu")
    assert outcome.code == 0
    assert outcome.out.count("noise: ") == 1


def test_pictures_and_stacks_in_a_folder(run, tmp_path):
    (tmp_path / "in").mkdir()
    save_stack(tmp_path / "in" / "b.tif")
    for name in ("a.png", "c.png"):
        save_picture(tmp_path / "in" / name, random_pixels((12, 12)))
    (tmp_path / "in" / "d.npy").write_bytes(b"nothing")
    outcome = run("denoise", "in", "-o", "out", *WORDS, "--batch", "2")
    assert outcome.code == 2
    assert "1 of 4 pictures failed" in outcome.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.tif", "c.png"]


def test_a_zarr_in_a_folder_and_a_tiff_to_zarr(run, tmp_path):
    zarr = pytest.importorskip("zarr")
    array = random_pixels((3, 12, 12))
    written = zarr.create_array(
        tmp_path / "in" / "night" / "a.zarr", shape=array.shape, dtype=array.dtype, dimension_names=["t", "y", "x"]
    )
    written[:] = array
    save_stack(tmp_path / "in" / "b.tif", resolution=(9.26, 9.26))
    outcome = run("denoise", "in", "-o", "out", "-r", "--strength", "0", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "2 done, 0 skipped, 0 failed" in outcome.out
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "out" / "night" / "a.zarr")[:], array)
    assert "2 picture(s) skipped" in run("denoise", "in", "-o", "out", "-r", "--device", "cpu").out
    words = ("denoise", "in/b.tif", "-o", "b.ome.zarr", "--strength", "0", "--device", "cpu")
    outcome = run(*words)
    assert outcome.code == 0
    assert "not kept in .ome.zarr: the description and tags of the TIFF" in outcome.out
    outcome = run(*words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "b.ome.zarr: exists already; add --overwrite" in outcome.err
    assert run(*words, "--overwrite").code == 0
    scale = zarr.open_group("b.ome.zarr").attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale[0]["scale"] == pytest.approx([2, 1 / 9.26, 1 / 9.26])
    assert run("inspect", "in/night/a.zarr").code == 0


@pytest.mark.parametrize("channels", ["together", "apart"])
def test_axes_and_channels_of_an_array(run, tmp_path, channels):
    np.save(tmp_path / "a.npy", random_pixels((2, 3, 9, 8), "float32"))
    words = ("denoise", "a.npy", "--axes", "TCYX", "--channels", channels, "--strength", "0", "--device", "cpu")
    outcome = run(*words)
    assert outcome.code == 0
    assert f"axes TCYX, 2x3x9x8, {2 if channels == 'together' else 6} frames" in outcome.out
    np.testing.assert_array_equal(np.load("a_denoised.npy"), random_pixels((2, 3, 9, 8), "float32"))


def test_outliers_of_frames_are_kept(run, tmp_path):
    frames = [repeatable("gaussian:8:clip", 0.7 * clean_image(1, 64, 64), seed)[0, 0].numpy() for seed in range(3)]
    array = np.round(255 * np.stack(frames)).astype(np.uint8)
    array[1, 3::9, 4::8] = 255
    np.save(tmp_path / "a.npy", array)
    words = ("denoise", "a.npy", "--axes", "TYX", *FEW_STEPS, "--overwrite")
    assert run(*words).code == 0
    assert np.load("a_denoised.npy")[1, 3::9, 4::8].mean() < 200
    assert run(*words, "--keep-outliers").code == 0
    assert (np.load("a_denoised.npy")[1, 3::9, 4::8] == 255).all()


def test_float_results_stay_in_the_format(run, tmp_path):
    np.save(tmp_path / "a.npy", random_pixels((3, 9, 8)))
    assert run("denoise", "a.npy", "--axes", "TYX", "--dtype", "float32", *WORDS).code == 0
    assert np.load("a_denoised.npy").dtype == np.float32


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.npy",), "a.npy: shape (3, 9, 8) is not one picture"),
        (("a.npy", "--axes", "TXX"), "a.npy: axes 'TXX': each letter once"),
        (("a.png", "--axes", "YX"), "a.png: PNG holds one picture, which has no other axes"),
        (("b.tif", "-o", "b.png"), "b.png: PNG holds one picture, and this is a stack: write .tiff or .npy"),
        (("c.npy", "--axes", "TYX"), "c.npy: 1 pixel value is NaN or infinite"),
        (("b.tif", "--mask", "a.png"), "a.png: the mask is 7x9 pixels, the stack 28x24: give a mask"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(run, tmp_path, words, message):
    np.save(tmp_path / "a.npy", random_pixels((3, 9, 8)))
    floats = random_pixels((3, 9, 8), "float32")
    floats[2, 3, 4] = np.inf
    np.save(tmp_path / "c.npy", floats)
    save_picture(tmp_path / "a.png", random_pixels())
    save_stack(tmp_path / "b.tif")
    before = sorted(tmp_path.iterdir())
    outcome = run("denoise", *words, *WORDS)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_frame_is_named_with_its_file(run, tmp_path):
    path = tmp_path / "a.tif"
    array = random_pixels((4, 40, 40))
    tifffile.imwrite(path, array, compression="zlib", photometric="minisblack", metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[2].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[place : place + 200] = bytes(200)
    path.write_bytes(content)
    outcome = run("denoise", path, *WORDS)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"torchdenoise: {path}: damaged or cut short")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(
    ("named", "given", "said"), [("TYX", "CYX", True), ("TYX", "TYX", False), (None, "TYX", False)]
)
def test_axes_that_contradict_the_file_are_used_and_said(run, tmp_path, named, given, said):
    metadata = {"axes": named} if named else None
    tifffile.imwrite(tmp_path / "a.tif", random_pixels((3, 9, 8)), photometric="minisblack", metadata=metadata)
    outcome = run("denoise", "a.tif", "--axes", given, "--strength", "0", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert f"axes {given}, 3x9x8" in outcome.out
    assert ("warning: a.tif: the file's own axes are TYX; --axes CYX is used" in outcome.out) == said


def test_channels_that_are_frames_get_the_advice_of_the_file(run, tmp_path):
    texture = np.kron(np.random.default_rng(0).integers(0, 255, (12, 12)), np.ones((8, 8))).astype(np.uint8)
    frames = np.stack([np.roll(texture, (0, 4 * number), (0, 1)) for number in range(6)]).reshape(3, 2, 96, 96)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack", metadata={"axes": "TCYX"})
    outcome = run("denoise", "a.tif", "--axes", "CTYX", "--channels", "together", "--strength", "0")
    assert outcome.code == 0, outcome.err
    assert "they may be frames; give axes='TCYX' (--axes TCYX), or channels='apart' (--channels apart)" in outcome.out


def unequal_dyes(path):
    """Write two channels of counts, one fifty times as bright as the other."""
    light = 3000 * clean_image(1, 96, 96)[0, 0].numpy()
    dyes = np.random.default_rng(0).poisson(20 + np.stack([light, light.T / 50])).astype(np.uint16)
    np.save(path, dyes)
    return dyes


@pytest.mark.parametrize(
    ("words", "apart"), [((), True), (("--channels", "together"), False), (("--noise-level", "9"), False)]
)
def test_dyes_of_unequal_brightness_are_denoised_apart(run, tmp_path, words, apart):
    dyes = unequal_dyes(tmp_path / "dyes.npy")
    outcome = run("denoise", "dyes.npy", "--axes", "CYX", *FEW_STEPS, *words)
    assert outcome.code == 0, outcome.err
    assert ("the noise of the channels differs: each is denoised alone" in outcome.out) == apart
    lines = outcome.out.splitlines()
    assert [line.partition(": noise: ")[0] for line in lines if ": noise: " in line] == (
        ["channel 1", "channel 2"] if apart else []
    )
    if not words:
        result = denoise(dyes, "instant", axes="CYX", channels="apart", device="cpu", max_steps=2)
        np.testing.assert_array_equal(np.load(tmp_path / "dyes_denoised.npy"), result)


def test_what_inspect_wrote_of_channels_is_taken_for_them(run, tmp_path):
    unequal_dyes(tmp_path / "dyes.npy")
    assert run("inspect", "dyes.npy", "--axes", "CYX", "--json", "dyes.json").code == 0
    measured = run("denoise", "dyes.npy", "--axes", "CYX", "-o", "measured.npy", *FEW_STEPS)
    given = run("denoise", "dyes.npy", "--axes", "CYX", "-o", "given.npy", *FEW_STEPS, "--noise-profile", "dyes.json")
    assert given.code == 0, given.err
    assert "each channel is denoised alone, with the noise that is given for it" in given.out
    assert measured.out.count(": noise: ") == given.out.count(": noise: ") == 2
    results = [np.load(tmp_path / f"{name}.npy").astype(float) for name in ("measured", "given")]
    for one, other in zip(*results, strict=True):
        assert np.abs(one - other).mean() < 0.05 * one.std()  # but for the maps, which no file holds


def test_the_noise_of_channels_is_not_for_a_picture(run, tmp_path, noisy_png):
    unequal_dyes(tmp_path / "dyes.npy")
    assert run("inspect", "dyes.npy", "--axes", "CYX", "--json", "dyes.json").code == 0
    refused = run("denoise", "noisy.png", "--noise-profile", "dyes.json", "--device", "cpu")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "noisy.png: 2 noise profiles are for a stack of as many channels: give one" in refused.err


def test_each_channel_that_is_denoised_alone_has_its_noise_and_recipe_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "FITTED", "instant")  # it is quick
    unequal_dyes(tmp_path / "dyes.npy")
    outcome = run("denoise", "dyes.npy", "--axes", "CYX", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    said = [line for line in outcome.out.splitlines() if line.startswith("channel ")]
    assert ["; by instant: " in said[0], "; by pretrained-fast; " in said[1]] == [True, True]
    first, second = (line.rpartition("255 stands for ")[2] for line in said)
    assert (first, second) == ("4095", "99, 0 for 17")  # each channel has its own black and white
    lines = run("inspect", "dyes.npy", "--axes", "CYX", "--json", "p.json", "--html", "p.html").out.splitlines()
    heads = [line for line in lines if line.startswith("dyes.npy, channel ")]
    assert [head.removeprefix("dyes.npy, ").partition("; ")[0] for head in heads] == [
        line.partition("; ")[0] for line in said
    ]
    assert lines.count("  axes: CYX, 2x96x96, 2 frames; " + DENOISED_APART) == 2
    contents = json.loads((tmp_path / "p.json").read_text())
    assert [each["inspection"]["channel"] for each in contents] == ["channel 1", "channel 2"]
    assert "<h2>dyes.npy, channel 2</h2>" in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize("kind", ["imagej", "ome", "other", "npy"])
def test_the_noise_is_kept_in_the_metadata_of_a_stack(run, tmp_path, kind):
    array = np.stack([unequal_dyes(tmp_path / "dyes.npy")] * 2)
    path = tmp_path / ("a.npy" if kind == "npy" else "a.ome.tif" if kind == "ome" else "a.tif")
    said = {"axes": "TCYX", "spacing": 0.5, "unit": "um", "Ranges": (0.0, 4000.0, 0.0, 99.0), "mode": "composite"}
    if kind == "npy":
        np.save(path, array)
    elif kind == "imagej":
        tifffile.imwrite(path, array, imagej=True, resolution=(9.26, 9.26), metadata=said)
    elif kind == "ome":
        said = {"axes": "TCYX", "PhysicalSizeX": 0.108, "Channel": {"Name": ["DAPI", "GFP"]}}
        tifffile.imwrite(path, array, metadata=said, software=False)
    else:
        tifffile.imwrite(
            path, array, photometric="minisblack", metadata={"axes": "TCYX"}, software="ZEN 3 \u00b5".encode()
        )
    outcome = run("denoise", path, *FEW_STEPS, "--axes", "TCYX", "-o", "b.tif")
    assert outcome.code == 0, outcome.err
    noise = "; ".join(line for line in outcome.out.splitlines() if ": noise: " in line)
    assert noise.count("channel ") == 2
    with tifffile.TiffFile("b.tif") as after:
        before = {"imagej": "tifffile.py; ", "other": "ZEN 3 \u00b5; "}.get(kind, "")
        assert after.pages[0].software == f"{before}torchdenoise: {noise}"
        assert after.asarray().shape == array.shape
        if kind == "npy":
            return
        with tifffile.TiffFile(path) as source:
            assert after.series[0].axes == source.series[0].axes == "TCYX"
            assert after.imagej_metadata == source.imagej_metadata
            assert after.ome_metadata == source.ome_metadata
            assert after.pages[0].resolution == source.pages[0].resolution
            assert kind != "imagej" or after.imagej_metadata["Ranges"] == said["Ranges"]


def test_channels_that_are_inspected_together_have_one_profile(run, tmp_path):
    unequal_dyes(tmp_path / "dyes.npy")
    outcome = run("inspect", "dyes.npy", "--axes", "CYX", "--channels", "together")
    assert "  axes: CYX, 2x96x96, 1 frame" in outcome.out.splitlines()
    assert outcome.out.count("noise: ") == 1
    assert outcome.out.endswith("command: torchdenoise denoise dyes.npy --axes CYX --channels together\n")


def test_a_page_of_channels_that_is_cut_short_is_named_with_its_file(run, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random_pixels((9, 8, 5)), photometric="minisblack", planarconfig="contig", metadata=None)
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        size = tiff.pages[0].tags["StripByteCounts"].valueoffset
    path.write_bytes(content[:size] + b"\x10\0" + content[size + 2 :])
    outcome = run("denoise", path, *WORDS)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"torchdenoise: {path}: damaged or cut short")


def test_frames_are_read_and_written_one_by_one(run, tmp_path, monkeypatch):
    path, alive = save_stack(tmp_path / "a.tif", count=12), []
    whole = Frames.__getitem__
    monkeypatch.setattr(Frames, "__getitem__", lambda frames, number: alive.append(number) or whole(frames, number))
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)
    assert run("denoise", path, *WORDS).code == 0
    assert alive == list(range(12))


def test_another_container_names_what_it_cannot_keep(run, tmp_path):
    path = save_stack(tmp_path / "a.tif")
    outcome = run("denoise", path, "-o", "a.npy", *WORDS)
    assert outcome.code == 0
    assert f"warning: {path}: not kept in .npy: the description and tags of the TIFF" in outcome.out
    assert np.load("a.npy").shape == (4, 24, 28)


def test_frames_are_fitted_together_on_request(run, tmp_path):
    path = save_stack(tmp_path / "a.tif", count=3)
    words = ("denoise", path, "--recipe", "instant", "--max-steps", "2", "--device", "cpu")
    assert run(*words, "-o", "one.tif").code == 0
    assert run(*words, "-o", "two.tif", "--batch", "2").code == 0
    difference = tifffile.imread("one.tif").astype(float) - tifffile.imread("two.tif")
    assert abs(difference).max() <= 1


def test_one_network_and_neighbours_for_all_frames(run, tmp_path):
    path = save_stack(tmp_path / "a.tif")
    words = ("denoise", path, "--recipe", "instant", "--max-steps", "3", "--device", "cpu")
    shared = (*words, "--fit", "shared", "--neighbours", "1")
    outcome = run(*shared, "-o", "one.tif")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("noise: ") == 1
    assert run(*shared, "-o", "two.tif").code == 0
    assert run(*words, "-o", "each.tif").code == 0
    first, second, each = (tifffile.imread(name) for name in ("one.tif", "two.tif", "each.tif"))
    np.testing.assert_array_equal(first, second)
    array = tifffile.imread(path)
    options = {"axes": "TYX", "recipe": "instant", "max_steps": 3, "device": "cpu"}
    np.testing.assert_array_equal(first, denoise(array, fit="shared", neighbours=1, **options))
    assert (first != each).any()


def test_options_for_stacks_on_single_pictures_are_named_once(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "c.png"):
        save_picture(tmp_path / "in" / name, random_pixels((12, 12)))
    words = ("denoise", "in", "-o", "out", "--recipe", "instant", "--max-steps", "1", "--device", "cpu")
    outcome = run(*words, "--fit", "shared", "--neighbours", "1")
    assert outcome.code == 0
    assert outcome.out.count("--fit shared and --neighbours: for stacks, without effect on single pictures") == 1
    assert "--fit" not in run(*words, "--overwrite").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--neighbours", "-1"), "argument --neighbours: give a whole number from 0 on"),
        (("--fit", "one"), "argument --fit: invalid choice: 'one'"),
        (("--fit", "shared", "--recipe", "tv"), "fits no network that frames could share: leave fit='shared' (--fit"),
        (("--neighbours", "1", "--recipe", "tv"), "looks for no similar patches: leave neighbours=1 (--neighbours)"),
    ],
)
def test_what_a_recipe_cannot_do_for_a_stack_is_one_line(run, tmp_path, words, message):
    path = save_stack(tmp_path / "a.tif")
    outcome = run("denoise", path, "--device", "cpu", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("kind", ["picture", "stack", "array"])
def test_masked_pixels_of_a_stack_stay_as_they_are(run, tmp_path, kind):
    path, hidden = save_stack(tmp_path / "a.tif"), np.zeros((4, 24, 28), np.uint8)
    hidden[:, 3:9, 4:15] = 255
    hidden[2, 10:12, 3] = 0 if kind == "picture" else 255
    mask = tmp_path / {"picture": "m.png", "stack": "m.tif", "array": "m.npy"}[kind]
    if kind == "array":
        np.save(mask, hidden)
    elif kind == "stack":
        tifffile.imwrite(mask, hidden, photometric="minisblack")
    else:
        save_picture(mask, hidden[0])
    outcome = run("denoise", path, "--mask", mask, *WORDS)
    assert outcome.code == 0, outcome.err
    before, after = tifffile.imread(path), tifffile.imread("a_denoised.tif")
    np.testing.assert_array_equal(before[hidden > 0], after[hidden > 0])
    assert (before != after)[hidden == 0].mean() > 0.5


def test_a_value_for_no_data_is_kept_in_a_stack(run, tmp_path):
    array = np.stack([noisy_scene(channels=1, seed=seed)[..., 0] for seed in range(3)]).astype(np.float32)
    array[1, 3:9, 4:15] = -9999
    tag = (42113, "s", 0, "-9999", True)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", extratags=[tag])
    outcome = run("denoise", "a.tif", *WORDS)
    assert outcome.code == 0
    after = tifffile.imread("a_denoised.tif")
    np.testing.assert_array_equal(after == -9999, array == -9999)
    assert (after[array != -9999] != array[array != -9999]).mean() > 0.5
    assert after[array != -9999].min() > -0.5
    with tifffile.TiffFile("a_denoised.tif") as tiff:
        assert tiff.pages[0].tags[42113].value == "-9999"


def test_frames_too_large_for_the_memory_are_refused_before_they_are_read(run, tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", shape=(2, 4000, 6000), dtype="uint8", photometric="minisblack")  # sparse
    monkeypatch.setattr("torchdenoise.data.memory.free_memory", lambda: 10**9)
    monkeypatch.setattr("torchdenoise.data.frames.Planes.plane", None)
    outcome = run("denoise", "a.tif", *WORDS)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "a.tif: 6000 x 4000 pixels need about 1.1 GB of memory, 1 GB are free: crop or split it" in outcome.err
