"""Pixel2Pixel: its bank against a literal search, what is drawn from it, and one picture."""

import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import OnCrops, Pixel2Pixel, PixelBankLoss, SigmoidCNN
from torchdenoise.denoisers.methods.pixel2pixel import pixel_bank


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(*shape):
    return torch.rand(shape, generator=generator(1))


def slow_bank(picture, depth, window, side):
    """Return the bank of ``(C, H, W)`` by comparing the patches around each pixel with all in its window."""
    border, reach = side // 2, window // 2
    padded = np.pad(picture, ((0, 0), (border, border), (border, border)), mode="reflect")
    bank = np.empty((depth, *picture.shape), picture.dtype)
    _, height, width = picture.shape
    for y, x in np.ndindex(height, width):
        near = []
        for v in range(max(0, y - reach), min(height, y + reach + 1)):
            for u in range(max(0, x - reach), min(width, x + reach + 1)):
                here, there = (padded[:, p : p + side, q : q + side] for p, q in ((y, x), (v, u)))
                near.append((-1 if (v, u) == (y, x) else np.abs(here - there).sum(), v, u))
        for number, (_, v, u) in enumerate(sorted(near)[:depth]):
            bank[number, :, y, x] = picture[:, v, u]
    return bank


@pytest.mark.parametrize(("channels", "window", "side"), [(3, 5, 3), (1, 9, 5)])
def test_the_bank_holds_the_most_similar_pixels(channels, window, side):
    picture = image(channels, 9, 7)
    np.testing.assert_array_equal(pixel_bank(picture, 4, window, side), slow_bank(picture.numpy(), 4, window, side))


def test_each_picture_of_a_batch_has_its_own_bank():
    noisy = image(2, 3, 8, 8)
    entries = PixelBankLoss(3, window=5, side=3).measure(noisy)
    assert list(entries) == ["similar_0", "similar_1", "similar_2"]
    assert torch.equal(entries["similar_0"], noisy)
    for number, picture in enumerate(noisy):
        assert torch.equal(torch.stack(list(entries.values()))[:, number], pixel_bank(picture, 3, 5, 3))


def test_two_different_entries_are_drawn_and_all_pairs_come_equally():
    loss = PixelBankLoss(depth=3, window=3, side=1)
    noisy = torch.zeros(1, 1, 200, 300)
    batch = {"noisy": noisy, **{f"similar_{number}": noisy for number in range(3)}}
    draws = loss.draw(batch, generator())
    pairs = torch.bincount((3 * draws["first"] + draws["second"]).flatten(), minlength=9).view(3, 3)
    assert draws["first"].shape == (1, 1, 200, 300)
    assert pairs.diag().tolist() == [0, 0, 0]
    assert (pairs[~torch.eye(3, dtype=torch.bool)] - 10_000).abs().max() < 500  # five standard deviations


def test_the_loss_against_its_formula():
    loss, noisy = PixelBankLoss(3, window=5, side=3), image(2, 3, 6, 8)
    batch = {"noisy": noisy, **loss.measure(noisy)}
    draws = loss.draw(batch, generator(2))
    first, second = np.empty(noisy.shape, np.float32), np.empty(noisy.shape, np.float32)
    for number, y, x in np.ndindex(2, 6, 8):
        for side, name in ((first, "first"), (second, "second")):
            entry = batch[f"similar_{draws[name][number, 0, y, x]}"]
            side[number, :, y, x] = entry[number, :, y, x]
    terms = loss(lambda picture: 0.6 * picture + 0.1, batch, draws, 0.0)
    assert terms["residual"].item() == pytest.approx(np.abs(0.6 * first + 0.1 - second).mean(), rel=1e-5)


def test_crops_take_their_part_of_the_bank():
    noisy, seen = image(1, 3, 20, 24), []
    loss = OnCrops(PixelBankLoss(2, window=5, side=3), size=8, count=2)
    batch = {"noisy": noisy, **loss.measure(noisy)}
    loss(lambda picture: seen.append(picture) or picture, batch, loss.draw(batch, generator()), 0.0)
    assert [tuple(picture.shape) for picture in seen] == [(2, 3, 8, 8)]


def test_a_tiny_picture_has_a_smaller_bank():
    loss, noisy = PixelBankLoss(depth=16), image(1, 1, 2, 3)
    assert len(loss.measure(noisy)) == 6


@pytest.mark.parametrize("arguments", [{"depth": 1}, {"window": 40}, {"side": 6}])
def test_impossible_banks_are_refused(arguments):
    with pytest.raises(UserError, match="PixelBankLoss: depth"):
        PixelBankLoss(**arguments)


def test_its_network_ends_in_a_sigmoid():
    assert sum(parameter.numel() for parameter in Pixel2Pixel().parameters()) == 149_699
    network, picture = SigmoidCNN(1, width=2, depth=2), 50 * image(1, 1, 9, 9)
    direct = network.layers(picture)
    assert torch.equal(network(picture), direct.sigmoid())


def test_it_denoises_one_picture_of_odd_size():
    noisy, clean = noisy_scene(30, 33, sigma=50).astype(np.float32), scene(30, 33)
    overrides = ["model.network.width=16", "model.loss.window=15"]
    restored = denoise(noisy, "pixel2pixel", max_steps=300, overrides=overrides, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.6 * np.square(noisy - clean).mean()


def test_crops_are_refused():
    with pytest.raises(UserError, match="Pixel2Pixel is fitted to one whole picture"):
        denoise(image(9, 10).numpy(), "pixel2pixel", max_steps=3, overrides=["data.crop=8"], device="cpu")
