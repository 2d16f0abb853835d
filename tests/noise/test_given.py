"""Noise that the user states: specs and models as profiles, held against drawn noise."""

import pytest
import torch

from torchdenoise.errors import UserError
from torchdenoise.noise import (
    GaussianNoise,
    NoiseLevelFunction,
    NoiseModel,
    NoiseProfile,
    SummedNoise,
    from_spec,
    given_profile,
    given_profiles,
    save_profile,
)


@pytest.mark.parametrize(
    "spec", ["gaussian:12", "poisson:30", "poisson:30+gaussian:5", "poisson:50+poisson:20", "gaussian:9+gaussian:12"]
)
@pytest.mark.parametrize("brightness", [0.2, 0.7])
def test_a_profile_has_the_variance_of_its_noise(spec, brightness):
    clean = torch.full((1, 1, 300, 300), brightness)
    drawn = from_spec(spec)(clean, torch.Generator().manual_seed(0)).std().item()
    assert given_profile(spec).deviation(clean).item() == pytest.approx(drawn, rel=0.02)


def test_clipping_is_noted():
    assert given_profile("poisson:30+gaussian:5:clip").level.clipped
    assert not given_profile("poisson:30+gaussian:5").level.clipped


class Odd(NoiseModel):
    def forward(self, clean, generator=None):
        return clean


@pytest.mark.parametrize(
    "noise",
    ["gaussian:5-50", "poisson:5-50", "gaussian:5|poisson:30", "gaussian:5-9+poisson:3", "gaussian:5-9:clip", Odd()],
)
def test_noise_without_one_level_is_refused(noise):
    with pytest.raises(UserError, match=r"only gaussian, poisson and measured noise, each of one level"):
        given_profile(noise)


def test_parts_that_are_clipped_first_are_refused():
    with pytest.raises(UserError, match="each of one level"):
        SummedNoise([from_spec("gaussian:5:clip"), GaussianNoise(3)]).profile()


@pytest.mark.parametrize("wrap", [str, lambda path: path, lambda path: f"measured:{path}"])
def test_a_file_is_given_by_its_path_or_as_measured_noise(tmp_path, wrap):
    path = tmp_path / "p.json"
    save_profile(path, NoiseProfile(NoiseLevelFunction(0.01, 0.02)))
    assert given_profile(wrap(path)).level == NoiseLevelFunction(0.01, 0.02)


def test_a_profile_with_a_negative_level_is_refused():
    with pytest.raises(UserError, match=r"level\.sigma is -0\.1"):
        given_profile(NoiseProfile(NoiseLevelFunction(0.0, -0.1)))


def test_other_objects_are_refused():
    with pytest.raises(UserError, match="noise: a float; give a spec"):
        given_profile(12.0)


def test_the_noise_of_each_channel_is_given_by_a_list(tmp_path):
    save_profile(tmp_path / "p.json", NoiseProfile(NoiseLevelFunction(0.01, 0.02)))
    found = given_profiles(["gaussian:25.5", tmp_path / "p.json", NoiseProfile(NoiseLevelFunction(0.0, 0.3))])
    assert [each.level.sigma for each in found] == [0.1, 0.02, 0.3]
    assert len(given_profiles("gaussian:25.5")) == len(given_profiles(tmp_path / "p.json")) == 1


def test_an_empty_list_of_noise_is_refused():
    with pytest.raises(UserError, match="noise: an empty list; give the noise of each channel"):
        given_profiles([])
