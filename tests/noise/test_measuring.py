"""Measuring noise: which kind an image has, and each image once."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tests.noise.correlated import seeded_noise, smoothed
from torchdenoise.noise import (
    FramesNoise,
    NoiseLevelFunction,
    NoiseProfile,
    Profiles,
    level_patches,
    measure_noise,
    measuring,
    repeatable,
)

RAMP = torch.linspace(0.2, 0.8, 128).expand(1, 3, 128, 128)


def test_white_noise():
    profile = measure_noise(repeatable("gaussian:25", RAMP))
    assert not profile.correlated
    assert (profile.unusable, profile.sigma) == ("", None)
    assert 255 * profile.deviation(RAMP).item() == pytest.approx(25, rel=0.05)
    assert profile.level.gain == 0


def test_photons():
    profile = measure_noise(repeatable("poisson:25", RAMP))
    assert not profile.correlated
    assert not profile.unusable
    assert profile.level.gain == pytest.approx(1 / 25, rel=0.15)
    assert profile.deviation(RAMP).item() == pytest.approx((0.5 / 25) ** 0.5, rel=0.1)
    assert profile.stabilized().level.gain == 0


def test_clipped_noise():
    profile = measure_noise(repeatable("gaussian:25:clip", torch.linspace(0, 1, 128).expand(1, 3, 128, 128)))
    assert profile.level.clipped
    assert not profile.correlated
    assert not profile.unusable
    assert 255 * profile.level.sigma == pytest.approx(25, rel=0.05)


def test_too_much_clipping_is_named():
    sparse = torch.zeros(1, 1, 96, 96)
    sparse[..., ::24, ::24] = 0.5
    assert "cut off at black or white" in measure_noise(repeatable("poisson:5+bits:8", sparse)).unusable


def plot_on_white() -> torch.Tensor:
    """Return curves and a grid on pure white."""
    plot = Image.new("RGB", (160, 160), (255, 255, 255))
    draw = ImageDraw.Draw(plot)
    for at in range(0, 160, 20):
        draw.line((0, at, 160, at), fill=(200, 200, 200))
    for colour, period in (((220, 30, 30), 9), ((30, 30, 220), 5), ((20, 150, 20), 14)):
        draw.line([(x, 80 + 60 * math.sin(x / period)) for x in range(160)], fill=colour)
    return torch.from_numpy(np.asarray(plot).copy()).permute(2, 0, 1)[None] / 255


def test_a_level_that_clipping_lowers_is_used():
    profile = measure_noise(repeatable("gaussian:12:clip", plot_on_white()))
    assert not profile.unusable
    assert not profile.correlated
    assert 0.4 < 255 * profile.level.sigma / 12 < 1.1


def test_bright_noise_that_is_weaker_was_clipped():
    assert 255 * measure_noise(repeatable("gaussian:25:clip", plot_on_white())).level.sigma == pytest.approx(
        25, rel=0.1
    )


@pytest.mark.parametrize("level", [5, 10, 15])
def test_lines_of_a_plot_are_no_noise_that_channels_share(level):
    """Where no noise is clipped, too: blocks with lines have a level far above that of the paper."""
    profile = measure_noise(repeatable(f"gaussian:{level}", plot_on_white()))
    assert profile.curve is None
    assert 255 * profile.level.sigma == pytest.approx(level, rel=0.1)


@pytest.mark.parametrize("spec", ["gaussian:20+jpeg:80", "camera:200"])
def test_lines_of_a_plot_do_not_raise_the_level_of_correlated_noise(spec):
    plot = plot_on_white()
    noisy = repeatable(spec, plot)
    profile = measure_noise(noisy)
    assert profile.correlated
    assert profile.deviation(noisy).max() < 1.5 * (noisy - plot).square().mean().sqrt()


def test_noise_that_a_tone_curve_makes_stronger_in_the_dark_is_measured():
    clean = torch.linspace(0.05, 0.95, 160).expand(1, 1, 160, 160)
    white = torch.randn(1, 1, 160, 161, generator=torch.Generator().manual_seed(0))
    stronger = 0.03 + 0.04 * (clean < 0.4)
    profile = measure_noise(clean + stronger * (white[..., 1:] + white[..., :-1]) / 2**0.5)
    dark, bright = profile.deviation(clean)[..., 20].mean(), profile.deviation(clean)[..., 140].mean()
    assert dark / bright == pytest.approx(7 / 3, rel=0.2)


@pytest.mark.parametrize("channels", [1, 3])
def test_correlated_noise(channels):
    clean = torch.linspace(0.3, 0.7, 200).expand(1, channels, 200, 200)
    profile = measure_noise(clean + (0.02 + 0.1 * clean) * smoothed(200, 200, channels))
    assert profile.correlated
    assert not profile.unusable
    assert profile.covariance.shape == (channels, channels, 9, 9)
    assert profile.covariance[0, 0, 4, 5].item() == pytest.approx(0.5, abs=0.1)
    assert profile.covariance[0, 0, 5, 5].item() == pytest.approx(0.25, abs=0.1)
    for column, brightness in ((20, 0.34), (180, 0.66)):
        level = profile.deviation(clean)[0, 0, 100, column].item()
        assert level == pytest.approx(0.02 + 0.1 * brightness, rel=0.15)


def test_correlated_noise_without_enough_blocks_is_named():
    profile = measure_noise(0.5 + 1e-5 * smoothed(200, 200, 3))
    assert not profile.correlated
    assert profile.unusable == "the noise of neighbouring pixels is correlated (0.4)"


@pytest.mark.parametrize("size", [(8, 8), (2, 2), (41, 300), (1, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_and_narrow_images(size, channels):
    image = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(0))
    profile = measure_noise(image)
    assert not profile.unusable
    assert profile.deviation(image).isfinite().all()


def test_a_profile_is_made_when_it_is_asked_for_and_kept():
    made = []

    def make(number):
        made.append(number)
        return NoiseProfile(NoiseLevelFunction(0.0, number / 10))

    profiles = Profiles(4, make)
    assert len(profiles) == 4
    assert not made
    assert profiles[-1] is profiles[3]
    assert made == [3]
    assert [profile.level.sigma for profile in profiles[1:]] == [0.1, 0.2, 0.3]
    assert made == [3, 1, 2]
    assert [profile.level.sigma for profile in profiles] == [0.0, 0.1, 0.2, 0.3]
    assert made == [3, 1, 2, 0]
    with pytest.raises(IndexError):
        profiles[4]


def test_stabilized_profiles_measure_only_what_is_asked_for(monkeypatch):
    measured = []

    def measure(image):
        measured.append(image)
        return NoiseProfile(NoiseLevelFunction(0.01, 0.02), 0.3)

    monkeypatch.setattr(measuring, "measure_noise", measure)
    images = torch.rand(3, 1, 4, 4)
    profiles = Profiles.measured(images)
    inside = profiles.stabilized().stabilized()
    assert not measured
    assert inside[1].level == NoiseLevelFunction(0.0, 0.3)
    assert inside[1] is inside[1]
    assert profiles[1].level.gain == 0.01
    assert len(measured) == 1
    assert torch.equal(measured[0], images[1:2])


def test_a_measurement_in_inference_mode_serves_a_fit():
    noisy = 0.5 + 0.1 * smoothed(200, 200)
    with torch.inference_mode():
        profile = Profiles.measured(noisy)[0]
    assert not profile.covariance.is_inference()
    assert not profile.curve.deviation.is_inference()


def frames(count=4, spec="gaussian:25"):
    return [repeatable(spec, RAMP[:, :1], seed) for seed in range(count)]


@pytest.mark.parametrize("spec", ["gaussian:25", "poisson:25", "gaussian:25:clip"])
def test_frames_share_a_level_that_is_surer_than_that_of_each(spec):
    images = frames(9, spec)
    noise = FramesNoise(lambda: images)
    shared = [noise.for_image(image).level for image in images]
    assert len(set(shared)) == 1
    alone = measure_noise(images[0])
    assert noise.profile.level.clipped == alone.level.clipped
    assert (noise.profile.level.gain > 0) == (alone.level.gain > 0)
    truth = (0.5 / 25) ** 0.5 if "poisson" in spec else 25 / 255
    assert shared[0].deviation(0.5) == pytest.approx(truth, rel=0.05)


def test_what_belongs_to_places_is_found_in_each_frame():
    images = frames(3)
    images[1] = images[1].clone()
    images[1][..., ::9, ::9] = -5.0
    noise = FramesNoise(lambda: images)
    assert noise.for_image(images[0]).outliers is None
    assert (noise.for_image(images[1]).outliers == (images[1] == -5)).all()
    assert noise.profile.level.sigma == pytest.approx(25 / 255, rel=0.06)


def test_frames_of_correlated_noise():
    images = [0.5 + 0.1 * smoothed(200, 200, 1, seed) for seed in range(3)]
    profile = FramesNoise(lambda: images).for_image(images[2])
    assert profile.correlated
    assert profile.covariance[0, 0, 4, 5].item() == pytest.approx(0.5, abs=0.1)


def test_the_frames_of_a_vignetted_lens_have_a_map():
    relative = torch.linspace(1, 4, 192)
    images = [0.5 + 0.02 * relative * seeded_noise(1, 1, 192, 192, seed=seed) for seed in range(3)]
    profile = FramesNoise(lambda: images).for_image(images[1])
    assert profile.variation.shape == (1, 1, 192, 192)
    level = profile.deviation(images[1])[0, 0, 96]
    assert level[170].item() == pytest.approx(0.02 * relative[170].item(), rel=0.25)
    assert level[20].item() == pytest.approx(0.02 * relative[20].item(), rel=0.25)


def test_the_patches_of_a_level_have_it():
    photons = repeatable("poisson:25", RAMP)
    profile = measure_noise(photons)
    brightness, deviation = level_patches(photons, profile)
    assert brightness.shape == deviation.shape == (1, deviation.shape[1])
    assert (deviation - (brightness / 25).sqrt()).abs().median() < 0.15 * (0.5 / 25) ** 0.5

    for copies in (1, 3):
        correlated = (0.5 + 0.1 * smoothed(128, 128)).repeat(1, copies, 1, 1)
        brightness, deviation = level_patches(correlated, measure_noise(correlated))
        assert brightness.shape == deviation.shape == (1, deviation.shape[1])
        assert deviation.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.1)
        assert brightness.mean().item() == pytest.approx(0.5, rel=0.05)


def test_a_level_from_single_photons_has_no_patches():
    few = torch.poisson(torch.full((1, 1, 96, 96), 0.5), generator=torch.Generator().manual_seed(0)) / 5
    assert level_patches(few, measure_noise(few))[0].shape == (1, 0)
    assert level_patches(torch.rand(1, 3, 8, 8), NoiseProfile(NoiseLevelFunction(0.0, 0.1)))[0].shape == (1, 0)


@pytest.mark.parametrize(("level", "raised"), [(2.5, True), (25, False)])
def test_weak_noise_that_is_weaker_in_flat_regions_has_the_level_of_all(level, raised):
    """As cameras and JPEG leave it; strong noise they do not take out of flat regions."""
    noise = level / 255 * smoothed(256, 256, 3)
    noise[..., :128] *= 0.7
    brightness = torch.linspace(0.3, 0.7, 256)[:, None].expand(1, 3, 256, 256)
    profile = measure_noise(brightness + noise)
    assert profile.correlated
    measured = 255 * profile.curve.deviation.mean().item()
    assert (measured > 0.8 * level) == raised
    assert measured < 0.95 * level


def test_dark_photographs_whose_black_is_clipped_keep_their_correlation():
    clean = torch.cat([torch.full((1, 3, 128, 96), 0.004), RAMP[..., ::2] / 2], -1)
    noisy = repeatable("blurred:9:0.7:clip", clean)
    assert (noisy <= 0).float().mean() > 0.2
    dark = noisy - 0.01  # a pedestal that was taken too large
    dark = dark.clamp(min=0)
    assert (dark <= 0).float().mean() > 1 / 3
    profile = measure_noise(dark)
    assert profile.correlated
    assert not profile.unusable
    assert 255 * profile.curve.deviation.max().item() == pytest.approx(9, rel=0.35)


@pytest.mark.parametrize(
    ("spec", "pedestal", "multi_scale"), [("poisson:1", 0.0, True), ("poisson:2+gaussian:8", 0.1, False)]
)
def test_few_photons_keep_their_values(spec, pedestal, multi_scale):
    noisy = (repeatable(spec, RAMP[:, :1] / 2) + pedestal) / 4
    profile = measure_noise(noisy)
    assert profile.few_photons
    assert profile.coarse_to_fine == multi_scale
    assert profile.describe().startswith("noise: sensor-like, gain")
    assert profile.describe().endswith(", few photons")
    assert profile.level.offset == pytest.approx(pedestal / 4, abs=0.005)


def test_many_photons_or_much_read_noise_are_not_few_photons():
    assert not measure_noise(repeatable("poisson:25", RAMP)).few_photons
    assert not measure_noise(repeatable("poisson:2+gaussian:150", RAMP) / 4).few_photons
