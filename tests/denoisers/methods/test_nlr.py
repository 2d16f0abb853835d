"""NLR: the refill image against a literal search, the loss against its formula, and one picture."""

import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import NLR, OnCrops, RefillLoss, RefillMean
from torchdenoise.denoisers.methods.nlr import by_sub_images, refill_image


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(*shape):
    return torch.rand(shape, generator=generator(1))


def lopsided(picture):
    return 0.2 + 0.5 * picture.roll(1, -1) + 0.3 * picture.roll(1, -2)


def slow_refill(picture):
    """Return the refill image of ``(C, H, W)``, whose sides are even and at least 16."""
    channels, height, width = picture.shape
    half = picture.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
    corners = [(v, u) for v in range(0, half.shape[1] - 7, 2) for u in range(0, half.shape[2] - 7, 2)]
    total, count = np.zeros(picture.shape), np.zeros(picture.shape)
    for y in range(0, height - 7, 2):
        for x in range(0, width - 7, 2):
            patch = picture[:, y : y + 8, x : x + 8]
            v, u = min(corners, key=lambda at: np.square(patch - half[:, at[0] : at[0] + 8, at[1] : at[1] + 8]).sum())
            total[:, y : y + 8, x : x + 8] += half[:, v : v + 8, u : u + 8]
            count[:, y : y + 8, x : x + 8] += 1
    return total / count


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 20, 26), (1, 16, 16)])
def test_each_patch_becomes_the_nearest_one_at_half_the_size(monkeypatch, channels, height, width):
    monkeypatch.setattr("torchdenoise.denoisers.methods.nlr.DISTANCES", 50)
    pictures = image(2, channels, height, width)
    for picture, refilled in zip(pictures, refill_image(pictures), strict=True):
        np.testing.assert_allclose(refilled, slow_refill(picture.numpy()), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 3), (17, 30), (16, 21)])
def test_any_size_can_be_refilled(height, width):
    refilled = refill_image(image(1, 3, height, width))
    assert refilled.shape == (1, 3, height, width)
    assert refilled.min() >= 0
    assert refilled.max() <= 1


def test_sub_images_hold_every_second_pixel():
    seen, picture = [], image(2, 3, 5, 8)
    result = by_sub_images(lambda parts: seen.append(parts) or 2 * parts, picture, 2)
    assert torch.equal(result, 2 * picture)
    (parts,) = seen
    assert parts.shape == (8, 3, 3, 4)
    whole = parts.view(2, 2, 2, 3, 3, 4)
    for row, column in np.ndindex(2, 2):
        expected = picture[..., row::2, column::2]
        assert torch.equal(whole[:, row, column][..., : expected.shape[-2], :], expected)


@pytest.mark.parametrize("spacing", [1, 2])
def test_the_loss_against_its_formula(spacing):
    loss, noisy = RefillLoss(0.3, spacing, consistency_weight=0.7), image(2, 3, 18, 16)
    batch = {"noisy": noisy, **loss.measure(noisy)}
    draws = loss.draw(batch, generator(2))
    hidden = (draws["mask"] == 0).numpy()
    assert abs(hidden.mean() - 0.3) < 0.03
    seen = torch.from_numpy(np.where(hidden, refill_image(noisy), noisy))
    predicted = by_sub_images(lopsided, seen, spacing).numpy()
    terms = loss(lopsided, batch, draws, 0.0)
    assert terms["hidden"].item() == pytest.approx(np.abs(predicted - noisy.numpy())[hidden].mean(), rel=1e-5)
    if spacing == 1:
        assert list(terms) == ["hidden"]
        return
    apart = np.abs(predicted - lopsided(seen).numpy())[hidden].mean()
    assert terms["consistency"].item() == pytest.approx(0.7 * apart, rel=1e-5)


def test_the_readout_averages_refilled_passes():
    noisy, seen = image(1, 3, 18, 17), []
    result = RefillMean(3, 0.4, 2)(lambda parts: seen.append(parts) or parts, noisy, generator(4))
    passes = [by_sub_images(lambda _, at=at: seen[at], noisy, 2) for at in range(3)]
    assert torch.allclose(result, torch.stack(passes).mean(0))
    refill = refill_image(noisy)
    for one in passes:
        assert torch.equal(one, torch.where(one == noisy, noisy, refill))
        assert abs((one != noisy).float().mean() - 0.4) < 0.08
    assert not torch.equal(passes[0], passes[1])


def test_crops_are_refilled_from_the_whole_picture():
    loss, noisy, seen = OnCrops(RefillLoss(0.99), size=8, count=2), image(1, 1, 20, 24), []
    batch = {"noisy": noisy, **loss.measure(noisy)}
    loss(lambda picture: seen.append(picture) or picture, batch, loss.draw(batch, generator()), 0.0)
    assert tuple(seen[0].shape) == (2, 1, 8, 8)
    assert torch.isin(seen[0], torch.cat([refill_image(noisy), noisy])).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RefillLoss(hidden=1.0), "hidden 1.0"),
        (lambda: RefillLoss(spacing=0), "spacing 0"),
        (lambda: RefillMean(0), "passes 0"),
        (lambda: RefillMean(spacing=0), "spacing 0"),
    ],
)
def test_impossible_arguments_are_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()


@pytest.mark.parametrize("recipe", ["nlr", "nlr-real"])
def test_it_denoises_one_picture_of_odd_size(recipe):
    noisy, clean = noisy_scene(30, 33, sigma=50).astype(np.float32), scene(30, 33)
    overrides = ["model.network.width=16", "model.network.depth=1", "model.optimizer.lr=0.003"]
    restored = denoise(noisy, recipe, max_steps=300, overrides=overrides, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.6 * np.square(noisy - clean).mean()


def test_its_size_and_crops():
    assert sum(parameter.numel() for parameter in NLR().parameters()) == 504_803
    with pytest.raises(UserError, match="NLR is fitted to one whole picture"):
        denoise(image(9, 10).numpy(), "nlr", max_steps=3, overrides=["data.crop=8"], device="cpu")
