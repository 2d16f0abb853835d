"""Stacked fits against fits one by one."""

import pytest
import torch

from tests.noise.correlated import smoothed
from torchdenoise import UserError, metrics
from torchdenoise.denoisers import (
    DeepImagePrior,
    DenoisingLoss,
    IdentityDomain,
    LastMean,
    NonLocalRidge,
    Self2Self,
    SingleStage,
    SmallCNN,
    Wavelet,
    stacking_obstacle,
)
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting import Options, fit_image, fit_images, unwrap
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

SIZES = ((40, 52), (48, 48), (52, 41))


def pictures(sizes, channels=3):
    generator = torch.Generator().manual_seed(0)
    smooth = [torch.rand(1, channels, 4, 4, generator=generator) for _ in sizes]
    grown = [
        torch.nn.functional.interpolate(image, size, mode="bilinear") for image, size in zip(smooth, sizes, strict=True)
    ]
    return [repeatable("gaussian:25", image) for image in grown]


def both(recipe, images, options):
    plan = load_recipe(recipe)
    alone = [fit_image(image, plan, options).image for image in images]
    return alone, [unwrap(result) for result in fit_images(images, plan, options)]


@pytest.mark.parametrize(
    ("recipe", "sizes", "overrides"),
    [
        ("zsn2n", SIZES[:1] * 3, ()),
        ("zsn2m-star", [(180, 180)] * 2, ()),
        ("neighbor2neighbor-single", SIZES[:1] * 3, ()),
        ("fast", SIZES, ("model.readout=EightTurns", "model.scheduler.steps=400", "trainer.precision=32-true")),
    ],
)
def test_twenty_steps_give_what_each_fit_alone_gives(recipe, sizes, overrides):
    options = Options(max_steps=20, overrides=overrides, device="cpu")
    images = pictures(sizes)
    alone, together = both(recipe, images, options)
    for noisy, one, other in zip(images, alone, together, strict=True):
        assert (one - other).abs().max() < 1e-4
        assert (one - noisy.clamp(0, 1)).abs().max() > 0.02  # the fit changed that much


def test_two_stages_and_sizes_that_differ():
    options = Options(max_steps=9, overrides=("model.refiner.width=4",), device="cpu")
    alone, together = both("zsn2m", pictures(SIZES), options)
    assert all((one - other).abs().max() < 1e-4 for one, other in zip(alone, together, strict=True))


def test_white_and_correlated_noise_with_other_numbers_of_scales():
    overrides = ("model.readout=EightTurns", "trainer.precision=32-true", "model.network.width=4")
    options = Options(max_steps=6, overrides=overrides, device="cpu")
    white = 0.5 + 0.1 * torch.randn(1, 3, 100, 96, generator=torch.Generator().manual_seed(0))
    images = [0.5 + 0.1 * smoothed(100, 96, 3), white, 0.5 + 0.1 * smoothed(96, 101, 3, seed=1)]
    alone, together = both("fast", images, options)
    for noisy, one, other in zip(images, alone, together, strict=True):
        assert (one - other).abs().max() < 1e-4
        assert (one - noisy).abs().max() > 0.02


def test_white_and_correlated_noise_at_one_scale():
    overrides = ("model.readout=EightTurns", "trainer.precision=32-true", "model.network.width=4", "model.scales=1")
    options = Options(max_steps=6, overrides=overrides, device="cpu")
    white = 0.5 + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    alone, together = both("fast", [0.5 + 0.1 * smoothed(96, 96, 3), white], options)
    assert all((one - other).abs().max() < 1e-4 for one, other in zip(alone, together, strict=True))


def test_grey_and_colour_pictures_are_fitted_apart():
    images = [*pictures(SIZES[:2]), *pictures(SIZES[:1], channels=1)]
    results = fit_images(images, load_recipe("fast"), Options(max_steps=2, device="cpu"))
    assert [unwrap(result).shape for result in results] == [image.shape for image in images]


def test_after_a_whole_fit_they_are_equally_good():
    images = pictures(SIZES)
    options = Options(max_steps=100, overrides=("model.network.width=8",), device="cpu")
    alone, together = both("fast", images, options)
    for one, other, image in zip(alone, together, images, strict=True):
        assert metrics.psnr(one, image).item() == pytest.approx(metrics.psnr(other, image).item(), abs=0.05)


def test_a_picture_that_becomes_nan_does_not_touch_the_others():
    images = pictures(SIZES[:1] * 3)
    broken = [images[0], images[1] * torch.inf, images[2]]
    plan, options = load_recipe("zsn2n"), Options(max_steps=5, device="cpu")
    results = fit_images(broken, plan, options)
    assert isinstance(results[1], UserError)
    assert "the loss is NaN or infinite at step 0, before any update: check its formula" in str(results[1])
    for place in (0, 2):
        assert (unwrap(results[place]) - fit_image(images[place], plan, options).image).abs().max() < 1e-4


def test_progress_is_reported_once_for_all():
    reported = []
    options = Options(max_steps=3, device="cpu", progress=lambda step, steps: reported.append((step, steps)))
    fit_images(pictures(SIZES[:2]), load_recipe("fast"), options)
    assert reported == [(1, 3), (2, 3), (3, 3)]


class Statistics(SmallCNN):
    def __init__(self, channels: int | None = None) -> None:
        super().__init__(channels, width=4)
        self.layers.append(torch.nn.BatchNorm2d(self.channels))


class Fit(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": denoise(batch["noisy"]).mean()}


@pytest.mark.parametrize(
    ("denoiser", "reason"),
    [
        (SingleStage(SmallCNN(), Fit(), domain=IdentityDomain()), ""),
        (DeepImagePrior(), "DeepImagePrior is not made for stacking"),
        (Self2Self(), "Self2Self is not made for stacking"),
        (Wavelet(), "Wavelet fits nothing"),
        (SingleStage(Statistics(), Fit()), "SingleStage has a network with running statistics"),
        (SingleStage(SmallCNN(), Fit(), readout=LastMean()), "LastMean accumulates outputs during the fit"),
        (SingleStage(SmallCNN(), Fit(), readout=NonLocalRidge(LastMean())), "NonLocalRidge accumulates outputs"),
    ],
)
def test_what_cannot_be_stacked_says_why(denoiser, reason):
    assert stacking_obstacle(denoiser).startswith(reason)
    assert bool(stacking_obstacle(denoiser)) == bool(reason)


def test_what_cannot_be_stacked_is_fitted_one_by_one():
    images = pictures(SIZES)
    results = fit_images(images, load_recipe("tv"), Options(device="cpu"))
    assert all(
        torch.equal(unwrap(result), fit_image(image, load_recipe("tv"), Options(device="cpu")).image)
        for result, image in zip(results, images, strict=True)
    )


def test_crops_of_the_data_keep_pictures_apart():
    messages, images = [], pictures(SIZES[:2])
    options = Options(max_steps=2, overrides=("data.crop=16",), device="cpu", on_message=messages.append)
    results = fit_images(images, load_recipe("zsn2n"), options)
    assert messages == [
        "data.crop cuts one picture at a time (OnCrops cuts many): the pictures are fitted one after the other"
    ]
    assert all(
        torch.equal(unwrap(result), fit_image(image, load_recipe("zsn2n"), options).image)
        for result, image in zip(results, images, strict=True)
    )


def test_assumption_warnings_belong_to_their_picture():
    images = pictures([(98, 98)] * 2)
    images[1] = repeatable("gaussian:50:clip", torch.full((1, 3, 98, 98), -0.2))
    with pytest.warns(AssumptionWarning, match="cut off at black or white"):
        results = fit_images(images, load_recipe("fast"), Options(max_steps=1, device="cpu"))
    assert not results[0].assumption_warnings
    assert "cut off" in results[1].assumption_warnings[0]
