"""Maps of a level that varies are near the truth; there is none where it does not vary."""

import pytest
import torch
from helpers import clean_image

from torchdenoise.noise import level_map


def white(*size):
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def waves(channels):
    """Return a smooth picture whose brightness has nothing to do with the place."""
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(180.0), indexing="ij")
    return (0.5 + 0.2 * (x / 9).sin() * (y / 7).sin()).expand(1, channels, -1, -1)


def profile(kind, height=160, width=180):
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    relative = {"corners": 0.2 + y**2 + x**2, "side": 1.5 + x, "below": (0.7 * y).exp()}[kind][None, None]
    return relative / relative.square().mean().sqrt()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["corners", "side", "below"])
def test_the_map_is_near_the_truth(channels, kind):
    true = profile(kind)
    clean = waves(channels)
    found = level_map(clean + 0.1 * true * white(*clean.shape)).map
    assert found is not None
    assert found.shape == (1, 1, 160, 180)
    assert found.square().mean().item() == pytest.approx(1, abs=1e-4)
    assert (found / true).log().std() < 0.4 * true.log().std()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0.0, 0.02, 0.1, 0.5])
def test_one_level_has_no_map(channels, level):
    clean = clean_image(channels, 160, 180)
    assert level_map(clean + level * white(*clean.shape)).map is None


def test_brightness_explains_the_noise_of_photons():
    clean = torch.linspace(0.02, 1, 180).expand(1, 1, 160, 180)
    noisy = torch.poisson(30 * clean, generator=torch.Generator().manual_seed(0)) / 30
    assert level_map(noisy).map is None
    assert level_map(noisy, lambda brightness: (brightness.clamp(min=0.01) / 30).sqrt()).map is None


def test_a_given_level_function_leaves_the_rest():
    clean = torch.linspace(0.1, 1, 180).expand(1, 1, 160, 180)
    true = profile("side")
    noisy = clean + 0.1 * clean.sqrt() * true * white(*clean.shape)
    found = level_map(noisy, lambda brightness: 0.1 * brightness.clamp(min=0.01).sqrt()).map
    assert found is not None
    assert (found / true).log().std() < 0.4 * true.log().std()


def test_texture_is_no_noise():
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(180.0), indexing="ij")
    texture = 0.2 * (1.3 * x + 0.4 * (y / 3).sin()).sin() * (0.9 * y).sin() * (x / 180)
    assert level_map(0.5 + texture + 0.02 * white(1, 1, 160, 180)).map is None


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (60, 300), (88, 89)])
def test_small_and_constant_images_have_no_map(size):
    assert level_map(torch.zeros(1, 3, *size)).map is None
    assert level_map(white(1, 3, *size)).map is None
