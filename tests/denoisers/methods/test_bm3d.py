"""BM3D against the library's own call, and its Anscombe transform against the formula."""

import bm3d
import numpy as np
import pytest
import torch
from helpers import clean_image, noisy_image

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import (
    BM3D,
    AnscombeBM3D,
    BM3DOracle,
)
from torchdenoise.denoisers.methods.classical import to_array
from torchdenoise.noise import gaussian_level, repeatable

ALONE = {"profile": bm3d.BM3DProfile()}
ALONE["profile"].num_threads = 1


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
