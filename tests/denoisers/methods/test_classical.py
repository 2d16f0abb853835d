"""Methods without a network: BM3D against the library's own call, scikit-image's baselines, and what they refuse."""

import sys

import bm3d
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene, write_png
from skimage.restoration import denoise_wavelet

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import (
    BM3D,
    AnscombeBM3D,
    BM3DOracle,
    Classical,
    NLMeans,
    TotalVariation,
    Wavelet,
)
from torchdenoise.denoisers.methods.scikit_image import calibrated
from torchdenoise.metrics import psnr
from torchdenoise.noise import gaussian_level, repeatable
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes import load_recipe
from torchdenoise.registry import entries
from torchdenoise.stored_recipes import build

BLIND = [BM3D, AnscombeBM3D, NLMeans, TotalVariation, Wavelet]
RECIPES = ["anscombe-bm3d", "bm3d", "nlm", "tv", "wavelet"]
ALONE = {"profile": bm3d.BM3DProfile()}
ALONE["profile"].num_threads = 1


def clean_image(channels=3, height=41, width=35):
    return torch.from_numpy(scene(height, width, channels)).permute(2, 0, 1)[None].float()


def noisy_image(channels=3, spec="gaussian:25", seed=0):
    return repeatable(spec, clean_image(channels), seed)


def to_array(image):
    return image[0].permute(1, 2, 0).double().numpy()


# -- every one of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_denoises(recipe):
    clean, noisy = clean_image(), noisy_image(spec="poisson:25")
    restored = denoise(noisy, recipe, data_range=1.0, device="cpu")
    assert restored.shape == noisy.shape
    assert psnr(restored, clean).item() > psnr(noisy, clean).item() + 3


@pytest.mark.parametrize("method", BLIND)
def test_a_batch_is_its_pictures_one_by_one(method):
    batch = torch.cat([noisy_image(1, seed=seed) for seed in range(2)])
    restored = method()(batch)
    assert restored.shape == batch.shape
    assert restored.dtype == batch.dtype
    assert torch.equal(restored[1:], method()(batch[1:]))
    assert not torch.equal(restored[:1], restored[1:])


@pytest.mark.parametrize("method", BLIND)
def test_grey_stored_as_colour_is_grey_and_a_constant_channel_stays(method):
    grey = noisy_image(1)
    stored = torch.cat([grey, grey, grey], 1)
    expected = method()(grey)
    torch.testing.assert_close(method()(stored), expected.expand_as(stored), atol=2e-3, rtol=0)
    with_alpha = method()(torch.cat([stored, torch.ones_like(grey)], 1))
    assert with_alpha[:, 1:2].std() < grey.std()
    torch.testing.assert_close(with_alpha[:, 3:], torch.ones_like(grey), atol=0.02, rtol=0)


@pytest.mark.parametrize("method", BLIND)
def test_a_picture_without_noise_stays_unchanged(method):
    flat = torch.full((1, 1, 20, 17), 0.3)
    torch.testing.assert_close(method()(flat), flat, atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", BLIND)
def test_the_smallest_picture_and_a_smaller_one(method):
    model, smallest = method(), method.smallest
    noisy = torch.rand(1, 1, smallest, smallest)
    assert model(noisy).isfinite().all()
    with pytest.raises(UserError, match=f"{method.__name__} needs at least {smallest}x{smallest}"):
        denoise(noisy[..., 1:], {"model": {"class_path": method.__name__}})


@pytest.mark.parametrize("method", [*BLIND, BM3DOracle])
def test_there_is_nothing_to_fit(method):
    model = method()
    assert model.stages() == []
    assert list(model.parameters()) == []
    with pytest.raises(UserError, match=f"{method.__name__} has nothing to fit"):
        model.match_data(DataDescription(1, 64, 64, frozenset({"noisy"})))
    assert type(build(model.recipe())) is method


def test_the_base_is_no_method_but_one_can_be_made_of_it():
    class Half(Classical):
        def forward(self, image, **known):
            return image / 2

    with pytest.raises(TypeError):
        Classical()
    assert "Classical" not in entries(Classical)
    assert Half().restore(torch.full((1, 1, 2, 2), 3.0)).max() == 1


# -- BM3D --------------------------------------------------------------------------------------------------------------


def test_the_oracle_is_the_librarys_call_for_colour_and_grey():
    level = torch.tensor([25.0])
    colour, grey = noisy_image(3), noisy_image(1)
    expected = bm3d.bm3d_rgb(to_array(colour), 25 / 255, **ALONE)
    np.testing.assert_allclose(to_array(BM3DOracle()(colour, level=level)), expected, atol=1e-6)
    expected = bm3d.bm3d(to_array(grey)[..., 0], 25 / 255, **ALONE)
    np.testing.assert_allclose(to_array(BM3DOracle()(grey, level=level))[..., 0], expected, atol=1e-6)


def test_the_estimated_level_is_used_like_the_true_one():
    noisy = noisy_image(1)
    level = torch.tensor([gaussian_level(noisy)], dtype=torch.float64)
    torch.testing.assert_close(BM3D()(noisy), BM3DOracle()(noisy, level=level))


def test_each_picture_of_a_batch_has_its_own_level():
    noisy = noisy_image(1)
    model, batch = BM3DOracle(), torch.cat([noisy, noisy])
    low, high = model(batch, level=torch.tensor([5.0, 60.0]))
    assert torch.equal(low, model(noisy, level=torch.tensor(5.0))[0])
    assert torch.equal(high, model(noisy, level=torch.tensor([60.0]))[0])
    assert low.std() > high.std()
    assert torch.equal(model(noisy, level=torch.tensor([0.0])), noisy)


def test_denoise_passes_the_true_level_on():
    noisy = noisy_image(1)
    given = denoise(noisy, "bm3d-oracle", level=25, data_range=1.0, device="cpu")
    torch.testing.assert_close(given, BM3DOracle()(noisy, level=torch.tensor([25.0])).clamp(0, 1))
    drawn = denoise(clean_image(1), "bm3d-oracle", overrides="data.noise=gaussian:25", data_range=1.0, device="cpu")
    torch.testing.assert_close(drawn, given)


def test_the_oracle_without_a_level_is_one_line(run, noisy_png):
    outcome = run("denoise", noisy_png, "--recipe", "bm3d-oracle", "--device", "cpu")
    assert outcome.code == 2
    assert "BM3DOracle needs the true level" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    for level in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="must be at least 0 and finite"):
            BM3DOracle()(noisy_image(), level=torch.tensor([level]))


def test_threads_that_cannot_be():
    with pytest.raises(UserError, match="threads=0: must be at least 1"):
        BM3D(threads=0)


# -- behind the Anscombe transform -------------------------------------------------------------------------------------


def test_anscombe_bm3d_is_its_formula():
    noisy = noisy_image(3, "poisson:25")
    stabilized = 2 * np.sqrt(25 * to_array(noisy) + 3 / 8)
    low, span = stabilized.min(), np.ptp(stabilized)
    value = low + span * bm3d.bm3d_rgb((stabilized - low) / span, 1 / span, **ALONE)
    assert value.min() > 2  # far from the guards
    root = np.sqrt(3 / 2)
    counts = value**2 / 4 + root / 4 / value - 11 / 8 / value**2 + 5 / 8 * root / value**3 - 1 / 8
    np.testing.assert_allclose(to_array(AnscombeBM3D(25)(noisy)), counts / 25, atol=1e-5)


@pytest.mark.parametrize("photons", [2, 25])
def test_dark_and_bright_are_denoised_alike_and_without_bias(photons):
    clean = torch.full((1, 1, 64, 64), 0.15)
    clean[..., 32:] = 0.9
    noisy = repeatable(f"poisson:{photons}", clean)
    for model in (AnscombeBM3D(photons), AnscombeBM3D()):
        restored = model(noisy)
        for side in (slice(24), slice(40, None)):
            assert restored[..., side].std() < 0.35 * noisy[..., side].std()
            assert restored[..., side].mean().item() == pytest.approx(noisy[..., side].mean().item(), rel=0.08)


@pytest.mark.parametrize("photons", [0.0, -2.0, float("nan"), float("inf")])
def test_photons_that_cannot_be(photons):
    with pytest.raises(UserError, match="must be above 0 and finite"):
        AnscombeBM3D(photons)


# -- scikit-image's ----------------------------------------------------------------------------------------------------


def test_calibration_takes_what_predicts_left_out_pixels_best():
    def mixed(noisy, channel_axis, share):
        assert channel_axis == -1
        return share * noisy.mean() + (1 - share) * noisy

    rng = np.random.default_rng(0)
    flat = 0.5 + 0.1 * rng.normal(size=(32, 33, 3))
    ramp = np.linspace(0, 1, 33)[None, :, None] * np.ones((32, 1, 3))
    shares = [0.0, 0.5, 1.0]
    np.testing.assert_array_equal(calibrated(mixed, flat, "share", shares), mixed(flat, -1, 1.0))
    np.testing.assert_array_equal(calibrated(mixed, ramp, "share", shares), mixed(ramp, -1, 0.0))


def test_wavelets_are_scikit_images_at_our_level():
    noisy = noisy_image()
    sigma = gaussian_level(noisy) / 255
    expected = denoise_wavelet(to_array(noisy), sigma, "db2", convert2ycbcr=True, channel_axis=-1)
    np.testing.assert_allclose(to_array(Wavelet()(noisy)), expected, atol=1e-6)
    assert not np.allclose(to_array(Wavelet("db1")(noisy)), expected, atol=1e-3)


def test_a_wavelet_that_is_none():
    with pytest.raises(UserError, match=r"wavelet=db0: .*did you mean db"):
        Wavelet("db0")


# -- the command line, and without the extras --------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["bm3d", "nlm"])
def test_the_command_line(run, noisy_png, recipe):
    outcome = run("denoise", noisy_png, "--recipe", recipe, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert noisy_png.with_name("noisy_denoised.png").exists()


def test_fit_refuses_in_one_line_and_leaves_nothing(run, tmp_path, monkeypatch):
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "")  # seeding sets both: give them back afterwards
    noisy = write_png(tmp_path / "noisy.png", noisy_scene())
    outcome = run("fit", "--config", "bm3d", "--data.path", noisy)
    assert outcome.code == 2
    assert "BM3D has nothing to fit: use `torchdenoise denoise`" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [noisy]


@pytest.mark.parametrize(
    ("recipe", "missing", "message"),
    [
        *((name, "bm3d", r"pip install torchdenoise[bm3d] (its licence allows non-commercial use only)")
          for name in ("bm3d", "bm3d-oracle", "anscombe-bm3d")),
        *((name, "skimage.restoration", "pip install torchdenoise[classical]") for name in ("nlm", "tv", "wavelet")),
        ("wavelet", "pywt", "pip install torchdenoise[classical]"),
    ],
)  # fmt: skip
def test_without_the_extra(run, noisy_png, monkeypatch, recipe, missing, message):
    monkeypatch.setitem(sys.modules, missing, None)
    outcome = run("denoise", noisy_png, "--recipe", recipe)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert load_recipe(recipe)["model"]  # that it exists needs no extra
