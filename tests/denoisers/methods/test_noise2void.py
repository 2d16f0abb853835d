"""Noise2Void against literal loops."""

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import N2VUNet, Noise2Void, Noise2VoidLoss
from torchdenoise.fitting import HYGIENE


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=17, width=22):
    return torch.rand(batch, channels, height, width, generator=generator(1))


@pytest.mark.parametrize(("percent", "side"), [(1.5, 8), (0.198, 22), (100, 1), (6.25, 4)])
def test_one_masked_pixel_in_each_box_of_each_channel(percent, side):
    loss = Noise2VoidLoss(percent)
    mask = loss.draw({"noisy": image(2, 3, 3 * side, 2 * side)}, generator())["mask"]
    assert loss.side == side
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    boxes = mask.unfold(-2, side, side).unfold(-2, side, side)
    assert boxes.shape[2:4] == (3, 2)
    assert (boxes.sum(dim=(-2, -1)) == 1).all()


def test_the_masked_pixel_is_anywhere_in_its_box_and_each_channel_has_its_own():
    mask = Noise2VoidLoss(6.25).draw({"noisy": torch.zeros(1, 2, 400, 400)}, generator())["mask"]
    boxes = mask.unfold(-2, 4, 4).unfold(-2, 4, 4)[0]
    counts = boxes.sum(dim=(1, 2))
    assert (counts - 625).abs().max() < 5 * 25  # five standard deviations
    shared = (boxes[0] * boxes[1]).sum()
    assert abs(shared - 625) < 125  # as often at one place as chance has it, one in sixteen


def test_a_box_beyond_the_border_can_be_without_a_masked_pixel():
    counts = [Noise2VoidLoss(1).draw({"noisy": image(1, 1, 6, 5)}, generator(s))["mask"].sum().item() for s in range(9)]
    assert set(counts) == {0.0, 1.0}
    loss = Noise2VoidLoss(1)
    none = {"mask": torch.zeros(1, 1, 6, 5), "source": torch.zeros(1, 1, 6, 5, dtype=torch.long)}
    assert loss(lambda seen: seen + 1, {"noisy": image(1, 1, 6, 5)}, none, 0.0)["masked"] == 0


@pytest.mark.parametrize(("height", "width", "radius"), [(9, 13, 5), (3, 4, 5), (12, 6, 2)])
def test_replacements_come_from_the_whole_window_and_nothing_else(height, width, radius):
    loss = Noise2VoidLoss(radius=radius)
    noisy = torch.zeros(400, 1, height, width)
    source = loss.draw({"noisy": noisy}, generator())["source"]
    for row in (0, 1, height // 2, height - 1):
        for column in (0, width // 2, width - 1):
            rows = range(max(0, row - radius), min(height, row + radius + 1))
            columns = range(max(0, column - radius), min(width, column + radius + 1))
            window = {y * width + x for y in rows for x in columns}
            found = source[:, 0, row, column]
            assert set(found.tolist()) <= window
            distinct = len(window) * (1 - (1 - 1 / len(window)) ** 400)  # as many as 400 draws are expected to find
            assert len(set(found.tolist())) > distinct - 15


def test_each_pixel_of_the_window_is_as_likely_as_any_other():
    source = Noise2VoidLoss(radius=1).draw({"noisy": torch.zeros(9000, 1, 3, 3)}, generator())["source"]
    middle = torch.bincount(source[:, 0, 1, 1], minlength=9)
    corner = torch.bincount(source[:, 0, 2, 0], minlength=9)
    assert (middle - 1000).abs().max() < 5 * 30
    assert corner[[3, 4, 6, 7]].sum() == 9000
    assert (corner[[3, 4, 6, 7]] - 2250).abs().max() < 5 * 41


def slow_loss(noisy, draws, network, power):
    """Pixel by pixel; the network gets what it is given."""
    seen, mask, source = noisy.copy(), draws["mask"].numpy(), draws["source"].numpy()
    masked = [place for place in np.ndindex(noisy.shape) if mask[place] == 1]
    for place in masked:
        row, column = divmod(int(source[place]), noisy.shape[-1])
        seen[place] = noisy[(*place[:2], row, column)]
    answer = network(torch.from_numpy(seen)).numpy()
    return np.mean([abs(answer[place] - noisy[place]) ** power for place in masked])


def lopsided(picture):
    """Mixes pixels and channels."""
    return 0.5 * picture.roll(1, -1) + 0.3 * picture.roll(1, 1) + picture.square()


@pytest.mark.parametrize(("squared", "power"), [(False, 1), (True, 2)])
def test_the_loss_against_its_formula(squared, power):
    loss, noisy = Noise2VoidLoss(4, 3, squared), image()
    draws = loss.draw({"noisy": noisy}, generator(2))
    terms = loss(lopsided, {"noisy": noisy}, draws, 0.0)
    assert list(terms) == ["masked"]
    assert terms["masked"].item() == pytest.approx(slow_loss(noisy.numpy(), draws, lopsided, power), rel=1e-5)


def test_a_network_that_copies_its_input_has_a_large_loss():
    loss, noisy = Noise2VoidLoss(), image(1, 1, 64, 64)
    draws = loss.draw({"noisy": noisy}, generator())
    assert loss(lambda seen: seen, {"noisy": noisy}, draws, 0.0)["masked"] > 0.2  # two random numbers differ by 1/3
    assert loss(lambda seen: noisy, {"noisy": noisy}, draws, 0.0)["masked"] == 0


def test_draws_depend_on_the_generator_alone():
    loss, batch = Noise2VoidLoss(), {"noisy": image()}
    first, second, other = (loss.draw(batch, generator(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_a_batch_costs_what_its_pictures_cost_one_by_one():
    loss, pictures = Noise2VoidLoss(6.25), image(3)[:, None]
    draws = [loss.draw({"noisy": noisy}, generator(seed)) for seed, noisy in enumerate(pictures)]
    stacked = {name: torch.stack([each[name] for each in draws]) for name in draws[0]}
    together = torch.func.vmap(lambda noisy, drawn: loss(lopsided, {"noisy": noisy}, drawn, 0.0)["masked"])
    alone = [loss(lopsided, {"noisy": noisy}, each, 0.0)["masked"] for noisy, each in zip(pictures, draws, strict=True)]
    torch.testing.assert_close(together(pictures, stacked), torch.stack(alone))


@pytest.mark.parametrize("arguments", [{"percent": 0}, {"percent": 101}, {"radius": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match=r"Noise2VoidLoss: percent .* radius"):
        Noise2VoidLoss(**arguments)


def test_it_denoises_one_picture():
    noisy, clean = noisy_scene(36, 41, sigma=50).astype(np.float32), scene(36, 41)
    overrides = ["model.network.width=8", "data.crop=24", "data.crops=4", "model.optimizer.lr=0.01"]
    restored = denoise(noisy, "n2v-single", max_steps=120, overrides=overrides, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.4 * np.square(noisy - clean).mean()


def test_it_learns_from_any_batches():
    data = SingleImage(crop=12, crops=2)
    data.use(image(1, 1, 19, 20))
    model = Noise2Void(N2VUNet(width=4, kernel=3))
    lightning.Trainer(**HYGIENE, accelerator="cpu", max_steps=3).fit(model, datamodule=data)
    assert model.network.channels == 1
    assert model.restore(image(1, 1, 19, 20)).shape == (1, 1, 19, 20)
    assert model.network.mean.item() == pytest.approx(0.5, abs=0.1)  # of the first crops
    assert model.network.deviation.item() == pytest.approx(12**-0.5, abs=0.05)
