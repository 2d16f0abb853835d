"""Self2Self: partial convolutions against loops, dropout that stays, masked and flipped passes."""

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import PartialUNet, Self2Self, Self2SelfLoss, Self2SelfMean, SmallCNN
from torchdenoise.fitting import HYGIENE
from torchdenoise.recipes import load_recipe


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def small():
    torch.manual_seed(0)
    return PartialUNet(3, width=6)


# -- the loss and the readout ----------------------------------------------------------------------------------------


def stand_in(picture, mask, seed):
    """Depends on image, mask and seed, and on what is up, down, left and right."""
    return 0.1 + 0.5 * picture.roll(1, -1) + 0.2 * mask.roll(1, -2) + 0.01 * (seed % 7)


def slow_pass(noisy, draws):
    """(1, C, H, W) arrays."""
    mask = draws["mask"].numpy()
    axes = [axis for axis, flip in zip((-2, -1), draws["flips"].tolist(), strict=True) if flip]
    seen, visible = (torch.from_numpy(np.flip(array, axes).copy()) for array in (noisy * mask, mask))
    return np.flip(stand_in(seen, visible, draws["seed"]).numpy(), axes)


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


def test_all_randomness_of_the_readout_comes_from_its_generator():
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


def test_a_resumed_fit_ends_with_the_same_picture(tmp_path):
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
    plans = {name: load_recipe(f"self2self{name}") for name in ("", "-star")}
    steps = {name: plan["trainer"]["max_steps"] for name, plan in plans.items()}
    assert steps == {"": 150_000, "-star": 150_000}
    passes = {name: plan["model"]["init_args"]["readout"]["init_args"].pop("passes") for name, plan in plans.items()}
    assert passes == {"": 100, "-star": 1}
    assert all(plan["model"] == plans[""]["model"] for plan in plans.values())


@pytest.mark.parametrize(("recipe", "missing"), [("self2self", "mask"), ("dip", "jitter")])
def test_a_network_that_takes_no_mask_is_refused_in_one_line(recipe, missing):
    noisy = noisy_scene(8, 9).astype(np.float32)
    with pytest.raises(UserError, match=f"SmallCNN takes no {missing}, .*: use the method's default network") as caught:
        denoise(noisy, recipe, max_steps=1, device="cpu", network=SmallCNN())
    assert "\n" not in str(caught.value)
