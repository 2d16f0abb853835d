"""Noise2Fast against literal loops."""

import math

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import ChequerboardDownsampler, LastMean, Noise2Fast, Noise2FastLoss, Noise2FastNet
from torchdenoise.denoisers.methods.noise2fast import RESTART_RATE, looks_constant
from torchdenoise.fitting import HYGIENE
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.building import build_fit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def small(channels):
    torch.manual_seed(0)
    return Noise2FastNet(channels, width=4, depth=4)


# -- the halves of the chequerboard ----------------------------------------------------------------------------------


def slow_squeeze(picture):
    """(H, W) -> the two halves (H/2, W), pixel by pixel."""
    height, width = picture.shape
    first, second = np.zeros((2, height // 2, width))
    for row, column in np.ndindex(first.shape):
        lower, upper = picture[2 * row + 1, column], picture[2 * row, column]
        first[row, column], second[row, column] = (lower, upper) if column % 2 == 0 else (upper, lower)
    return first, second


def slow_pairs(picture):
    """The four pairs."""
    down, aside = slow_squeeze(picture), tuple(half.T for half in slow_squeeze(picture.T))
    return [down, down[::-1], aside, aside[::-1]]


@pytest.mark.parametrize("size", [(2, 2), (6, 8), (5, 7), (3, 4), (4, 3)])
@pytest.mark.parametrize("pick", range(4))
def test_the_four_pairs_against_loops(pick, size):
    down, noisy = ChequerboardDownsampler(), image(2, 3, *size)
    halves = down.pair(noisy, down.choice(pick, noisy))
    for number, channel in np.ndindex(2, 3):
        expected = slow_pairs(noisy[number, channel].numpy())[pick]
        for half, other in zip(halves, expected, strict=True):
            np.testing.assert_array_equal(half[number, channel].numpy(), other.astype(np.float32))


def test_each_pair_comes_equally_often():
    down, noisy = ChequerboardDownsampler(), image(1, 1, 4, 4)
    known = [down.choice(pick, noisy) for pick in range(4)]
    source, counts = generator(), [0] * 4
    for _ in range(2000):
        draws = down.draw(noisy, source)
        counts[next(pick for pick in range(4) if all(torch.equal(draws[k], known[pick][k]) for k in draws))] += 1
    assert max(abs(count - 500) for count in counts) < 5 * 20


@pytest.mark.parametrize("pick", range(4))
def test_every_pixel_is_in_one_half(pick):
    draws = ChequerboardDownsampler().choice(pick, image(1, 1, 4, 6))
    places = torch.cat([draws["first"].flatten(), draws["second"].flatten()])
    assert sorted(places.tolist()) == list(range(24))


# -- the loss --------------------------------------------------------------------------------------------------------


def fade(picture):
    return 0.25 + 0.5 * picture.roll(1, -1)


def test_the_cross_entropy_against_its_formula():
    noisy = 3 * image(1, 2) - 1  # any range works
    loss = Noise2FastLoss()
    draws = loss.downsampler.choice(1, noisy)
    terms = loss(fade, {"noisy": noisy}, draws, 0.0)
    first, second = (half.numpy() for half in loss.downsampler.pair(noisy, draws))
    answer, total = fade(torch.from_numpy(first)).numpy(), 0.0
    for place in np.ndindex(first.shape):
        plane = noisy[0, place[1]].numpy()
        low, high = plane.min(), plane.max()
        target = (second[place] - low) / (high - low)
        chance = min(max((answer[place] - low) / (high - low), 1e-6), 1 - 1e-6)
        total -= target * math.log(chance) + (1 - target) * math.log(1 - chance)
    assert list(terms) == ["entropy"]
    assert terms["entropy"].item() == pytest.approx(total / first.size, rel=1e-4)


def test_the_gradient_stays_small_where_black_is_predicted():
    """Rounding in the scale of the picture must not turn a tiny probability into none."""
    noisy = torch.linspace(-0.3, 1.3, 64).view(1, 1, 8, 8)
    network, loss = small(1), Noise2FastLoss()
    network.scale_to(noisy)
    for logit in (-12.0, -20.0):
        nn.init.zeros_(network.layers[-2].weight)
        nn.init.constant_(network.layers[-2].bias, logit)
        loss(network, {"noisy": noisy}, loss.downsampler.choice(0, noisy), 0.0)["entropy"].backward()
        assert network.layers[-2].bias.grad.abs() < 1
        network.zero_grad()


def test_the_loss_of_the_colour_recipe_is_one_squared_difference():
    loss = build_fit(load_recipe("noise2fast-colour")).model.loss
    noisy = image(1, 3)
    draws = loss.draw({"noisy": noisy}, generator(4))
    first, second = loss.downsampler.pair(noisy, draws)
    terms = loss(fade, {"noisy": noisy}, draws, 0.0)
    expected = np.mean((fade(first).numpy() - second.numpy()) ** 2)
    assert [value.item() for value in terms.values()] == [pytest.approx(expected, rel=1e-5)]


# -- the method ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "recipe"), [(1, "noise2fast"), (3, "noise2fast"), (1, "noise2fast-colour"), (3, "noise2fast-colour")]
)
def test_it_denoises_and_stops_by_itself(channels, recipe):
    noisy, clean = noisy_scene(25, 32, channels, sigma=50).astype(np.float32), scene(25, 32, channels)
    steps, overrides = (
        [],
        ["model.network.width=8", "model.readout.patience=20", "model.readout.count=20", "model.optimizer.lr=0.004"],
    )
    restored = denoise(
        noisy, recipe, overrides=overrides, device="cpu", data_range=1, progress=lambda done, _: steps.append(done)
    )
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.3 * np.square(noisy - clean).mean()
    assert 20 < len(steps) < 1500  # of 5000


def data_of(noisy, **options):
    data = SingleImage(**options)
    data.use(noisy)
    return data


def trainer(steps, **options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})


class Watch(lightning.Callback):
    """Keeps the learning rate and the last bias before every step; kills the network before some of them."""

    def __init__(self, *kills):
        self.kills, self.rates, self.biases = kills, [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx in self.kills:
            for parameter in pl_module.network.layers[-2].parameters():
                nn.init.zeros_(parameter)
                parameter.requires_grad_(requires_grad=False)
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.biases.append(pl_module.network.layers[-2].bias.clone())


def lambda_lr(optimizer):
    return LambdaLR(optimizer, lambda step: 1.0)


def watched(*kills, seed=0, steps=60, scheduler=None):
    torch.manual_seed(0)
    model, watch = Noise2Fast(small(1), scheduler=scheduler, readout=LastMean(4, 2)), Watch(*kills)
    torch.manual_seed(seed)
    trainer(steps, callbacks=[watch]).fit(model, data_of(image(1, 1, 16, 16)))
    return model, watch


def test_a_fit_that_ends_constant_restarts_once_and_slowly():
    model, watch = watched(0)
    assert watch.rates[:4] == [1e-3] * 4  # the first minimum, and three steps without another
    assert watch.rates[4] == RESTART_RATE
    assert watch.biases[4] != 0
    assert set(watch.rates[4:]) == {RESTART_RATE}
    assert len(watch.rates) > 7
    assert model.network.low.item() == pytest.approx(image(1, 1, 16, 16).min().item())
    again, _ = watched(0)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), again.parameters(), strict=True))
    other, _ = watched(0, seed=1)
    assert not torch.equal(next(model.parameters()), next(other.parameters()))


@pytest.mark.parametrize("scheduler", [None, lambda optimizer: StepLR(optimizer, 2), lambda_lr])
def test_a_second_attempt_is_the_last(scheduler):
    _, watch = watched(0, 4, scheduler=scheduler)
    assert len(watch.rates) == 8


def test_a_second_fit_of_the_same_object_is_a_fit():
    model, _ = watched()
    used = trainer(60)
    used.fit(model, data_of(image(1, 1, 16, 16)))
    assert used.global_step > 2


def test_constant_results_are_recognised():
    noisy, result = torch.linspace(0, 1, 800).view(1, 2, 20, 20), torch.full((1, 2, 20, 20), 0.5)
    assert looks_constant(result, noisy) == [0, 1]
    result[:, :, 5:10, 5:10] += 0.2  # 25 pixels
    assert looks_constant(result, noisy) == [0, 1]
    result[:, 0, 12, 12] += 0.2
    assert looks_constant(result, noisy) == [1]
    result[:, 1, 12, 12] += 0.2
    result[:, :, 0] = 1.0
    assert looks_constant(result, noisy) == []
    faint = 0.5 + 0.001 * torch.rand(1, 1, 20, 20)
    assert looks_constant(faint, noisy[:, :1]) == [0]  # less than a grey level
    assert looks_constant(faint, faint) == []  # of a dark picture in 16 bits, many
    assert looks_constant(torch.rand(1, 1, 6, 6), noisy[:, :1, :6, :6]) == []
    assert looks_constant(result[:, 1:] * 0, torch.zeros(1, 1, 20, 20)) == []  # constant before


def test_an_empty_channel_costs_the_others_nothing():
    noisy = image(1, 2, 16, 16)
    noisy[:, 1] = 0.25
    watch = Watch()
    torch.manual_seed(0)
    model = Noise2Fast(small(2), readout=LastMean(4, 2))
    trainer(60, callbacks=[watch]).fit(model, data_of(noisy))
    assert set(watch.rates) == {1e-3}
    assert (model.restore(noisy)[:, 1] - 0.25).abs().max() < 0.01


def test_crops_are_refused():
    with pytest.raises(UserError, match="Noise2Fast is fitted to one whole picture, not to crops of 4"):
        trainer(1).fit(Noise2Fast(small(1)), data_of(image(1, 1), crop=4))


def test_a_resumed_fit_ends_with_the_same_picture(tmp_path):
    noisy = image(1, 1, 9, 11)

    def fitted(steps, **options):
        torch.manual_seed(0)
        model, used = Noise2Fast(small(1), readout=LastMean(6, 100)), trainer(steps)
        used.fit(model, data_of(noisy), **options)
        used.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return model.restore(noisy)

    straight = fitted(9)
    fitted(5)
    assert torch.equal(fitted(9, ckpt_path=tmp_path / "5.ckpt"), straight)
    assert torch.equal(Noise2Fast.load(tmp_path / "9.ckpt").restore(noisy), straight)
