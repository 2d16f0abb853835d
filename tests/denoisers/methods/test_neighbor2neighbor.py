"""Neighbor2Neighbor against literal loops."""

import numpy as np
import pytest
import torch

from torchdenoise import denoise
from torchdenoise.denoisers import Neighbor2Neighbor, Neighbor2NeighborLoss, NeighborDownsampler
from torchdenoise.denoisers.methods.neighbor2neighbor import PAIRS


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def slow_pair(picture, choice):
    """Pick the two pixels of each cell by hand; picture (C, H, W), choice (H/2, W/2)."""
    halves = np.zeros((2, picture.shape[0], *choice.shape))
    for y, x in np.ndindex(choice.shape):
        cell = picture[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(picture.shape[0], 4)
        for side in (0, 1):
            halves[side, :, y, x] = cell[:, PAIRS[choice[y, x]][side]]
    return halves


def test_the_sampler_takes_the_chosen_neighbours():
    down, noisy = NeighborDownsampler(), image()
    choice = down.draw(noisy, generator())["choice"]
    first, second = down.pair(noisy, {"choice": choice})
    for number in range(len(noisy)):
        expected = slow_pair(noisy[number].numpy(), choice[number, 0].numpy())
        np.testing.assert_array_equal(first[number].numpy(), expected[0])
        np.testing.assert_array_equal(second[number].numpy(), expected[1])


def test_pairs_are_neighbours_never_diagonal_and_all_eight_come_equally():
    assert len(set(PAIRS)) == 8
    assert not {(0, 3), (3, 0), (1, 2), (2, 1)} & set(PAIRS)
    choice = NeighborDownsampler().draw(torch.zeros(1, 3, 400, 400), generator())["choice"]
    counts = torch.bincount(choice.flatten(), minlength=8)
    assert choice.shape == (1, 1, 200, 200)
    assert (counts - 5000).abs().max() < 350  # five standard deviations


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (7, 4)])
def test_odd_sizes(height, width):
    noisy = image(1, 3, height, width)
    down = NeighborDownsampler()
    first, second = down.pair(noisy, down.draw(noisy, generator()))
    assert first.shape == second.shape == (1, 3, -(-height // 2), -(-width // 2))
    assert set(first.flatten().tolist()) <= set(noisy.flatten().tolist())


@pytest.mark.parametrize(("ramp", "progress", "factor"), [(True, 0.25, 0.5), (True, 1.0, 2.0), (False, 0.25, 2.0)])
def test_the_loss_against_its_formula(ramp, progress, factor):
    def denoiser(picture):
        return 0.6 * picture + 0.2 * picture.square()

    loss, batch = Neighbor2NeighborLoss(2.0, ramp), {"noisy": image()}
    draws = loss.draw(batch, generator(2))
    terms = loss(denoiser, batch, draws, progress)
    first, second = loss.downsampler.pair(batch["noisy"], draws)
    full_first, full_second = loss.downsampler.pair(denoiser(batch["noisy"]), draws)
    difference = (denoiser(first) - second).numpy()
    expected = (full_first - full_second).numpy()
    assert terms["neighbour"].item() == pytest.approx(np.mean(difference**2), rel=1e-5)
    assert terms["regular"].item() == pytest.approx(factor * np.mean((difference - expected) ** 2), rel=1e-5)


def test_the_full_image_gets_no_gradient():
    scale = torch.ones((), requires_grad=True)
    seen = []

    def denoiser(picture):
        seen.append((tuple(picture.shape[-2:]), torch.is_grad_enabled()))
        return scale * picture

    loss, batch = Neighbor2NeighborLoss(), {"noisy": image()}
    loss(denoiser, batch, loss.draw(batch, generator()), 0.5)
    assert sorted(seen) == [((3, 4), True), ((6, 8), False)]


def test_its_network_and_one_picture():
    assert sum(parameter.numel() for parameter in Neighbor2Neighbor().parameters()) == 1_259_475
    recipe = {
        "model": {"class_path": "Neighbor2Neighbor", "init_args": {"network": {"class_path": "SmallCNN"}}},
        "trainer": {"max_steps": 3},
    }
    noisy = image(1, 1, 9, 7)
    assert denoise(noisy, recipe, device="cpu").shape == noisy.shape
