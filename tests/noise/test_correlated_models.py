"""Noise that pixels or channels share: its moments against the formulas."""

import pytest
import torch

from torchdenoise.errors import UserError
from torchdenoise.noise import BlurredNoise, RowNoise, SharedNoise, from_spec, measure_noise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("blur", [0.4, 0.7, 1.5])
def test_blurred_noise_has_the_level_and_the_correlation_of_its_filter(blur):
    noise = BlurredNoise(25, blur)(torch.zeros(2, 2, 256, 256), seeded()) * 255
    assert noise.mean().item() == pytest.approx(0, abs=1.3)
    assert noise.std().item() == pytest.approx(25, rel=0.02)
    places = torch.arange(-20, 21.0)
    line = torch.exp(-(places**2) / (2 * blur**2))
    expected = (line[1:] * line[:-1]).sum() / line.square().sum()
    for first, second in ((noise[..., 1:], noise[..., :-1]), (noise[..., 1:, :], noise[..., :-1, :])):
        assert ((first * second).mean() / noise.var()).item() == pytest.approx(expected.item(), abs=0.02)
    assert (noise[:, 0] * noise[:, 1]).mean().abs() < 0.03 * noise.var()
    assert (noise[0] * noise[1]).mean().abs() < 0.03 * noise.var()


def test_each_image_has_a_level_and_a_blur_of_its_own():
    noise = from_spec("blurred:5-50:0.4-2")(torch.zeros(8, 1, 64, 64), seeded()) * 255
    levels = noise.std((1, 2, 3))
    assert levels.min() < 15
    assert levels.max() > 30
    shared = (noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / noise.var((1, 2, 3))
    assert shared.max() - shared.min() > 0.2


def test_the_measurement_finds_the_blur():
    noisy = BlurredNoise(20, 0.7)(torch.full((1, 1, 200, 200), 0.5), seeded())
    profile = measure_noise(noisy)
    assert profile.correlated
    assert 255 * profile.deviation(noisy).mean().item() == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("model", [SharedNoise, RowNoise])
def test_shared_noise_has_its_level(model):
    noise = model(10)(torch.zeros(3, 3, 512, 64), seeded()) * 255
    assert noise.std().item() == pytest.approx(10, rel=0.1)
    assert torch.equal(noise[:, 0], noise[:, 2])
    assert not torch.equal(noise[0], noise[1])


def test_the_offset_of_a_row_is_the_same_in_all_columns():
    noise = RowNoise(10)(torch.zeros(1, 1, 16, 8), seeded())
    assert torch.equal(noise, noise[..., :1].expand_as(noise))
    assert noise[..., 0].std() > 0.01


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("blurred:25:0", "blurred:0: the level must be above 0"),
        ("blurred:25:1-4", "blurred:1-4: the level must be at most 3"),
        ("shared:-1", "cannot read|at least 0"),
        ("rows:5-2", "from the lower level to the higher one"),
    ],
)
def test_wrong_levels(spec, message):
    with pytest.raises(UserError, match=message):
        from_spec(spec)
