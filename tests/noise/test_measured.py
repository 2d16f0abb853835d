"""Noise drawn from a profile: its moments, and its spec."""

import pytest
import torch

from torchdenoise import from_spec
from torchdenoise.errors import UserError
from torchdenoise.noise import (
    LevelCurve,
    MeasuredNoise,
    NoiseLevelFunction,
    NoiseProfile,
    draw_noise,
    repeatable,
    save_profile,
)
from torchdenoise.testing import check_noise_model


def correlated_profile():
    covariance = torch.zeros(2, 2, 3, 3)
    covariance[0, 0, 1] = torch.tensor([0.4, 1.0, 0.4])
    covariance[1, 1, 1, 1] = 1.0
    covariance[0, 1, 1, 2] = covariance[1, 0, 1, 0] = 0.3  # channel 1 to the right of channel 0
    curve = LevelCurve(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[0.1, 0.3], [0.2, 0.2]]))
    return NoiseProfile(NoiseLevelFunction(0.0, 0.2), None, curve, covariance)


def test_correlated_noise_has_the_curve_and_the_covariance():
    clean = torch.full((1, 2, 400, 400), 0.5)
    clean[:, :, :200] = 1.0
    noise = (draw_noise(correlated_profile(), clean, torch.Generator().manual_seed(0)) - clean)[0]
    assert noise[0, :200].std() == pytest.approx(0.3, rel=0.03)
    assert noise[0, 200:].std() == pytest.approx(0.2, rel=0.03)
    assert noise[1].std() == pytest.approx(0.2, rel=0.03)
    first, second = noise[:, 200:] / 0.2
    assert (first[:, 1:] * first[:, :-1]).mean() == pytest.approx(0.4, abs=0.03)
    assert (first[1:] * first[:-1]).mean() == pytest.approx(0.0, abs=0.03)
    assert (first[:, :-1] * second[:, 1:]).mean() == pytest.approx(0.3, abs=0.03)
    assert (first[:, 1:] * second[:, :-1]).mean() == pytest.approx(0.0, abs=0.03)


def test_white_noise_has_the_level_function():
    level = NoiseLevelFunction(0.02, 0.05, False, 0.1)
    for brightness in (0.05, 0.6):
        clean = torch.full((1, 1, 300, 300), brightness)
        noisy = draw_noise(NoiseProfile(level), clean, torch.Generator().manual_seed(0))
        assert noisy.mean() == pytest.approx(brightness, abs=0.002)
        assert noisy.std() == pytest.approx(level.deviation(brightness), rel=0.02)


def test_clipped_noise_is_clipped():
    noisy = draw_noise(NoiseProfile(NoiseLevelFunction(0.0, 0.3, True)), torch.ones(1, 1, 9, 9))
    assert (noisy.min() >= 0, noisy.max()) == (True, 1)


def test_a_spec_names_the_file(tmp_path):
    path = tmp_path / "my:profile.json"
    save_profile(path, NoiseProfile(NoiseLevelFunction(0.0, 0.1)))
    noise = from_spec(f"measured:{path}:clip")
    assert noise.spec == f"measured:{path}:clip"
    assert noise == from_spec(noise.spec)
    assert noise.level == pytest.approx(25.5)
    check_noise_model(MeasuredNoise(path))


def test_draws_are_repeatable(tmp_path):
    save_profile(tmp_path / "p.json", correlated_profile())
    clean = torch.rand(2, 2, 30, 31)
    spec = f"measured:{tmp_path}/p.json"
    assert torch.equal(repeatable(spec, clean)[1:], repeatable(spec, clean[1:]))


def test_other_channels_and_names_are_refused(tmp_path):
    save_profile(tmp_path / "p.json", correlated_profile())
    with pytest.raises(UserError, match=r"the noise profile is for 2 channel\(s\), the picture has 3"):
        MeasuredNoise(tmp_path / "p.json")(torch.zeros(1, 3, 8, 8))
    with pytest.raises(UserError, match="rename it"):
        MeasuredNoise(tmp_path / "a+b.json")
    with pytest.raises(UserError, match="cannot read 'measured'"):
        from_spec("measured")
    with pytest.raises(UserError, match="No such file"):
        from_spec("measured:nowhere.json")
