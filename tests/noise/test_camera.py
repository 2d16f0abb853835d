"""Noise of cameras: demosaicking and JPEG against slow formulas, and what the noise looks like afterwards."""

import pytest
import torch

from torchdenoise.errors import UserError
from torchdenoise.noise import CameraNoise, JPEGNoise, from_spec
from torchdenoise.noise.camera import GAMMA, as_jpeg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_camera_noise_keeps_the_picture_and_grows_in_the_dark(channels):
    dark, bright = (torch.full((4, channels, 64, 64), value) for value in (0.15, 0.7))
    noise = [CameraNoise(300)(clean, seeded()) - clean for clean in (dark, bright)]
    assert all(each.mean().abs() < 0.02 for each in noise)
    assert noise[0].std() > 1.2 * noise[1].std() > 0


def test_neighbours_share_the_noise_of_a_colour_camera_only():
    for channels, shared in ((3, 0.2), (1, 0.0)):
        clean = torch.full((4, channels, 128, 128), 0.5)
        noise = CameraNoise(300)(clean, seeded()) - clean
        correlation = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
        assert (correlation > shared) if shared else (correlation.abs() < 0.03)


def test_more_light_is_less_noise_and_each_image_has_its_own():
    clean = torch.full((6, 3, 32, 32), 0.5)
    noise = [(CameraNoise(photons)(clean, seeded()) - clean).std() for photons in (50, 5000)]
    assert noise[0] > 3 * noise[1]
    assert (CameraNoise((20, 20000))(clean, seeded()) - clean).std((1, 2, 3)).unique().numel() == 6


def test_shot_noise_before_the_tone_curve():
    clean = torch.full((1, 1, 512, 512), 0.5)
    noisy = CameraNoise(1e5)(clean, seeded())
    numbers = torch.rand(6, generator=seeded())
    light = 0.5**GAMMA
    deviation = (light / 1e5 + (0.02 * numbers[4]) ** 2).sqrt()
    expected = deviation * light ** (1 / GAMMA - 1) / GAMMA  # the slope of the curve
    assert (noisy - clean).std().item() == pytest.approx(expected.item(), rel=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_a_smooth_picture_changes_little(channels):
    clean = torch.linspace(0.2, 0.8, 64).expand(2, channels, 64, 64)
    assert (JPEGNoise(95)(clean, seeded()) - clean).abs().max() < 0.03
    assert (JPEGNoise(30)(clean, seeded()) - clean).abs().mean() > (as_jpeg(clean[:1], 95) - clean[:1]).abs().mean()


def test_half_of_the_pictures_lose_colours():
    red_and_blue = torch.zeros(16, 3, 32, 32)
    red_and_blue[:, 0, :, ::2] = 1
    red_and_blue[:, 2, :, 1::2] = 1
    errors = (JPEGNoise(95)(red_and_blue, seeded()) - red_and_blue).abs().mean((1, 2, 3))
    assert 3 <= (errors > 0.1).sum() <= 13


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("jpeg:96", "jpeg:96: the level must be at most 95"),
        ("jpeg:0.5", "jpeg:0.5: the quality must be at least 1"),
        ("camera:0", "camera:0: the level must be above 0"),
    ],
)
def test_wrong_levels(spec, message):
    with pytest.raises(UserError, match=message):
        from_spec(spec)


def test_jpeg_holds_no_five_channels():
    with pytest.raises(UserError, match="JPEG holds grey and colour pictures, not 5 channels"):
        JPEGNoise(90)(torch.rand(1, 5, 8, 8))


def test_a_camera_and_its_files():
    clean = torch.rand(2, 3, 32, 32, generator=seeded())
    noisy = from_spec("camera:100-1000+jpeg:60-95")(clean, seeded())
    assert noisy.shape == clean.shape
    assert 0 <= noisy.min() <= noisy.max() <= 1
    assert torch.equal(noisy, from_spec("camera:100-1000+jpeg:60-95")(clean, seeded()))
