"""Patches: which are used, and the variance of known noise in them."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from torchdenoise.noise.patches import (
    Eigenvalues,
    FlatPatches,
    cosine_transform,
    informative_channels,
    noise_variance,
    patch_grid,
    patch_variance,
)


def white(*size):
    return torch.randn(size, generator=torch.Generator().manual_seed(0)).double()


def test_constant_channels_and_copies_carry_no_noise():
    grey = torch.rand(1, 1, 4, 5)
    image = torch.cat([grey, torch.ones_like(grey), grey, grey / 2], 1)
    assert torch.equal(informative_channels(image), torch.cat([grey, grey / 2], 1)[0])


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (2, 3), (8, 1)])
def test_the_grid_holds_every_patch(side, stride):
    pixels = torch.rand(2, 7, 9)
    grid = patch_grid(pixels, side, stride)
    tops, lefts = range(0, 7 - side + 1, stride), range(0, 9 - side + 1, stride)
    assert grid.shape[:3] == (2, len(tops), len(lefts) if tops else 0)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            assert torch.equal(grid[:, row, column], pixels[:, top : top + side, left : left + side])


def test_the_cosine_transform_is_that_of_scipy():
    transform, frequency = cosine_transform(8)
    patch = white(8, 8)
    np.testing.assert_allclose(transform @ patch.flatten(), dctn(patch.numpy(), norm="ortho").ravel(), atol=1e-12)
    assert frequency.tolist() == [row + column for row in range(8) for column in range(8)]


def test_the_noise_variance_is_the_mean_of_the_balanced_eigenvalues():
    assert noise_variance(torch.tensor([1.0, 2.0, 3.0, 100.0]).double()) == pytest.approx(2)
    assert noise_variance(torch.tensor([1.0, 50.0]).double()) == 1
    assert noise_variance(torch.tensor([-1e-9, 1.0]).double()) == 0


@pytest.mark.parametrize(("channels", "estimator"), [(1, FlatPatches), (3, Eigenvalues)])
def test_the_variance_of_white_noise(channels, estimator):
    chosen = patch_variance(torch.zeros(channels, 8, 8))
    assert isinstance(chosen, estimator)
    noise = 0.1 * white(channels, chosen.sides[0] ** 2, 9000)
    patches = chosen.select(noise - noise.mean(1, keepdim=True))
    assert chosen.variance(patches) == pytest.approx(0.01, rel=chosen.tolerance)


def test_the_flattest_patches_are_selected():
    patches = white(1, 64, 400)
    ramp = torch.linspace(-5, 5, 64).double()
    patches[..., :300] += ramp[:, None]
    selected = FlatPatches().select(patches)
    assert selected.shape == (1, 64, 64)
    slopes = (ramp @ selected[0]) / ramp.square().sum()
    assert slopes.abs().max() < 0.5


@pytest.mark.parametrize(("estimator", "size"), [(Eigenvalues(), (3, 16, 4000)), (FlatPatches(), (1, 64, 4000))])
def test_the_variance_is_the_mean_of_what_each_patch_contributes(estimator, size):
    textured = 0.1 * white(*size) + torch.linspace(-1, 1, size[1])[:, None] * torch.linspace(-1, 1, size[2])
    patches = textured - textured.mean(1, keepdim=True)
    each = estimator.of_each(patches)
    assert each.shape == size[2:]
    assert each.mean().item() == pytest.approx(estimator.variance(patches), rel=1e-3)
    assert each.mean().item() == pytest.approx(0.01, rel=0.05)
