"""What a picture says about its noise, on pictures whose noise is known."""

import pytest
import torch
from helpers import clean_image

from torchdenoise.inspection import inspect_noise
from torchdenoise.noise import Assumption, repeatable


def white(spec, side=128):
    return repeatable(spec, clean_image(3, side, side))


def correlated(side=129):
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return 0.5 + 0.05 * (noise[..., 1:, 1:] + noise[..., 1:, :-1])


def test_white_noise():
    found = inspect_noise(white("gaussian:12"))
    assert found.levels == pytest.approx((12, 12), rel=0.05)
    assert found.neighbours == pytest.approx((0, 0), abs=0.03)
    assert (found.channels, found.notes) == (None, ())
    assert found.broken == {Assumption.PHOTONS}


def test_noise_that_grows_with_brightness():
    image = white("poisson:20")
    found = inspect_noise(image)
    dark, bright = image.quantile(torch.tensor([0.1, 0.9])).tolist()
    assert found.levels == pytest.approx([255 * (mean / 20) ** 0.5 for mean in (dark, bright)], rel=0.1)
    assert found.broken == {Assumption.UNIFORM}


def test_noise_that_neighbours_share():
    found = inspect_noise(correlated())
    assert found.neighbours == pytest.approx((0.5, 0), abs=0.05)
    assert found.levels == pytest.approx((255 * 0.05 * 2**0.5,) * 2, rel=0.05)
    assert torch.allclose(found.channels, torch.eye(3), atol=0.05)
    assert found.broken == {Assumption.INDEPENDENT, Assumption.PHOTONS}
    assert found.facts()["correlation"]["pixels"] == 2


def test_clipping_and_constant_parts_are_counted():
    image = white("gaussian:12")
    image[..., :96, :] = 0
    image[..., 100:102, :] = 1
    found = inspect_noise(image)
    assert found.clipped[0] == pytest.approx(96 / 128, abs=0.001)
    assert found.clipped[1] == pytest.approx(2 / 128, abs=0.001)
    assert found.informative_share == pytest.approx(31 / 128, abs=0.02)
    assert any("of the picture shows noise, the rest is constant" in note for note in found.notes)


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (torch.full((1, 3, 100, 100), 0.5), "no noise is found"),
        (torch.rand(1, 1, 8, 9), "9x8 pixels are too few"),
        (torch.rand(1, 1, 100, 100).expand(1, 3, -1, -1), "all channels are equal"),
    ],
)
def test_what_cannot_be_measured_is_reported(image, note):
    assert any(note in each for each in inspect_noise(image).notes)


def test_outliers_are_counted_and_do_not_count_as_noise():
    image = white("gaussian:8")
    hit = torch.rand(image.shape, generator=torch.Generator().manual_seed(0)) < 0.004
    found = inspect_noise(torch.where(hit, 1.0, image))
    assert found.facts()["outliers_share"] == pytest.approx(0.004, rel=0.3)
    assert found.levels == pytest.approx((8, 8), rel=0.1)
    assert "of the values are outliers" in found.profile.describe()
