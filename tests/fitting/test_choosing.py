"""Which of two recipes the default takes, and that its result is that recipe's."""

from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from torchdenoise import denoise
from torchdenoise.errors import UserError
from torchdenoise.fitting import Options, choosing, denoising, restorer
from torchdenoise.fitting.choosing import FITTED, STRONG, TRAINED, ChosenFits, choose
from torchdenoise.fitting.single import Fitted
from torchdenoise.noise import (
    FramesNoise,
    GaussianNoise,
    NoiseLevelFunction,
    NoiseProfile,
    given_profile,
    measure_noise,
    repeatable,
)
from torchdenoise.recipes import load_recipe


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Return a clean grey photograph (1, 1, 128, 128)."""
    return torch.from_numpy(skimage.data.camera()[100:228, 180:308].copy())[None, None] / 255


@pytest.fixture
def short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recipe that is fitted take few steps."""

    def shortened(name: str) -> dict[str, Any]:
        recipe = load_recipe(name)
        return recipe | {"trainer": recipe["trainer"] | ({"max_steps": 5} if name == FITTED else {})}

    for module in (choosing, denoising):
        monkeypatch.setattr(module, "load_recipe", shortened)


@pytest.fixture(scope="module")
def page() -> Tensor:
    """Return clean small type (1, 1, 128, 128)."""
    image = Image.new("L", (128, 128), 235)
    for y in range(4, 118, 13):
        ImageDraw.Draw(image).text((3, y), f"No {y} of thin type 0O1Il|", fill=20)
    return torch.from_numpy(np.asarray(image).copy())[None, None] / 255


@pytest.mark.parametrize("noise", ["gaussian:10", "gaussian:25:clip", "poisson:25"])
def test_photographs_are_for_the_trained_network(photograph: Tensor, noise: str):
    assert choose(repeatable(noise, photograph), Options()).recipe == TRAINED


@pytest.mark.parametrize("noise", ["gaussian:5", "gaussian:10", "gaussian:25:clip"])
def test_type_is_not(page: Tensor, noise: str):
    choice = choose(repeatable(noise, page), Options())
    assert (choice.recipe, choice.reason) == (FITTED, "the trained network does not know such pictures")


def test_cells_of_one_colour_are_not():
    clean = (torch.arange(128) // 4 % 2 + torch.arange(128)[:, None] // 4 % 2 == 1).float()[None, None] * 0.5 + 0.25
    assert choose(repeatable("gaussian:10", clean), Options()).recipe == FITTED
    assert choose(repeatable("gaussian:25", clean), Options()).recipe == FITTED


def test_correlated_noise_that_the_network_knows_is_for_it():
    noisy = repeatable("blurred:24:0.7", torch.linspace(0.2, 0.8, 128).expand(1, 1, 128, 128))
    assert measure_noise(noisy).correlated
    assert choose(noisy, Options()).recipe == TRAINED


@pytest.mark.parametrize(
    ("level", "expected"), [(STRONG / 2, TRAINED), (STRONG * 4, "fast: the trained network leaves noise here")]
)
def test_strong_noise_of_an_enlarged_picture_is_for_a_fit(level: float, expected: str):
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    noisy = torch.linspace(0.2, 0.8, 128) + level * interpolate(noise, scale_factor=2)
    assert measure_noise(noisy).correlated
    assert str(choose(noisy, Options())) == f"by {expected}"


def test_other_numbers_of_channels_are_for_a_fit(photograph: Tensor):
    noisy = repeatable("gaussian:10", photograph.expand(1, 2, 128, 128))
    assert str(choose(noisy, Options())) == "by fast: the trained networks are for 1 or 3 channels"


def test_tiny_pictures_are_for_a_fit():
    assert choose(torch.rand(1, 3, 1, 40), Options()).recipe == FITTED


def test_noise_that_is_not_known_is_for_a_fit():
    noise = NoiseProfile(NoiseLevelFunction(0.0, 0.1), unusable="most of the values are cut off")
    assert str(choose(torch.rand(1, 1, 64, 64), Options(noise=noise))) == "by fast: the noise is not known"


@pytest.mark.parametrize("spec", ["poisson:2", "poisson:2+gaussian:4"])
def test_few_photons_are_for_the_trained_network(photograph: Tensor, spec: str):
    assert str(choose(repeatable(spec, 0.5 * photograph), Options())) == "by pretrained-fast"


def test_a_picture_without_noise_is_for_a_fit(page: Tensor):
    assert choose(page, Options(noise=given_profile(GaussianNoise(0)))).recipe == FITTED


def test_large_pictures_are_tried_in_four_places(page: Tensor, photograph: Tensor):
    repeated = repeatable("gaussian:10", torch.cat([photograph.repeat(1, 1, 2, 2), page.repeat(1, 1, 2, 2)], -1))
    assert choose(repeated, Options()).recipe == FITTED


@pytest.mark.usefixtures("short_fits")
def test_the_result_is_that_of_the_recipe(photograph: Tensor, page: Tensor):
    for clean, recipe in ((photograph, TRAINED), (page, FITTED)):
        noisy = repeatable("gaussian:10", clean[..., :64, :64]).clamp(0, 1)
        (result,) = restorer(None, None, Options())([noisy])
        (named,) = restorer(recipe, None, Options())([noisy])
        assert isinstance(result, Fitted)
        assert isinstance(named, Fitted)
        assert torch.equal(result.image, named.image)
        assert result.noise.startswith(f"{named.noise}; by {recipe}")


@pytest.mark.usefixtures("short_fits")
def test_several_pictures_have_their_own_recipe(photograph: Tensor, page: Tensor):
    images = [repeatable("gaussian:10", clean[..., :64, :64]) for clean in (page, photograph, page)]
    lines = [result.noise for result in ChosenFits(Options())(images) if isinstance(result, Fitted)]
    assert [line.split("; by ")[1].partition(":")[0] for line in lines] == [FITTED, TRAINED, FITTED]


def test_an_error_is_that_of_its_picture(photograph: Tensor):
    colour = repeatable("shared:2", photograph.expand(1, 3, 128, 128))
    failed, result = ChosenFits(Options(noise=measure_noise(colour)))([photograph, colour])
    assert isinstance(failed, UserError)
    assert "channel" in str(failed)
    assert isinstance(result, Fitted)


def test_frames_of_a_stack_share_the_recipe_of_the_first(photograph: Tensor, page: Tensor):
    frames = [repeatable("gaussian:10", clean) for clean in (photograph, page)]
    fits = ChosenFits(Options(noise=FramesNoise(lambda: frames)))
    lines = [result.noise for frame in frames for result in fits([frame]) if isinstance(result, Fitted)]
    assert [TRAINED in line for line in lines] == [True, True]


def test_options_of_a_fit_choose_the_fit(photograph: Tensor):
    noisy = repeatable("gaussian:10", photograph[..., :32, :32])
    assert torch.equal(denoise(noisy, max_steps=2), denoise(noisy, recipe=FITTED, max_steps=2))
