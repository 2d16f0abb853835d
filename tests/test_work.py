"""The work of a fit in steps, passes and pixels, which does not depend on the machine."""

from dataclasses import dataclass, field

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from torchdenoise.denoisers import Network
from torchdenoise.denoisers.parts import nonlocal_ridge
from torchdenoise.denoisers.parts.patch_noise import WhitePatches
from torchdenoise.fitting import Options, fit_image, fit_images
from torchdenoise.fitting.choosing import FITTED, TRAINED, ChosenFits
from torchdenoise.noise import measuring, repeatable
from torchdenoise.recipes import load_recipe

SIDE, STEPS = 96, 5
PIXELS = SIDE * SIDE


@dataclass
class Work:
    """Images and pixels that went through networks, with and without gradient, and other costs."""

    calls: int = 0
    trained: int = 0
    read: int = 0
    noise_estimates: int = 0
    searched: list[int] = field(default_factory=list)
    combined: list[int] = field(default_factory=list)


@pytest.fixture
def work(monkeypatch):
    """Count what happens in a test."""
    counted = Work()

    def seen(module, inputs, output):
        if isinstance(module, Network):
            counted.calls += 1
            pixels = inputs[0].shape[0] * inputs[0].shape[-2] * inputs[0].shape[-1]
            if torch.is_grad_enabled():
                counted.trained += pixels
            else:
                counted.read += pixels

    handle = register_module_forward_hook(seen)
    measured, groups, mixing = measuring.measure_noise, nonlocal_ridge.similar_patches, WhitePatches.mixing

    def counted_measurement(*args):
        counted.noise_estimates += 1
        return measured(*args)

    def counted_groups(*args, **options):
        for corners in groups(*args, **options):
            counted.searched.append(len(corners))
            yield corners

    def counted_mixing(noise, xs):
        counted.combined.append(len(xs))
        return mixing(noise, xs)

    monkeypatch.setattr(measuring, "measure_noise", counted_measurement)
    monkeypatch.setattr(nonlocal_ridge, "similar_patches", counted_groups)
    monkeypatch.setattr(WhitePatches, "mixing", counted_mixing)
    yield counted
    handle.remove()


def noisy():
    clean = torch.linspace(0.2, 0.8, SIDE).expand(1, 3, SIDE, SIDE)
    return repeatable("gaussian:25", clean)


@pytest.mark.parametrize(
    ("recipe", "trained", "read", "noise_estimates", "searches", "rounds", "stride"),
    [
        # The whole picture, and its two halves, of a quarter each: in two calls a step.
        ("zsn2n", PIXELS + PIXELS // 2, PIXELS, 0, 0, 0, 6),
        ("zsn2n-bf16", PIXELS + PIXELS // 2, PIXELS, 0, 0, 0, 6),
        # Four crops of 48; eight turns; the noise is measured once for the domain, the loss and the readout. Similar
        # patches are searched in the noisy picture too where it is a pilot; of the first of two rounds, half is done.
        ("fast", 4 * 48 * 48, 8 * PIXELS, 1, 1, 2, 6),
        ("instant", 4 * 48 * 48, PIXELS, 1, 2, 1.5, 6),
        ("best", 4 * 64 * 64, 8 * PIXELS, 1, 1, 1, 4),
    ],
)
def test_a_fit_does_no_more_work_than_it_should(work, recipe, trained, read, noise_estimates, searches, rounds, stride):
    reported = []
    options = Options(max_steps=STEPS, device="cpu", progress=lambda *step: reported.append(step))
    fit_image(noisy(), load_recipe(recipe), options)
    assert len(reported) == STEPS
    assert work.trained == STEPS * trained
    assert work.read == read
    assert work.calls <= 2 * STEPS + 8
    assert work.noise_estimates == noise_estimates
    per_side = -(-(SIDE - 8) // stride) + 1
    assert sum(work.searched) == searches * per_side**2
    assert sum(work.combined) == 2 * rounds * per_side**2  # by brightness, and by both colour differences


@pytest.mark.parametrize("clean", [0.5, (torch.arange(SIDE) // 4 % 2) * 0.5 + 0.25], ids=["trained", "fitted"])
def test_the_default_measures_the_noise_once(work, clean):
    image = repeatable("gaussian:10", clean * torch.ones(1, 1, SIDE, SIDE))
    (result,) = ChosenFits(Options(device="cpu"))([image])
    assert work.noise_estimates == 1
    assert (TRAINED if isinstance(clean, float) else FITTED) in result.noise


def test_stacked_fits_call_the_network_once_a_step(work):
    plan, options = load_recipe("instant"), Options(max_steps=STEPS, device="cpu")
    results = fit_images([noisy() for _ in range(6)], plan, options)
    assert len(results) == 6
    assert work.calls == STEPS + 6


def test_the_work_of_learning_does_not_grow_with_the_picture(work):
    plan, options = load_recipe("fast"), Options(max_steps=STEPS, device="cpu", overrides=["model.readout=OnePass"])
    fit_image(noisy().repeat(1, 1, 3, 3), plan, options)
    assert work.trained == STEPS * 4 * 48 * 48
    assert work.read == 9 * PIXELS
