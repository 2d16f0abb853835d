"""Steps that are recorded once and replayed; a recorder for the CPU stands in for CUDA's."""

import pytest
import torch
from torch.nn import functional as F

from tests.fitting.recording_on_cpu import traced
from torchdenoise import DenoisingLoss, UserError, denoise
from torchdenoise.denoisers import SmallCNN, ZSN2NLoss
from torchdenoise.denoisers.parts.losses import mse
from torchdenoise.denoisers.steps import SingleStep
from torchdenoise.fitting import step_graphs
from torchdenoise.fitting.step_graphs import MOST, GraphedSteps

STATIC = {
    "best": (),
    "dip": ("model.network.width=4",),
    "fast": (),
    "mash": ("model.network.width=2",),
    "n2v-single": ("model.network.width=2",),
    "neighbor2neighbor-single": (),
    "nlr": ("model.network.width=4",),
    "nlr-real": ("model.network.width=4",),
    "noise2fast": (),
    "pixel2pixel": (),
    "pretrained-best": (),
    "zsn2m": ("model.refiner.width=2",),
    "zsn2n": (),
    "zsn2n-bf16": (),
}
"""Recipes, and what makes them quick to record here."""
QUICK = ("fast", "mash", "neighbor2neighbor-single", "zsn2n")


@pytest.fixture
def recorded(monkeypatch):
    """Return the replays that are made; each counts its calls."""
    monkeypatch.setitem(step_graphs.CAPTURES, "cpu", traced)
    traced.made.clear()
    return traced.made


def noisy(channels=3, height=64, width=72):
    torch.manual_seed(0)
    return (0.5 + 0.1 * torch.randn(1, channels, height, width)).clamp(0, 1)


@pytest.mark.parametrize(
    "recipe", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STATIC]
)
def test_replayed_steps_learn_the_same(recipe, recorded):
    image, overrides = noisy(1 if recipe == "noise2fast" else 3), STATIC[recipe]
    usual = denoise(image, recipe=recipe, max_steps=9, overrides=overrides, seed=1)
    assert torch.equal(denoise(image, recipe=recipe, max_steps=9, overrides=overrides, seed=1, graphs=True), usual)
    assert sum(replay.calls for replay in recorded) >= 3


def test_each_scale_of_correlated_noise_has_a_graph(recorded):
    torch.manual_seed(0)
    smooth = 0.2 + 0.6 * F.interpolate(torch.rand(1, 1, 12, 12), scale_factor=8, mode="bilinear")
    image = (smooth + 0.15 * F.avg_pool2d(torch.randn(1, 1, 98, 98), 3, 1)).clamp(0, 1)
    usual = denoise(image, recipe="fast", max_steps=9)
    assert torch.equal(denoise(image, recipe="fast", max_steps=9, graphs=True), usual)
    assert len(recorded) > 1


@pytest.mark.parametrize("recipe", ["fast", "zsn2n"])
def test_stacked_networks_are_recorded_together(recipe, recorded):
    images = torch.cat([noisy(), noisy().flip(-1), noisy() / 2])
    usual = denoise(images, recipe=recipe, max_steps=6, batch=3)
    assert torch.equal(denoise(images, recipe=recipe, max_steps=6, batch=3, graphs=True), usual)
    assert [replay.calls for replay in recorded] == [5]


class Looks(DenoisingLoss):
    """Does something else in the second half of the fit."""

    def forward(self, denoise, batch, draws, progress):
        target = 0 * batch["noisy"] if progress >= 0.5 else batch["noisy"]
        return {"fit": mse(denoise(batch["noisy"]), target)}


def test_a_loss_that_looks_at_a_value_is_computed_as_usual_with_a_warning(recorded):
    image = noisy(1, 16, 16)
    usual = denoise(image, recipe="zsn2n", loss=Looks(), max_steps=6)
    with pytest.warns(UserWarning, match=r"^Looks: the step cannot be recorded as a graph and runs without \("):
        clean = denoise(image, recipe="zsn2n", loss=Looks(), max_steps=6, graphs=True)
    assert torch.equal(clean, usual)
    assert not recorded


class Changing(DenoisingLoss):
    """Draws another size at each step."""

    def draw(self, batch, generator):
        changing = torch.randint(4, 16, (), generator=generator).item()
        return {"size": torch.zeros(changing)}

    def forward(self, denoise, batch, draws, progress):
        side = len(draws["size"])
        seen = batch["noisy"][..., :side, :side]
        return {"fit": mse(denoise(seen), seen)}


def test_shapes_that_change_do_not_fill_the_memory_with_graphs(recorded):
    image = noisy(1, 16, 16)
    usual = denoise(image, recipe="zsn2n", loss=Changing(), max_steps=60)
    assert torch.equal(denoise(image, recipe="zsn2n", loss=Changing(), max_steps=60, graphs=True), usual)
    assert len(recorded) == MOST


def test_a_graph_writes_to_no_picture_and_its_result_stays():
    images = [noisy(1, 16, 16), noisy(1, 16, 16).flip(-1)]
    before = [image.clone() for image in images]
    step, replayed = SingleStep(ZSN2NLoss(), SmallCNN(1, width=4)), GraphedSteps(traced)
    outputs = [replayed(step, {"noisy": images[turn % 2]}, {}, 0.0)[1] for turn in range(6)]
    assert all(torch.equal(*pair) for pair in zip(images, before, strict=True))
    for turn, output in enumerate(outputs):
        assert torch.equal(output, step({"noisy": images[turn % 2]}, {}, 0.0)[1])


def test_on_another_device_one_line_says_so(capfd):
    with pytest.raises(UserError) as caught:
        denoise(noisy(1, 16, 16), recipe="zsn2n", max_steps=2, graphs=True, device="cpu")
    assert str(caught.value) == "graphs: only a CUDA device can record steps, and this fit is on cpu: leave them out"
