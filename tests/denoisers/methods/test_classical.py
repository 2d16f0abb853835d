"""Methods without a network: what all of them have in common."""

import sys

import pytest
import torch
from helpers import clean_image, noisy_image, noisy_scene, write_png

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import (
    BM3D,
    AnscombeBM3D,
    BM3DCorrelated,
    BM3DOracle,
    Classical,
    NLMeans,
    NLRidge,
    TotalVariation,
    Wavelet,
)
from torchdenoise.metrics import psnr
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes import load_recipe
from torchdenoise.registry import entries
from torchdenoise.stored_recipes import build

BLIND = [BM3D, AnscombeBM3D, BM3DCorrelated, NLMeans, NLRidge, TotalVariation, Wavelet]
RECIPES = ["anscombe-bm3d", "bm3d", "bm3d-correlated", "nl-ridge", "nlm", "tv", "wavelet"]


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
    narrow = noisy[..., 1:] if smallest > 1 else noisy
    clean = denoise(narrow, {"model": {"class_path": method.__name__}})  # mirrored at its edges
    assert clean.shape == narrow.shape
    assert clean.isfinite().all()


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
          for name in ("bm3d", "bm3d-correlated", "bm3d-oracle", "anscombe-bm3d")),
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
