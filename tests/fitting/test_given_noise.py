"""Noise that the caller states: it is believed, in every kind of fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import clean_image

from torchdenoise import UserError, denoise, from_spec
from torchdenoise.denoisers import BM3DCorrelated, OnCrops, Recorrupted, RecorruptedLoss, SmallCNN
from torchdenoise.fitting import Options, build, fit_images
from torchdenoise.noise import (
    GaussianNoise,
    LevelCurve,
    NoiseLevelFunction,
    NoiseProfile,
    ValueRange,
    measure_noise,
    repeatable,
    save_profile,
)
from torchdenoise.recipes import load_recipe

FAST = load_recipe("fast")


def noisy(spec="gaussian:20", side=48):
    return repeatable(spec, clean_image(3, side, side))


def removed(image, **options):
    return (denoise(image, max_steps=5, device="cpu", data_range=1, **options) - image).std().item()


def horizontal(level, channels=3):
    """Return the profile of noise that horizontal neighbours share."""
    covariance = torch.zeros(channels, channels, 3, 3)
    for channel in range(channels):
        covariance[channel, channel, 1] = torch.tensor([0.45, 1.0, 0.45])
    curve = LevelCurve(torch.tensor([[0.0, 1.0]]).repeat(channels, 1), torch.full((channels, 2), level))
    return NoiseProfile(NoiseLevelFunction(0.0, level), None, curve, covariance, coarse_to_fine=True)


def test_a_stated_level_is_believed():
    image = noisy()
    assert removed(image, noise="gaussian:2") < 0.5 * removed(image, noise="gaussian:20")


def test_what_was_measured_changes_nothing_when_it_is_given(tmp_path):
    image = noisy("poisson:30+gaussian:5")
    profile = measure_noise(image)
    save_profile(tmp_path / "p.json", profile)
    measured = denoise(image, max_steps=3, device="cpu", data_range=1)
    for noise in (profile, tmp_path / "p.json", str(tmp_path / "p.json"), f"measured:{tmp_path / 'p.json'}"):
        assert torch.equal(denoise(image, max_steps=3, device="cpu", data_range=1, noise=noise), measured)


def test_nothing_is_measured(monkeypatch):
    def refuse(image):
        raise AssertionError

    monkeypatch.setattr("torchdenoise.noise.measuring.measure_noise", refuse)
    denoise(noisy(), max_steps=2, device="cpu", noise=GaussianNoise(20))


def test_fits_together_believe_it_too():
    images = [noisy(), noisy("gaussian:21")]
    overrides = ("trainer.precision=32-true",)  # processors with bfloat16 round stacked fits differently
    options = Options(3, device="cpu", noise=from_spec("gaussian:5").profile(), overrides=overrides)
    together = fit_images(images, FAST, options)
    for image, result in zip(images, together, strict=True):
        (alone,) = fit_images([image], FAST, options)
        assert torch.allclose(result.image, alone.image, atol=1e-4)
        assert result.noise == alone.noise == "noise: white, level 5 of 255; given"


def test_correlated_noise_is_removed_from_coarse_to_fine():
    (result,) = fit_images([noisy(side=100)], FAST, Options(3, device="cpu", noise=horizontal(0.08)))
    assert result.noise == "noise: level 20.4 of 255, correlated over 2 pixels; given; multi-scale"


def test_a_checkpoint_believes_it(tmp_path):
    import lightning

    from torchdenoise.data import SingleImage
    from torchdenoise.fitting.trainers import HYGIENE

    data = SingleImage()
    data.use(noisy())
    trainer = lightning.Trainer(**{**HYGIENE, "max_steps": 3, "accelerator": "cpu"})
    trainer.fit(Recorrupted(), datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    little, much = (
        denoise(noisy(), checkpoint=tmp_path / "a.ckpt", device="cpu", data_range=1, noise=f"gaussian:{level}")
        for level in (2, 20)
    )
    assert (little - noisy()).std() < 0.5 * (much - noisy()).std()


def test_other_channels_are_refused():
    with pytest.raises(UserError, match=r"the noise profile is for 1 channel\(s\), the picture has 3"):
        denoise(noisy(), max_steps=2, noise=horizontal(0.1, channels=1))
    results = fit_images([noisy(), noisy()], FAST, Options(2, device="cpu", noise=horizontal(0.1, channels=1)))
    assert all(isinstance(result, UserError) for result in results)


def test_methods_that_make_no_use_of_it_refuse():
    for recipe in ("zsn2n", "nl-ridge"):
        with pytest.raises(UserError, match=r"makes no use of a given noise: .* fast, instant or best"):
            denoise(noisy(), recipe, noise="gaussian:20")
    for recipe in ("fast", "instant", "best"):
        assert build(load_recipe(recipe), Options()).uses_noise


def test_a_method_says_whether_it_uses_noise():
    assert Recorrupted().uses_noise
    assert not OnCrops(RecorruptedLoss(level=25)).uses_noise
    assert OnCrops(RecorruptedLoss()).uses_noise


def test_a_level_of_zero_keeps_the_picture():
    assert removed(noisy(), noise="gaussian:0", network=SmallCNN(width=4)) < 0.02


def test_maps_of_another_picture_are_refused():
    profile = NoiseProfile(NoiseLevelFunction(0.0, 0.1), variation=torch.ones(1, 1, 9, 8))
    with pytest.raises(UserError, match=r"variation is a map of 8x9 pixels, the picture has 48x48: leave it out"):
        denoise(noisy(), max_steps=1, device="cpu", noise=profile)


def test_bm3d_correlated_uses_it():
    assert BM3DCorrelated.assumes
    assert build(load_recipe("bm3d-correlated"), Options()).uses_noise


@pytest.mark.parametrize(
    "arguments",
    [{}, {"axes": "YX"}, {"axes": "TYX"}, {"axes": "CYX", "channels": "apart"}],
)
def test_a_profile_in_other_units_is_refused(arguments):
    profile = replace(from_spec("gaussian:5").profile(), values=ValueRange("float64", 0.0, 4095.0))
    picture = np.linspace(0, 100, 400).reshape(2, 10, 20)
    picture = picture if len(arguments.get("axes", "YX")) == 3 else picture[0]
    with pytest.raises(UserError, match=r"is for black 0, white 4095; .* give --data-range=4095 "):
        denoise(picture, max_steps=2, device="cpu", noise=profile, **arguments)
    tensor = torch.from_numpy(picture).reshape(1, 1, -1, 20)
    with pytest.raises(UserError, match="is for black 0, white 4095"):
        denoise(tensor, max_steps=2, device="cpu", noise=profile)
    assert denoise(tensor, max_steps=2, device="cpu", noise=profile, data_range=4095.0).shape == tensor.shape
    assert denoise(tensor.float(), max_steps=2, device="cpu", noise=profile).shape == tensor.shape  # another type


def test_each_channel_of_a_stack_has_the_noise_that_is_given_for_it():
    image = noisy(side=32)[0].numpy()
    options = {"recipe": "instant", "max_steps": 3, "device": "cpu", "data_range": 1}
    result = denoise(image, axes="CYX", noise=["gaussian:2", "gaussian:20", "gaussian:9"], **options)
    for channel, spec in enumerate(("gaussian:2", "gaussian:20", "gaussian:9")):
        alone = denoise(image[channel], axes="YX", noise=spec, **options)
        np.testing.assert_array_equal(result[channel], alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": "CYX"}, r"2 noise profiles for 3 channel\(s\): give one for each, or one for all"),
        ({"axes": "CYX", "channels": "together"}, "2 noise profiles, one for each channel: leave channels='together'"),
        ({}, "2 noise profiles are for a stack of as many channels: give one"),
    ],
)
def test_noise_of_channels_that_are_not_there_is_refused(options, message):
    image = noisy(side=16)[0].numpy()
    array = image if options else np.moveaxis(image, 0, -1)
    with pytest.raises(UserError, match=message):
        denoise(array, noise=["gaussian:2", "gaussian:20"], device="cpu", **options)
