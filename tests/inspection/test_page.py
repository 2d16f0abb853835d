"""The page of inspected pictures."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from torchdenoise.inspection import inspect_noise, page
from torchdenoise.inspection.page import SHOWN, level_series, patch_series, power_series
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile


def test_the_page_holds_the_picture_and_marks_what_shows_no_noise():
    image = torch.rand(1, 1, 40, 50, generator=torch.Generator().manual_seed(0))
    image[..., :10] = 0
    html = page([("<a>.png", inspect_noise(image), image, [("level", "1 & 2")])], "torchdenoise inspect '<a>.png'")
    assert "&lt;a&gt;.png" in html
    assert "1 &amp; 2" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("<meta http-equiv=", "")
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert shown.shape == (40, 50, 3)
    assert (shown[:, :10] == [191, 0, 0]).all()
    assert (shown[:, 15:, 0] == (255 * image[0, 0, :, 15:]).round().numpy()).all()


def test_level_functions_on_the_0_255_scale():
    (line,) = level_series(NoiseProfile(NoiseLevelFunction(0.01, 0.1, False, 0.2)))
    for brightness, level in line.points:
        variance = 0.01 * max(brightness / 255 - 0.2, 0) + 0.1**2
        assert level == pytest.approx(255 * variance**0.5)
    curve = LevelCurve(torch.tensor([[0.0, 1.0]] * 3), torch.tensor([[0.1, 0.2], [0.2, 0.3], [0.3, 0.4]]))
    series = level_series(NoiseProfile(NoiseLevelFunction(0.0, 0.1), None, curve, torch.ones(3, 3, 1, 1)))
    assert [each.name for each in series] == ["red", "green", "blue"]
    assert series[1].points == [(0.0, pytest.approx(51)), (255.0, pytest.approx(76.5))]


def test_power_is_the_transform_of_the_covariance():
    covariance = torch.zeros(1, 1, 3, 3)
    covariance[0, 0, 1] = torch.tensor([0.3, 1.0, 0.3])  # neighbours in a row
    across, down, diagonal = power_series(covariance)
    for frequency, power in across.points:
        assert power == pytest.approx(1 + 0.6 * np.cos(2 * np.pi * frequency), abs=1e-6)
    assert [power for _, power in down.points] == pytest.approx([1.6] * len(down.points))
    assert diagonal.points == across.points


def test_patches_lie_around_the_level_function_and_far_ones_are_left_out():
    random = torch.Generator().manual_seed(0)
    image = 0.5 + 0.1 * torch.randn(1, 1, 128, 128, generator=random)
    profile = NoiseProfile(NoiseLevelFunction(0.0, 0.1))
    (series,) = patch_series(image, profile)
    assert 100 < len(series.points) <= SHOWN
    levels = [level for _, level in series.points]
    assert np.mean(levels) == pytest.approx(25.5, rel=0.05)
    assert patch_series(image, NoiseProfile(NoiseLevelFunction(0.0, 0.01))) == []
    html = page([("a.png", inspect_noise(image), image, [])], "torchdenoise inspect a.png --html a.html")
    assert html.count("h0") >= len(series.points)
    assert "behind it the patches of the picture that it was fitted to" in html
