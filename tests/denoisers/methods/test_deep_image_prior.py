"""Deep Image Prior: what the network sees, what undoes a spoilt step, what is refused."""

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene
from torch import nn

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import DeepImagePrior, DeepImagePriorLoss, LastMean, OnePass, SkipNet
from torchdenoise.denoisers.methods.deep_image_prior import Backtracking
from torchdenoise.fitting import HYGIENE

SMALL = ["model.network.width=8", "model.network.skips=2"]


def tensor_of(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def data_of(image, **options):
    data = SingleImage(**options)
    data.use(image)
    return data


def trainer(steps, **options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})


def fitted(steps, image=None, ckpt_path=None, **options):
    torch.manual_seed(0)
    model = DeepImagePrior(SkipNet(width=4))
    used = trainer(steps, **options)
    used.fit(model, data_of(tensor_of(noisy_scene(20, 30)) if image is None else image), ckpt_path=ckpt_path)
    return model, used


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(first, second):
    return all(torch.equal(*pair) for pair in zip(first, second, strict=True))


# -- the loss --------------------------------------------------------------------------------------------------------


def test_the_loss_against_its_formula():
    noisy = torch.rand(1, 3, 5, 7)
    loss = DeepImagePriorLoss(0.05)
    draws = loss.draw({"noisy": noisy}, torch.Generator().manual_seed(1))
    terms = loss(lambda image, jitter: jitter[:, :3] * 4, {"noisy": noisy}, draws, 0.0)
    jitter, expected = draws["jitter"].numpy(), 0.0
    for place in np.ndindex(1, 3, 5, 7):
        expected += (4 * jitter[place] - noisy[place].item()) ** 2 / 105
    assert terms["fit"].item() == pytest.approx(expected, rel=1e-5)


def test_the_jitter_has_its_deviation_and_is_new_at_each_step():
    noisy = torch.zeros(1, 1, 64, 64)
    first, second = (
        DeepImagePriorLoss().draw({"noisy": noisy}, torch.Generator().manual_seed(s))["jitter"] for s in (0, 1)
    )
    assert first.std().item() == pytest.approx(1 / 30, rel=0.01)
    assert abs(first.mean()) < 5 / 30 / 362
    assert not torch.equal(first, second)


# -- backtracking ----------------------------------------------------------------------------------------------------


class Spoil(lightning.Callback):
    """Ruins the weights before one step, and keeps those before every step."""

    def __init__(self, step):
        self.step = step
        self.before = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before.append(weights(pl_module))
        if batch_idx == self.step:
            with torch.no_grad():
                pl_module.network.layers[-2].bias.fill_(30)  # a white picture


def test_a_spoilt_step_is_undone():
    spoil = Spoil(3)
    fitted(6, callbacks=[spoil])
    assert not same(spoil.before[2], spoil.before[3])
    assert same(spoil.before[4], spoil.before[2])  # the weights that the last sound step began with
    assert not same(spoil.before[5], spoil.before[4])  # and on it goes


def test_a_step_that_is_only_somewhat_worse_stays():
    class Shade(Spoil):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.before.append(weights(pl_module))
            if batch_idx == self.step:
                with torch.no_grad():
                    pl_module.network.layers[-2].bias.add_(0.5)

    shade = Shade(3)
    fitted(5, callbacks=[shade])
    assert not same(shade.before[4], shade.before[2])


@pytest.mark.parametrize(("ratio", "undone"), [(3.1, False), (3.2, True)])
def test_the_limit_is_five_decibel(ratio, undone):
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    guard, first = Backtracking(), weights(model)
    for loss in (0.2, 0.2 * ratio):
        guard.on_before_backward(None, model, torch.tensor(loss))
        model.weight.grad = torch.ones_like(model.weight)
        guard.on_before_optimizer_step(None, model, optimizer)
        optimizer.step()
    moved = (model.weight - first[0]).item()
    assert moved == pytest.approx(0.0 if undone else -2.0, abs=1e-6)


# -- the method ------------------------------------------------------------------------------------------------------


def test_it_denoises_one_picture_of_odd_size():
    noisy, clean = noisy_scene(33, 45, sigma=60).astype(np.float32), scene(33, 45)
    restored = denoise(noisy, "dip", max_steps=150, overrides=SMALL, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.4 * np.square(noisy - clean).mean()


def test_a_fit_that_goes_on_ends_with_the_same_picture(tmp_path):
    noisy = tensor_of(noisy_scene(20, 30))
    straight, _ = fitted(8)
    fitted(5)[1].save_checkpoint(tmp_path / "5.ckpt")
    resumed, used = fitted(8, ckpt_path=tmp_path / "5.ckpt")
    assert same(weights(resumed), weights(straight))
    assert torch.equal(resumed.restore(noisy), straight.restore(noisy))
    kept = [callback for callback in used.callbacks if isinstance(callback, Backtracking)]
    assert len(kept) == 1
    used.save_checkpoint(tmp_path / "end.ckpt")
    assert torch.equal(DeepImagePrior.load(tmp_path / "end.ckpt").restore(noisy), straight.restore(noisy))


def test_the_weights_to_go_back_to_survive_a_checkpoint(tmp_path):
    before, spoil = Spoil(-1), Spoil(3)
    fitted(3, callbacks=[before])[1].save_checkpoint(tmp_path / "3.ckpt")
    fitted(5, callbacks=[spoil], ckpt_path=tmp_path / "3.ckpt")
    assert same(spoil.before[1], before.before[2])


def test_crops_are_refused_before_anything_is_fitted():
    noisy = tensor_of(noisy_scene(20, 30))
    with pytest.raises(UserError, match="DeepImagePrior is fitted to one whole picture, not to crops of 16: use"):
        trainer(1).fit(DeepImagePrior(SkipNet(width=2)), data_of(noisy, crop=16))
    assert [DeepImagePrior.croppable, DeepImagePrior.tileable, DeepImagePrior.stackable] == [False] * 3


@pytest.mark.parametrize("readout", [OnePass, LastMean])
def test_another_readout_takes_nothing_of_what_was_gathered(tmp_path, readout):
    noisy = tensor_of(noisy_scene(20, 30))
    model, used = fitted(3)
    used.save_checkpoint(tmp_path / "dip.ckpt")
    other = DeepImagePrior(SkipNet(width=4), readout=readout())
    (result,) = trainer(3).predict(other, data_of(noisy), ckpt_path=tmp_path / "dip.ckpt")
    model.eval().readout = OnePass()
    assert torch.equal(result, model.restore(noisy))


def test_a_second_fit_of_the_same_object_has_a_mean_of_its_own():
    noisy = tensor_of(noisy_scene(20, 30))
    model, _ = fitted(3)
    trainer(1).fit(model, data_of(noisy))
    (only,) = trainer(1).predict(model, data_of(noisy))
    assert torch.equal(model.readout.mean, only)


def test_a_fit_is_not_applied_to_another_picture(tmp_path):
    _, used = fitted(2)
    used.save_checkpoint(tmp_path / "dip.ckpt")
    with pytest.raises(UserError, match="this is another one: fit it with"):
        denoise(noisy_scene(20, 30, seed=1), checkpoint=tmp_path / "dip.ckpt", device="cpu", data_range=1)
