"""Self2Self: partial convolutions against loops, dropout that stays, masked and flipped passes."""

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene
from torch import nn

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import N2NUNet, PartialUNet, Self2Self, Self2SelfLoss, Self2SelfMean, SmallCNN
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.denoisers.networks.partial_unet import PartialConv2d
from torchdenoise.fitting import HYGIENE
from torchdenoise.recipes import load_recipe


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


# -- partial convolutions --------------------------------------------------------------------------------------------


def slow_partial(features, mask, weight, bias):
    """Window by window; what lies outside is hidden."""
    batch, channels, height, width = features.shape
    mask = np.broadcast_to(mask, features.shape)
    out, known = np.zeros((batch, len(weight), height, width)), np.zeros((batch, 1, height, width))
    for number, filter_, row, column in np.ndindex(out.shape):
        total, seen = 0.0, 0.0
        for channel, down, right in np.ndindex(channels, 3, 3):
            y, x = row + down - 1, column + right - 1
            if 0 <= y < height and 0 <= x < width and mask[number, channel, y, x]:
                total += weight[filter_, channel, down, right] * features[number, channel, y, x]
                seen += 1
        if seen:
            value = total * 9 * channels / seen + bias[filter_]
            out[number, filter_, row, column] = value if value > 0 else 0.1 * value
            known[number, 0, row, column] = 1
    return out, known


@pytest.mark.parametrize("mask_channels", [1, 3])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_partial_convolutions_against_a_loop(mask_channels, share):
    torch.manual_seed(0)
    layer, features = PartialConv2d(3, 2).double(), image().double() - 0.5
    mask = (torch.rand(2, mask_channels, 6, 8, generator=generator(4)) < share).double()
    nn.init.normal_(layer.convolution.bias)
    result, known = layer(features, mask)
    expected = slow_partial(features.numpy(), mask.numpy(), *(p.detach().numpy() for p in layer.parameters()))
    np.testing.assert_allclose(result.detach().numpy(), expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(known.numpy(), expected[1])


def test_a_flat_picture_stays_flat_whatever_is_hidden():
    layer, flat = PartialConv2d(1, 1), torch.full((1, 1, 9, 9), 0.7)
    nn.init.constant_(layer.convolution.weight, 1 / 9)
    nn.init.zeros_(layer.convolution.bias)
    mask = (torch.rand(1, 1, 9, 9, generator=generator(2)) < 0.5).float()
    result, known = layer(flat, mask)
    torch.testing.assert_close(result[known == 1], flat[known == 1])


# -- the network -----------------------------------------------------------------------------------------------------


def test_parameter_counts_are_those_of_noise2noise():
    for channels in (3, 1):
        counts = [sum(p.numel() for p in cls(channels).parameters()) for cls in (PartialUNet, N2NUNet)]
        assert counts[0] == counts[1]
    assert sum(p.numel() for p in PartialUNet().parameters()) == 991_203


def small(**options):
    torch.manual_seed(0)
    return PartialUNet(3, width=6, **options)


def test_start():
    """The way down as Keras draws by default, evenly; the way up by He; so the sigmoid is not saturated."""
    torch.manual_seed(0)
    network = PartialUNet()
    for layer in network.down:
        weight = layer.convolution.weight
        bound = (6 / (9 * (weight.shape[0] + weight.shape[1]))) ** 0.5
        assert 0.98 * bound < weight.abs().max() <= bound
    for layer in network.up:
        spread = layer.weight.std().item() * layer.weight[0].numel() ** 0.5
        assert spread == pytest.approx((2 / 1.01) ** 0.5, rel=5 / (2 * layer.weight.numel()) ** 0.5)
    assert not any(layer.bias.any() for layer in network.modules() if isinstance(layer, nn.Conv2d))
    answer = network(image(1, 3, 64, 64), seed=torch.tensor(0))
    assert ((answer > 0.02) & (answer < 0.98)).float().mean() > 0.9


def test_dropout_stays_on_and_a_seed_decides_it():
    network, picture = small().eval(), image(1, 3, 32, 32)
    before = torch.get_rng_state()
    first, again, other = (network(picture, seed=torch.tensor(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(network(picture), network(picture))
    plain = small(dropout=0.0)
    assert torch.equal(plain(picture, seed=torch.tensor(3)), plain(picture, seed=torch.tensor(4)))


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7])
def test_dropout_has_its_rate_and_keeps_the_mean(rate):
    dropped = small(dropout=rate)._dropped(torch.ones(1, 8, 100, 100), generator())
    torch.testing.assert_close(dropped[dropped > 0], torch.full_like(dropped[dropped > 0], 1 / (1 - rate)))
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_it_is_before_each_convolution_on_the_way_up_and_none_on_the_way_down():
    network, rates = small(), []
    network._dropped = lambda features, generator: rates.append(features.shape[1]) or features
    network(image(1, 3, 32, 32))
    assert rates == [12, 12, 18, 12, 18, 12, 18, 12, 15, 8, 4]
    assert [layer.in_channels for layer in (*network.up, network.last)] == rates


def test_hidden_values_are_not_seen():
    network, picture = small().eval(), image(1, 3, 32, 64)
    mask, seed = (torch.rand(picture.shape, generator=generator(8)) < 0.7).float(), torch.tensor(1)
    changed = torch.where(mask == 0, 5.0, picture)
    assert torch.equal(network(picture, mask=mask, seed=seed), network(changed, mask=mask, seed=seed))
    assert not torch.equal(network(picture, mask=mask, seed=seed), network(picture, seed=seed))


@pytest.mark.parametrize("size", [(33, 47), (1, 7), (64, 32)])
def test_any_size(size):
    picture = image(1, 3, *size)
    answer = padded_call(small(), picture, {"mask": torch.ones_like(picture), "seed": torch.tensor(0)})
    assert answer.shape == picture.shape
    assert 0 <= answer.min() < answer.max() <= 1


def test_all_parameters_learn():
    network = small().double()
    network(image(1, 3, 64, 64).double()).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("arguments", [{"width": 1}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match=r"PartialUNet: width \d+"):
        PartialUNet(3, **arguments)


# -- the loss and the readout ----------------------------------------------------------------------------------------


def stand_in(picture, mask, seed):
    """Looks at all that it is told, and knows up from down and left from right."""
    return 0.1 + 0.5 * picture.roll(1, -1) + 0.2 * mask.roll(1, -2) + 0.01 * (seed % 7)


def slow_pass(noisy, draws):
    """(1, C, H, W) arrays."""
    mask = draws["mask"].numpy()
    axes = [axis for axis, flip in zip((-2, -1), draws["flips"].tolist(), strict=True) if flip]
    seen, told = (torch.from_numpy(np.flip(array, axes).copy()) for array in (noisy * mask, mask))
    return np.flip(stand_in(seen, told, draws["seed"]).numpy(), axes)


@pytest.mark.parametrize("seed", range(8))
def test_the_loss_against_its_formula(seed):
    noisy, loss = image(), Self2SelfLoss()
    draws = loss.draw({"noisy": noisy}, generator(seed))
    answer, mask = slow_pass(noisy.numpy(), draws), draws["mask"].numpy()
    errors = [(answer[place] - noisy[place].item()) ** 2 for place in np.ndindex(noisy.shape) if mask[place] == 0]
    terms = loss(stand_in, {"noisy": noisy}, draws, 0.0)
    assert list(terms) == ["hidden"]
    assert terms["hidden"].item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_what_is_drawn():
    draws = [Self2SelfLoss().draw({"noisy": image(1, 3, 50, 50)}, generator(seed)) for seed in range(60)]
    hidden = torch.stack([each["mask"] == 0 for each in draws]).float().mean().item()
    assert hidden == pytest.approx(0.3, abs=0.005)
    flips = {tuple(each["flips"].tolist()) for each in draws}
    assert flips == {(False, False), (False, True), (True, False), (True, True)}
    assert len({each["seed"].item() for each in draws}) == 60


def test_the_readout_against_single_passes():
    noisy, source, expected = image(1), generator(9), 0.0
    result = Self2SelfMean(passes=6)(stand_in, noisy, generator(9))
    for _ in range(6):
        draws = Self2SelfLoss(0.3).draw({"noisy": noisy}, source)
        expected += slow_pass(noisy.numpy(), draws) / 6
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5)


def test_all_randomness_of_the_readout_is_its_generator_s():
    model, noisy = Self2Self(small(), readout=Self2SelfMean(3)).eval(), image(1, 3, 9, 11)
    before = torch.get_rng_state()
    first, again = model.restore(noisy), model.restore(noisy)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    model._seed = 1
    assert not torch.equal(model.restore(noisy), first)


# -- the method ------------------------------------------------------------------------------------------------------


def test_it_denoises_one_picture_of_odd_size():
    noisy, clean = noisy_scene(30, 33, sigma=50).astype(np.float32), scene(30, 33)
    overrides = ["model.network.width=12", "model.optimizer.lr=0.004", "model.readout.passes=20"]
    restored = denoise(noisy, "self2self", max_steps=200, overrides=overrides, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.6 * np.square(noisy - clean).mean()


def test_a_fit_that_goes_on_ends_with_the_same_picture(tmp_path):
    noisy = image(1, 3, 20, 9)

    def fitted(steps, **options):
        data = SingleImage()
        data.use(noisy)
        torch.manual_seed(0)
        model = Self2Self(PartialUNet(width=2), readout=Self2SelfMean(2))
        used = lightning.Trainer(**HYGIENE, accelerator="cpu", max_steps=steps)
        used.fit(model, data, **options)
        used.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return model.restore(noisy)

    straight = fitted(6)
    fitted(4)
    assert torch.equal(fitted(6, ckpt_path=tmp_path / "4.ckpt"), straight)


def test_the_recipes_differ_in_what_their_names_say():
    plans = {name: load_recipe(f"self2self{name}") for name in ("", "-star", "-15k", "-1500")}
    told = {name: plan["trainer"]["max_steps"] for name, plan in plans.items()}
    assert told == {"": 150_000, "-star": 150_000, "-15k": 15_000, "-1500": 1500}
    passes = {name: plan["model"]["init_args"]["readout"]["init_args"].pop("passes") for name, plan in plans.items()}
    assert passes == {"": 100, "-star": 1, "-15k": 100, "-1500": 100}
    assert all(plan["model"] == plans[""]["model"] for plan in plans.values())


@pytest.mark.parametrize(("recipe", "missing"), [("self2self", "mask"), ("dip", "jitter")])
def test_a_network_that_takes_no_mask_is_refused_in_one_line(recipe, missing):
    noisy = noisy_scene(8, 9).astype(np.float32)
    with pytest.raises(UserError, match=f"SmallCNN takes no {missing}, .*: leave the network to the method") as caught:
        denoise(noisy, recipe, max_steps=1, device="cpu", network=SmallCNN())
    assert "\n" not in str(caught.value)
