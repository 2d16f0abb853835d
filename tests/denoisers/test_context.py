"""What is known of a picture is computed once, and works in fits and in predictions."""

import copy
import pickle

import lightning
import pytest
import torch

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import Domain, SingleStage, SmallCNN, Stabilized, ZSN2NLoss
from torchdenoise.denoisers.context import PictureContext
from torchdenoise.fitting import HYGIENE


class Shift(Domain):
    """Adds 1, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def transforms(self, noisy):
        self.calls += 1
        return lambda images: images + 1, lambda images: images - 1


class Measured(ZSN2NLoss):
    """Measures the mean, which its terms use."""

    def measure(self, noisy):
        return {"mean": noisy.mean((1, 2, 3), keepdim=True)}

    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(batch["noisy"]) * batch["mean"]).square().mean()}


def picture(seed=0):
    return torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(seed))


def run(model, noisy, name="fit"):
    data = SingleImage()
    data.use(noisy)
    trainer = lightning.Trainer(**HYGIENE, accelerator="cpu", max_steps=2)
    return getattr(trainer, name)(model, datamodule=data)


def test_a_fit_and_its_prediction_transform_the_picture_once():
    model, noisy = SingleStage(SmallCNN(3, width=4), ZSN2NLoss(), domain=Shift()), picture()
    run(model, noisy)
    (clean,) = run(model, noisy.clone(), "predict")
    assert model.domain.calls == 1
    with torch.no_grad():
        assert torch.equal(clean, (model(noisy + 1) - 1).clamp(0, 1))
    model.restore(picture(1))
    assert model.domain.calls == 2
    model.domain = Shift()
    model.restore(picture(1))
    assert model.domain.calls == 1


def test_the_context_of_a_prediction_serves_a_fit():
    model, noisy = SingleStage(SmallCNN(3, width=4), Measured(), domain=Stabilized()), picture()
    with torch.inference_mode():
        model.context(noisy).stage_inputs(0, model.stages)
    inputs = model.context(noisy).stage_inputs(0, model.stages)
    assert not any(value.is_inference() or value.requires_grad for value in inputs.values())
    run(model, noisy)
    with torch.inference_mode():
        on_device = noisy + 0  # as a loader of predictions moves it
        model.context(on_device)
    model.domain = Stabilized()
    with torch.inference_mode():
        model.context(on_device)
    run(model, noisy)  # autograd refuses inference tensors


def test_the_loss_measures_again_when_the_cache_is_cleared():
    model, noisy = SingleStage(SmallCNN(3, width=4), Measured(), domain=Shift()), picture()
    first = model.loss_batch({"noisy": noisy}, 0)
    torch.testing.assert_close(first["mean"], (noisy + 1).mean().view(1, 1, 1, 1))
    model.loss = ZSN2NLoss()
    assert "mean" in model.loss_batch({"noisy": noisy}, 0)
    model.clear_cache()
    assert "mean" not in model.loss_batch({"noisy": noisy}, 0)
    assert model.domain.calls == 1


def test_the_target_is_transformed_and_the_clean_image_hidden():
    model, noisy = SingleStage(SmallCNN(3, width=4), ZSN2NLoss(), domain=Shift()), picture()
    batch = model.loss_batch({"noisy": noisy, "target": noisy, "clean": noisy, "index": torch.zeros(1)}, 0)
    assert sorted(batch) == ["noisy", "target"]
    assert torch.equal(batch["target"], noisy + 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_leaves_the_cache_behind(copied):
    model = SingleStage(SmallCNN(3, width=4), ZSN2NLoss(), domain=Shift())
    expected = model.restore(picture())
    other = copied(model)
    assert torch.equal(other.restore(picture()), expected)
    assert other.domain.calls == 2


def test_another_picture_of_the_same_size_is_another_one():
    domain = Shift()
    context = PictureContext(picture(), domain)
    assert context.shows(picture())
    assert not context.shows(picture(1))
    assert context.usable(domain, torch.device("cpu"))
    assert not context.usable(Shift(), torch.device("cpu"))


def test_images_that_take_turns_are_transformed_once():
    model, frames = SingleStage(SmallCNN(3, width=4), Measured(), domain=Shift()), [picture(seed) for seed in range(3)]
    data = SingleImage()
    data.use(frames[0], others=frames[1:])
    trainer = lightning.Trainer(**HYGIENE, accelerator="cpu", max_steps=7)
    trainer.fit(model, datamodule=data)
    assert model.domain.calls == 3
    for frame in (frames[2], frames[0]):  # one context is kept for predictions
        data.use(frame)
        trainer.predict(model, datamodule=data)
    assert model.domain.calls == 5


def test_what_was_computed_for_images_in_turn_is_forgotten_with_the_stage():
    model, frames = SingleStage(SmallCNN(3, width=4), Measured(), domain=Shift()), [picture(seed) for seed in range(2)]
    model._contexts.keep(2)
    assert all("mean" in model.loss_batch({"noisy": frame}, 0) for frame in frames)
    model.loss = ZSN2NLoss()
    model.clear_cache()
    assert not any("mean" in model.loss_batch({"noisy": frame}, 0) for frame in frames)
    assert model.domain.calls == 2
