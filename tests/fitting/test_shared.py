"""One network for the frames of a stack, and similar patches in neighbouring frames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import correlated_noise, noisy_scene, random_pixels, scene

from torchdenoise.data import ArrayPlanes, Axes
from torchdenoise.denoisers import RunningMean
from torchdenoise.errors import RecipeError, UserError
from torchdenoise.fitting import Options, denoise
from torchdenoise.fitting import frames as frames_module
from torchdenoise.fitting.frames import denoise_frames, frame_groups
from torchdenoise.fitting.shared import SharedFit
from torchdenoise.fitting.single import Fitted, fit_image
from torchdenoise.recipes import load_recipe

CPU = {"device": "cpu", "axes": "TYX"}


def stack(count=4, sigma=25.0):
    frames = [noisy_scene(channels=1, sigma=sigma, seed=seed)[..., 0] for seed in range(count)]
    return np.round(255 * np.stack(frames)).astype(np.uint8)


def images(count=3, side=24):
    return list(torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0)).split(1))


@pytest.mark.parametrize("recipe", ["zsn2n", "instant", "zsn2m", "n2v-single"])
def test_equal_frames_get_the_result_of_one(recipe):
    frame, plan = images(1)[0], load_recipe(recipe)
    overrides = ["data.crop=16"] if recipe == "n2v-single" else []
    options = Options(max_steps=3, device="cpu", overrides=overrides)
    shared = Options(max_steps=3, device="cpu", overrides=overrides, shared=lambda: [frame, frame.clone(), frame + 0])
    expected = fit_image(frame, plan, options)
    fit = SharedFit(plan, shared)
    for _ in range(2):
        assert torch.equal(fit.denoise(frame.clone()).image, expected.image)


def test_a_stack_of_one_frame_has_one_fit():
    noisy, options = stack(1), {"recipe": "instant", "max_steps": 3, **CPU}
    np.testing.assert_array_equal(denoise(noisy, fit="shared", **options), denoise(noisy, **options))


def test_the_steps_see_the_frames_in_turn_and_are_as_many_as_for_one(monkeypatch):
    seen, steps, frames = [], [], images()
    from torchdenoise.denoisers import ZSN2N

    whole = ZSN2N.loss_batch
    monkeypatch.setattr(
        ZSN2N, "loss_batch", lambda model, batch, index: seen.append(batch["noisy"]) or whole(model, batch, index)
    )
    options = Options(max_steps=7, device="cpu", shared=lambda: frames, progress=lambda step, all_: steps.append(step))
    fit = SharedFit(load_recipe("zsn2n"), options)
    results = [fit.denoise(frame).image for frame in frames]
    assert [next(number for number, frame in enumerate(frames) if frame is each) for each in seen] == [
        0,
        1,
        2,
        0,
        1,
        2,
        0,
    ]
    assert steps == list(range(1, 8))
    again = SharedFit(load_recipe("zsn2n"), options)
    for frame, result in reversed(list(zip(frames, results, strict=True))):  # in any order
        assert torch.equal(again.denoise(frame).image, result)


def test_a_shared_fit_is_one_fit_and_no_worse(monkeypatch):
    from torchdenoise.fitting import shared as shared_module

    fits = []
    make = shared_module.make_trainer
    monkeypatch.setattr(shared_module, "make_trainer", lambda *given: fits.append(1) or make(*given))
    clean = scene(channels=1)[..., 0]
    errors = [
        np.square(denoise(stack(), recipe="instant", max_steps=30, fit=fit, **CPU) / 255.0 - clean).mean()
        for fit in ("each", "shared")
    ]
    assert len(fits) == 1
    assert errors[1] < 1.1 * errors[0]


def test_channels_apart_have_a_fit_each(monkeypatch):
    from torchdenoise.fitting import shared as shared_module

    fits = []
    make = shared_module.make_trainer
    monkeypatch.setattr(shared_module, "make_trainer", lambda *given: fits.append(1) or make(*given))
    noisy = np.stack([stack(2), stack(2)[::-1]])
    result = denoise(noisy, "zsn2n", axes="CTYX", channels="apart", fit="shared", max_steps=2, device="cpu")
    assert (result.shape, len(fits)) == (noisy.shape, 2)


def test_correlated_noise_has_a_network_for_each_scale():
    noise = correlated_noise()
    frame = np.clip(0.5 + 0.1 * noise / noise.std(), 0, 1)[..., :1]
    frames = np.stack([np.roll(frame, (number, 3 * number), (0, 1))[:96, :96, 0] for number in range(2)])
    options = {"axes": "TYX", "device": "cpu", "recipe": "instant", "max_steps": 3, "data_range": 1.0}
    alone = denoise(frames.astype(np.float32), fit="shared", **options)
    beside = denoise(frames.astype(np.float32), fit="shared", neighbours=1, **options)
    for result in (alone, beside):
        assert np.isfinite(result).all()
        assert (result.std((1, 2)) < 0.8 * frames.std((1, 2))).all()
    assert np.abs(alone - beside).max() > 1e-3


def test_the_frames_of_the_fit_are_bounded_and_spread(monkeypatch):
    planes = ArrayPlanes(
        np.arange(100, dtype=np.float32).reshape(100, 1, 1) * np.ones((1, 9, 8), np.float32), Axes("TYX")
    )
    (group,) = frame_groups(planes)
    frames = group.to_fit()
    assert len(frames) == frames_module.FITTED
    first, last = frames[0].max().item(), frames[-1].max().item()
    assert (first, last) == (0, 1)
    monkeypatch.setattr(frames_module, "FITTED_VALUES", 5 * 72)
    assert len(group.to_fit()) == 5
    monkeypatch.setattr(frames_module, "FITTED_VALUES", 1)
    assert len(group.to_fit()) == 1


def test_small_frames_are_mirrored():
    noisy = random_pixels((3, 5, 6))
    assert denoise(noisy, "zsn2n", fit="shared", max_steps=1, **CPU).shape == noisy.shape
    tiny = random_pixels((3, 1, 1), "float32")
    assert denoise(tiny, "zsn2n", fit="shared", max_steps=1, **CPU).shape == tiny.shape


def test_a_budget_chooses_the_steps_of_the_shared_fit():
    messages, frames = [], images()
    from torchdenoise.fitting import restorer

    options = Options(device="cpu", budget=0.01, shared=lambda: frames, on_message=messages.append)
    results = restorer("zsn2n", None, options)(frames)
    assert all(isinstance(result, Fitted) for result in results)
    assert len(messages) == 1
    assert "chosen for a budget of 0.01 s" in messages[0]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("tv", "fits no network that frames could share: leave fit='shared' \\(--fit shared\\) out"),
        ("mash", "MASH fits its network to one image only"),
        ("noise2fast", "Noise2Fast fits its network to one image only"),
    ],
)
def test_methods_whose_network_cannot_be_shared_say_so(recipe, message):
    with pytest.raises(RecipeError, match=message):
        denoise(stack(), recipe, fit="shared", **CPU)


def test_a_readout_during_the_fit_cannot_be_shared():
    with pytest.raises(RecipeError, match="RunningMean reads the result during the fit to one image"):
        denoise(stack(), "zsn2n", fit="shared", readout=RunningMean(), **CPU)


@pytest.mark.parametrize(
    ("noisy", "options", "message"),
    [
        (stack(), {"axes": "TYX", "fit": "one"}, "fit='one': give 'each' or 'shared'"),
        (stack(), {"axes": "TYX", "neighbours": -1}, "neighbours=-1: must be at least 0"),
        (stack()[0], {"fit": "shared"}, "fit='shared' is for stacks: give axes such as TYX"),
        (stack()[0], {"neighbours": 2}, "neighbours=2 is for stacks: give axes such as TYX"),
        (torch.rand(2, 1, 9, 8), {"fit": "shared"}, "fit='shared' is for stacks"),
        (
            stack(),
            {"axes": "TYX", "neighbours": 1, "recipe": "zsn2n"},
            "ZSN2N with OnePass looks for no similar patches",
        ),
        (stack(), {"axes": "TYX", "neighbours": 1, "recipe": "tv"}, "looks for no similar patches"),
    ],
)
def test_what_cannot_be_done_is_said(noisy, options, message):
    with pytest.raises(UserError, match=message):
        denoise(noisy, device="cpu", **options)


# -- neighbours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "place", "expected"),
    [
        ("TYX", 0, [1, 2]),
        ("TYX", 2, [0, 1, 3, 4]),
        ("ZCYX", 1, [0, 2, 3]),
        ("TZYX", 7, [2, 5, 6, 8, 9, 12]),  # both axes; (1, 2) of (3, 5)
        ("PYX", 1, []),  # positions have nothing in common
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_each_frame_is_given_its_neighbours(letters, place, expected, together):
    sizes = {"T": 3 if "Z" in letters else 5, "Z": 5 if "T" in letters else 4, "C": 2, "P": 3, "Y": 9, "X": 8}
    array = random_pixels(tuple(sizes[letter] for letter in letters), "float32")
    seen = []

    def make(group):
        def restore(images, neighbours):
            seen.append((images[0], neighbours[0]))
            return [Fitted(images[0])]

        return restore

    planes = ArrayPlanes(array, Axes(letters))
    groups = frame_groups(planes, "together" if together else "apart", data_range=1.0)
    list(denoise_frames(groups, make, neighbours=2))
    step = len(groups)
    image, found = seen[place * step]
    every = [image for image, _ in seen[::step]]
    assert torch.equal(image, every[place])
    assert sorted(next(at for at, one in enumerate(every) if torch.equal(one, each)) for each in found) == expected


def test_neighbours_are_read_once(monkeypatch):
    planes = ArrayPlanes(stack(8), Axes("TYX"))
    read, whole = [], planes.read
    monkeypatch.setattr(planes, "read", lambda number: read.append(number) or whole(number))
    groups = frame_groups(planes)
    list(denoise_frames(groups, lambda group: lambda images, near: [Fitted(images[0])], neighbours=2))
    assert sorted(read) == list(range(8))


def test_neighbours_make_the_result_better():
    clean = scene(48, 56, channels=1)[..., 0]
    random = np.random.default_rng(0)
    noisy = np.stack([clean + random.normal(0, 0.1, clean.shape) for _ in range(3)]).astype(np.float32)
    options = {"recipe": "instant", "max_steps": 20, "fit": "shared", "data_range": 1.0, **CPU}
    errors = [np.square(denoise(noisy, neighbours=reach, **options) - clean).mean() for reach in (0, 1)]
    assert errors[1] < 0.97 * errors[0]


def test_neighbours_in_batches_are_those_of_each():
    noisy = stack(3)
    options = {"recipe": "instant", "max_steps": 2, "neighbours": 1, **CPU}
    difference = denoise(noisy, **options).astype(float) - denoise(noisy, batch=2, **options)
    assert np.abs(difference).max() <= 1


def test_a_checkpoint_looks_at_neighbours_too():
    path = Path(__file__).parents[1] / "checkpoints" / "fast.ckpt"
    noisy = stack(3)
    alone, beside = (denoise(noisy, checkpoint=path, neighbours=reach, **CPU).astype(float) for reach in (0, 1))
    assert np.abs(alone - beside).max() > 1
    with pytest.raises(RecipeError, match="applied without a fit: leave fit='shared'"):
        denoise(noisy, checkpoint=path, fit="shared", **CPU)
