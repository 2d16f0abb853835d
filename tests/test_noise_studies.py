"""The studies of correlated and of real noise: true statistics, noise kinds, and commands that continue."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import clean_image, scene, write_png
from torch import Generator

from torchdenoise.fitting import Options
from torchdenoise.noise.covariance import draw, root_kernel
from torchdenoise.recipes import load_recipe


@pytest.fixture
def load(script, tmp_path, monkeypatch):
    """Import a module of benchmarks/ whose results go to a temporary folder."""

    def loaded(name):
        module = script(name)
        if hasattr(module, "RESULTS"):
            monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
        return module

    return loaded


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return a folder of test images, of which there are few."""
    monkeypatch.setenv("TORCHDENOISE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


# -- the true statistics -----------------------------------------------------------------------------------------------


def test_the_autocovariance_is_the_mean_over_pairs(load):
    noise = torch.randn(2, 9, 7, generator=Generator().manual_seed(0))
    found = load("true_noise").autocovariance(noise, 3)
    assert found.shape == (2, 2, 7, 7)
    for down, right in ((0, 0), (2, 1), (-3, 2), (1, -3)):
        pairs = [
            (noise[0, y, x] * noise[1, y + down, x + right]).item()
            for y in range(9)
            for x in range(7)
            if 0 <= y + down < 9 and 0 <= x + right < 7
        ]
        assert found[0, 1, 3 + down, 3 + right].item() == pytest.approx(np.mean(pairs), abs=1e-5)


def test_true_profiles_are_those_that_the_noise_was_drawn_with(load):
    clean = torch.linspace(0, 1, 200).expand(1, 2, 200, 200).contiguous()
    covariance = torch.zeros(2, 2, 3, 3)
    covariance[0, 0, 1] = covariance[1, 1, 1] = torch.tensor([0.5, 1.0, 0.5])
    standard = draw(root_kernel(covariance), clean.shape, Generator().manual_seed(0))
    profile = load("true_noise").true_profile(clean + (0.05 + 0.1 * clean) * standard, clean)
    torch.testing.assert_close(profile.curve.at(clean), 0.05 + 0.1 * clean, atol=0.008, rtol=0)
    expected = torch.zeros(2, 2, 25, 25)
    expected[..., 11:14, 11:14] = covariance
    torch.testing.assert_close(profile.covariance, expected, atol=0.05, rtol=0)


def test_a_given_profile_is_believed(load):
    true_noise = load("true_noise")
    noisy = clean_image() + 0.1 * torch.randn(1, 3, 41, 35, generator=Generator().manual_seed(0))
    silent = replace(true_noise.true_profile(noisy, clean_image()), covariance=None, curve=None)
    silent = replace(silent, level=silent.level._replace(sigma=0.0), coarse_to_fine=False)
    recipe, options = load_recipe("bm3d-correlated"), Options(device="cpu")
    torch.testing.assert_close(true_noise.fitted(noisy, recipe, options, silent), noisy.clamp(0, 1))
    assert not torch.allclose(true_noise.fitted(noisy, recipe, options), noisy.clamp(0, 1), atol=0.05)


# -- the noise ---------------------------------------------------------------------------------------------------------


def test_blurred_noise_has_its_level_and_the_correlation_of_its_blur(load):
    kinds = load("noise_kinds")
    clean = torch.full((1, 3, 256, 256), 0.5)
    for blur in (0.7, 1.2):
        noisy, reference = kinds.blurred_noise(clean, Generator().manual_seed(0), blur)
        noise = noisy - clean
        assert reference is clean
        assert 255 * noise.std() == pytest.approx(25, rel=0.03)
        neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
        # Gaussian filters of this width: exp(-1 / (4 blur^2)) but for sampling.
        assert neighbours.item() == pytest.approx(np.exp(-1 / (4 * blur**2)), abs=0.02)


def test_a_camera_without_noise_gives_the_image_to_compare_with(load, monkeypatch):
    kinds = load("noise_kinds")
    grey = torch.full((1, 3, 32, 32), 0.4)
    balance, colours = torch.tensor(kinds.BALANCE).view(1, 3, 1, 1), torch.tensor(kinds.COLOURS)
    sensor = torch.ones(1, 3, 8, 8) * _sensor(kinds, 0.4)
    torch.testing.assert_close(kinds.developed(sensor, balance, colours), grey[..., :8, :8])
    noisy, reference = kinds.camera_noise(clean_image(), Generator().manual_seed(0))
    assert (noisy - reference).std() > 0.01
    torch.testing.assert_close((255 * noisy).round(), 255 * noisy, atol=1e-3, rtol=0)
    monkeypatch.setattr(kinds, "GAIN", 0.0)
    monkeypatch.setattr(kinds, "READ", 0.0)
    noisy, reference = kinds.camera_noise(clean_image(), Generator().manual_seed(0))
    torch.testing.assert_close(noisy, reference, atol=0.51 / 255, rtol=0)


def _sensor(kinds, value):
    """Return what the sensor sees of a grey value, (1, 3, 1, 1)."""
    colours = np.linalg.solve(np.array(kinds.COLOURS), np.full(3, value**2.2)) / np.array(kinds.BALANCE)
    return torch.tensor(colours, dtype=torch.float32).view(1, 3, 1, 1)


def test_jpeg_stores_colour_at_half_size(load):
    kinds = load("noise_kinds")
    noisy = torch.rand(1, 3, 64, 64, generator=Generator().manual_seed(0))
    stored = kinds.as_jpeg(noisy, 95)

    def differences(image):
        red_blue = image[:, 0] - image[:, 2]
        return (red_blue[..., 1::2] - red_blue[..., ::2]).std()

    assert stored.shape == noisy.shape
    assert differences(stored) < 0.5 * differences(noisy)


def test_rows_share_their_offset(load):
    kinds = load("noise_kinds")
    clean = torch.full((1, 3, 400, 64), 0.5)
    noise = kinds.row_pattern(clean, Generator().manual_seed(0))[0] - clean
    means = noise.mean((1, 3))
    assert 255 * means.std() == pytest.approx(12.2, rel=0.1)
    assert 255 * (noise - means[:, None, :, None]).std() == pytest.approx(15, rel=0.02)


# -- the commands ------------------------------------------------------------------------------------------------------


def test_the_study_of_correlated_noise_continues_where_it_stopped(load, data, monkeypatch, capsys):
    study = load("correlated")
    folder = data / "bsds400" / "train"
    folder.mkdir(parents=True)
    for number in range(9):
        write_png(folder / f"{number}.png", scene(40, 44)).rename(folder / f"{number}.jpg")
    monkeypatch.setattr(study, "centre_crop", lambda image: image[..., :32, :32])
    assert list(study.clean_crops()) == [str(number) for number in range(8)]
    kinds = study.arguments(["--kinds", "1,7"]).kinds
    assert kinds == ["Gaussian 25, blurred by 0.5 pixels", "row pattern"]

    def run():
        study.run(kinds, ["fast", "fast-true"], 1, max_steps=2)
        return capsys.readouterr().out.count("dB")

    assert run() == 4
    rows = study.read_rows()
    assert {(row["kind"], row["method"]) for row in rows} == {
        (kind, name) for kind in kinds for name in study.METHODS if "fast" in name
    }
    page = (study.RESULTS / "correlated.md").read_text()
    assert "| row pattern | 1 |" in page
    study.rows_path().write_text(study.rows_path().read_text()[:-9])  # a kill
    assert len(study.read_rows()) == 3
    assert run() == 1
    assert len(study.read_rows()) == 4
    assert run() == 0
    for words, message in (
        (["--kinds", "8"], "give numbers: 1 Gaussian"),
        (["--methods", "x"], "unknown x; choose from"),
    ):
        with pytest.raises(SystemExit):
            study.arguments(words)
        assert message in capsys.readouterr().err


def test_real_noise_by_halves_and_samples(load, data, capsys):
    real = load("real")
    for name, stems in (("sidd", ("10_17", "2_17", "3_17", "1_17")), ("fmd", ("A_1", "A_2", "A_3", "B_1"))):
        for kind in ("noisy", "clean"):
            (data / name / kind).mkdir(parents=True)
            for stem in stems:
                write_png(data / name / kind / f"{stem}.png", scene(20, 20))
    names = {half: [path.stem for path in real.part("sidd", half).images] for half in ("odd", "even")}
    assert names == {"odd": ["1_17", "3_17"], "even": ["2_17", "10_17"]}
    assert [path.stem for path in real.part("fmd", "even").images] == ["A_2", "B_1"]
    assert [path.stem for path in real.part("sidd", "odd", first=1).images] == ["1_17"]

    assert "Not run: `python benchmarks/real.py --sets sidd`." in real.section("sidd")
    rows = [{"image": image, "psnr": psnr} for image, psnr in (("A_1", "20"), ("A_2", "30"), ("B_1", "40"))]
    assert real.samples("fmd", rows) == [25.0, 40.0]
    assert real.samples("sidd", rows) == [20.0, 30.0, 40.0]

    for half, image, recipe, psnr in (
        ("odd", "1_17", "fast", 30),
        ("even", "2_17", "fast", 34),
        ("odd", "1_17", "bm3d", 26),
    ):
        _add_row(real.RESULTS / real.FOLDER / f"sidd-{half}", image, recipe, psnr)
    _add_row(real.RESULTS / real.FOLDER / "before" / "sidd", "1_17", "fast", 29)
    text = "\n".join(real.section("sidd"))
    assert "| `fast` | 2 | 32.00 ± 2.83 | 30.00 | 34.00 |" in text
    assert "\n`bm3d` has finished 1 of 2: 26.00 dB; `fast` on these 30.00 dB.\n" in text
    assert "| NLR (NeurIPS 2025; 65 s on a GPU) | 36.32 | 0.874 |" in text
    assert "on the pictures that both have (1): 29.00 and 30.00 dB, +1.00; worse by more than 0.05 dB on 0" in text
    with pytest.raises(SystemExit):
        real.arguments(["--sets", "sidd,x"])
    assert "unknown x; choose from sidd, polyu, fmd" in capsys.readouterr().err


def _add_row(folder, image, recipe, psnr):
    fresh = not (folder / "results.csv").exists()
    folder.mkdir(parents=True, exist_ok=True)
    row = {
        "recipe": recipe,
        "image": image,
        "noise": "real",
        "seed": "0",
        "status": "done",
        "psnr": psnr,
        "ssim": 0.8,
        "noisy_psnr": 20,
    }
    row |= {
        "ssim": 0.8,
        "noisy_psnr": 20,
        "noisy_ssim": 0.3,
        "seconds": 2,
        "threads": "1",
        "workers": "1",
        "fingerprint": "x",
    }
    with (folder / "results.csv").open("a") as file:
        file.write((",".join(row) + "\n") * fresh + ",".join(map(str, row.values())) + "\n")


def test_the_ladder_changes_what_its_names_say(load, data):
    ladder, uncorrelated = load("correlation_ladder"), load("uncorrelated")
    from torchdenoise.recipes.building import build_fit

    plain = load_recipe("fast")
    for changes in ladder.TABLES["parts"].values():
        model = build_fit(plain, list(changes)).model
        assert (type(model.loss.loss) is uncorrelated.UncorrelatedLoss) == (changes[0] in ladder.LOSS)
        assert (type(model.readout) is uncorrelated.UncorrelatedRidge) == (ladder.READOUT[0] in changes)
        assert (model.readout.similar, model.readout.window, model.readout.rounds) == (64, 25, 2)
        assert (model.loss.size, model.loss.count, model.loss.turned, model.loss.loss.amount) == (48, 4, True, 0.7)
    assert ladder._label(ladder.TABLES["scales"]["3 scales"]) == "all together"

    clean = torch.full((1, 3, 24, 24), 0.5)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=Generator().manual_seed(0))
    profile = load("true_noise").true_profile(noisy, clean)
    without = uncorrelated.uncorrelated(profile)
    torch.testing.assert_close(without.deviation(noisy), profile.deviation(noisy))
    assert torch.equal(without.covariance.flatten(1).sum(1), torch.ones(3))


# -- the limits of the measurement -------------------------------------------------------------------------------------


def test_limits_are_shown_with_the_pictures_beyond_them(load, data, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHDENOISE_RUNS", str(tmp_path / "runs"))
    for name in ("sidd/noisy/1_17.png", "sidd/noisy/2_17.png", "polyu/noisy/a.png", "polyu/noisy/b.png"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(data / name, np.random.default_rng(0).normal(0.5, 0.1, (96, 96, 3)).clip(0, 1))
    study = load("limits")
    for name, value in {"SIDE": 96, "SEEDS": range(1), "OFFSETS": ((40, 25),), "DYES": (50,)}.items():
        monkeypatch.setattr(study, name, value)
    crops = [clean_image(3, 160, 160)]
    columns = list(study.offsets(crops))
    assert columns[-1] == "| small type, `poisson:10` | 1 | 0 % |"
    assert next(text for text in columns if "offsets of 25" in text).endswith("| 1 | 100 % |")
    assert list(study.texture(crops))[-1].startswith("| PolyU, odd pictures | 1 | ")
    assert list(study.dyes())[-1].endswith("| 100 % |")
    assert list(study.lines())[-1].endswith("| 100 % |")
