"""Profiles as JSON: what comes back, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from helpers import noisy_scene, write_png

from torchdenoise.errors import UserError
from torchdenoise.noise import (
    LevelCurve,
    NoiseLevelFunction,
    NoiseProfile,
    StripeNoise,
    ValueRange,
    load_profile,
    save_profile,
)
from torchdenoise.noise.covariance import nearest_covariance, standardized
from torchdenoise.noise.profile_files import from_json, to_json

WHITE = {"format": 1, "kind": "noise profile", "level": {"gain": 0.0, "sigma": 0.1}}


def correlated_profile(channels=3):
    covariance = torch.zeros(channels, channels, 3, 3)
    covariance[:, :, 1] = torch.tensor([0.4, 1.0, 0.4]) * (0.3 + 0.7 * torch.eye(channels)[..., None])
    covariance, _ = standardized(nearest_covariance(covariance))
    curve = LevelCurve(torch.linspace(0, 1, 4).expand(channels, 4) / 3, torch.rand(channels, 4))
    return NoiseProfile(NoiseLevelFunction(1 / 3, 0.1 / 7, True, 0.01), 0.2 / 3, curve, covariance, True, "no reason")


def test_a_profile_comes_back_bit_for_bit(tmp_path):
    profile = correlated_profile()
    save_profile(tmp_path / "p.json", profile)
    back = load_profile(tmp_path / "p.json")
    assert (back.level, back.sigma, back.unusable, back.coarse_to_fine) == (profile.level, 0.2 / 3, "no reason", True)
    assert torch.equal(back.curve.brightness, profile.curve.brightness)
    assert torch.equal(back.curve.deviation, profile.curve.deviation)
    assert torch.equal(back.covariance, profile.covariance)


def test_black_and_white_come_back(tmp_path):
    values = ValueRange("float32", -3.5, 812.0)
    save_profile(tmp_path / "p.json", replace(correlated_profile(), values=values))
    assert load_profile(tmp_path / "p.json").values == values


def test_people_can_write_the_shortest_one():
    assert from_json(WHITE | {"inspection": {"picture": "a.png"}}).level == NoiseLevelFunction(0.0, 0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "recipe"}, "not a noise profile"),
        ({"format": 2}, "newer torchdenoise"),
        ({"level": {"gain": 0.0, "sigma": -0.1}}, r"level\.sigma is -0\.1: it must be at least 0"),
        ({"level": {"gain": float("nan"), "sigma": 0.1}}, r"level\.gain is nan"),
        ({"level": {"gain": 0.0}}, "level cannot be read"),
        ({"level": {"gain": 0.0, "sigma": "0.1"}}, r"level\.sigma cannot be read"),
        ({"level": {"gain": 0.0, "sigma": True}}, r"level\.sigma cannot be read"),
        ({"levels": 3}, "has no 'levels'; known: level, sigma"),
        (
            {"values": {"dtype": "uint8", "black": 3.0, "white": 3.0}},
            "black 3, white 3: they must be finite",
        ),
        ({"values": {"dtype": "uint8", "black": 0.0}}, "values cannot be read"),
        ({"covariance": [[[[1.0]]]]}, "both curve and covariance"),
        ({"covariance": [[[[1.0], [2.0, 3.0]]]]}, "covariance cannot be read"),
    ],
)
def test_what_is_no_profile_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        from_json(WHITE | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["curve"]["deviation"][0].__setitem__(0, -0.2), "curve.deviation is -0.2"),
        (lambda content: content["curve"]["brightness"][0].reverse(), "must ascend"),
        (lambda content: content["curve"]["deviation"].pop(), "each \\(3, K\\)"),
        (lambda content: content["covariance"].pop(), r"covariance is \(2, 3, 3, 3\)"),
        (lambda content: content["covariance"][1][1][1].__setitem__(1, 4.0), "standard deviation 1"),
    ],
)
def test_arrays_must_fit_together(change, message):
    content = to_json(correlated_profile())
    change(content)
    with pytest.raises(UserError, match=message):
        from_json(content)


@pytest.mark.parametrize("text", ["", "[", "[1]", "7", "[" * 100_000])
def test_other_files_are_one_line(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UserError, match=r"p\.json: not a noise profile") as caught:
        load_profile(tmp_path / "p.json")
    assert "\n" not in str(caught.value)


def test_a_picture_or_no_file_is_one_line(tmp_path):
    write_png(tmp_path / "a.png", noisy_scene())
    with pytest.raises(UserError, match=r"a\.png: not a noise profile"):
        load_profile(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"b\.json: cannot be read \(No such file"):
        load_profile(tmp_path / "b.json")


def test_the_file_is_json_with_a_line_for_each_field(tmp_path):
    save_profile(tmp_path / "p.json", correlated_profile())
    text = (tmp_path / "p.json").read_text()
    assert json.loads(text)["units"] == "white level = 1"
    assert '\n  "unusable": "no reason",\n' in text
    assert len(text.splitlines()) < 25


def test_maps_of_one_picture_are_left_out_and_stripes_are_kept(tmp_path):
    seen = torch.ones(1, 1, 4, 5, dtype=torch.bool)
    stripes = StripeNoise(0.1, 0.0, 9.0, 0.0)
    profile = replace(correlated_profile(), outliers=seen, variation=seen.float(), informative=seen, stripes=stripes)
    save_profile(tmp_path / "p.json", profile)
    back = load_profile(tmp_path / "p.json")
    assert (back.outliers, back.variation, back.informative) == (None, None, None)
    assert back.stripes == stripes
