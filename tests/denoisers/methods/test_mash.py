"""MASH: flat tiles and their shuffling against loops, what the probes decide, the three stages."""

import math
from typing import ClassVar

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import (
    MASH,
    CappedRemoval,
    CellShuffle,
    MaskedLoss,
    MaskedMean,
    MaskingRatio,
    N2NUNet,
    TileShuffle,
)
from torchdenoise.denoisers.parts.masking import random_mask
from torchdenoise.fitting import HYGIENE, Options, fit_image, fit_shared
from torchdenoise.noise import seeded
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.building import build_fit
from torchdenoise.registry import build


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=1, channels=3, height=12, width=16):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def half_flat(channels=3, height=13, width=18):
    """Busy on the left, flat on the right."""
    clean = image(1, channels, height, width)
    clean[..., width // 2 :] = 0.5
    return clean


# -- shuffling -------------------------------------------------------------------------------------------------------


def slow_tile_flat(clean, tile, deviation):
    height, width = clean.shape[-2:]
    flat = np.zeros((*clean.shape[:2], height // tile, width // tile), dtype=bool)
    for number, channel, row, column in np.ndindex(flat.shape):
        part = clean[number, channel, tile * row : tile * row + tile, tile * column : tile * column + tile]
        flat[number, channel, row, column] = part.std() < deviation
    return flat


def slow_cell_flat(clean, tile, relative):
    grey = clean.mean(axis=1)
    height, width = grey.shape[-2:]
    cells = np.zeros((len(grey), height // 2, width // 2))
    for number, row, column in np.ndindex(cells.shape):
        cells[number, row, column] = grey[number, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].std()
    flat = np.zeros((len(grey), 1, height // tile, width // tile), dtype=bool)
    for number, _, row, column in np.ndindex(flat.shape):
        step = tile // 2
        part = cells[number, step * row : step * row + step, step * column : step * column + step]
        flat[number, 0, row, column] = (part / cells[number].max() < relative).all()
    return flat


@pytest.mark.parametrize("size", [(12, 16), (13, 18), (7, 9), (3, 8)])
def test_flat_tiles_against_loops(size):
    clean = image(2, 3, *size) * torch.linspace(0.0, 1.0, size[1])
    for deviation in (0.05, 0.15):
        flat = TileShuffle(deviation=deviation).flat(clean)
        np.testing.assert_array_equal(flat.numpy(), slow_tile_flat(clean.numpy(), 4, deviation))
    for relative in (0.3, 0.6):
        flat = CellShuffle(relative=relative).flat(clean)
        np.testing.assert_array_equal(flat.numpy(), slow_cell_flat(clean.numpy(), 4, relative))


def tiles_of(picture, tile=4):
    rows, columns = (size // tile for size in picture.shape[-2:])
    for row, column in np.ndindex(rows, columns):
        yield picture[..., tile * row : tile * row + tile, tile * column : tile * column + tile]


@pytest.mark.parametrize("shuffle", [TileShuffle(), CellShuffle(relative=0.1)])
def test_only_flat_tiles_are_shuffled_inside_themselves_and_all_channels_alike(shuffle):
    shuffle, clean, noisy = build(shuffle.recipe()), half_flat(), image(1, 3, 13, 18)
    assert torch.equal(shuffle(noisy), noisy)  # not settled yet
    shuffle.settle(clean, generator())
    shuffled = shuffle(noisy)
    moved = 0
    for flat, before, after in zip(tiles_of(clean), tiles_of(noisy), tiles_of(shuffled), strict=True):
        if flat.std(dim=(-2, -1)).max() > 0.02:
            assert torch.equal(after, before)
            continue
        pixels = {tuple(pixel) for pixel in before.flatten(-2)[0].T.tolist()}
        assert {tuple(pixel) for pixel in after.flatten(-2)[0].T.tolist()} == pixels
        moved += not torch.equal(after, before)
    assert moved == 3  # the flat part has one whole column of tiles
    assert torch.equal(shuffled[..., 12:, :], noisy[..., 12:, :])
    assert torch.equal(shuffled[..., 16:], noisy[..., 16:])
    assert torch.equal(shuffle(noisy), shuffled)  # the same order ever after


def test_a_channel_that_is_not_flat_keeps_its_order():
    clean, noisy = torch.full((1, 2, 4, 4), 0.5), image(1, 2, 4, 4)
    clean[0, 1] = noisy[0, 1]
    shuffle = TileShuffle()
    shuffle.settle(clean, generator())
    assert not torch.equal(shuffle(noisy)[:, 0], noisy[:, 0])
    assert torch.equal(shuffle(noisy)[:, 1], noisy[:, 1])


def test_every_order_of_a_tile_is_possible_and_each_tile_has_its_own():
    shuffle, clean = TileShuffle(), torch.zeros(1, 1, 200, 200)
    shuffle.settle(clean, generator())
    places = shuffle(torch.arange(40_000.0).view(1, 1, 200, 200)).long()
    rows, columns = places // 200 % 4, places % 200 % 4
    counts = torch.bincount((4 * rows + columns)[..., ::4, ::4].flatten(), minlength=16)  # what came to the first place
    assert counts.sum() == 2500
    assert (counts - 2500 / 16).abs().max() < 5 * 12.5


@pytest.mark.parametrize(
    "make", [lambda: TileShuffle(after=1.5), lambda: TileShuffle(tile=1), lambda: CellShuffle(tile=3)]
)
def test_bad_shuffles(make):
    with pytest.raises(UserError, match=r"TileShuffle: after|CellShuffle: tile 3 must be even"):
        make()


# -- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("difference", "share"), [(0, 0.2), (1.4, 0.2), (1.6, 0.5), (2.4, 0.5), (2.6, 0.8), (9, 0.8), (math.nan, 0.5)]
)
def test_the_ratio_by_the_paper_s_limits(difference, share):
    assert MaskingRatio()(difference) == share


def test_limits_in_the_wrong_order():
    with pytest.raises(UserError, match=r"independent 3\.0 must not be above correlated 2\.5"):
        MaskingRatio(independent=3.0)


# -- the three stages ------------------------------------------------------------------------------------------------

STEPS = 9


class Spy(MaskedLoss):
    """Keeps what each step was told."""

    seen: ClassVar[list] = []

    def forward(self, denoise, batch, draws, progress):
        self.seen.append((self.hidden, batch.get("target"), batch["noisy"]))
        return super().forward(denoise, batch, draws, progress)


def data_of(noisy):
    data = SingleImage()
    data.use(noisy)
    return data


def trainer(steps=STEPS, **options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})


def mash(limits=(1.5, 2.5), passes=1, **options):
    torch.manual_seed(0)
    ratio = MaskingRatio(independent=limits[0], correlated=limits[1], passes=passes)
    shuffle = TileShuffle(after=0.4, deviation=1.0)
    return MASH(N2NUNet(width=2), Spy(), ratio, shuffle, readout=MaskedMean(4), **options)


def fitted(noisy, steps=STEPS, ckpt_path=None, **options):
    Spy.seen.clear()
    model, used = mash(**options), trainer(steps)
    torch.manual_seed(1)
    used.fit(model, data_of(noisy), ckpt_path=ckpt_path)
    return model, used


@pytest.mark.parametrize(
    ("limits", "share", "shuffled"), [((1e3, 2e3), 0.2, False), ((-1, 1e3), 0.5, False), ((-2, -1), 0.8, True)]
)
def test_the_final_stage_does_what_the_probes_decide(limits, share, shuffled):
    noisy = image()
    model, _ = fitted(noisy, limits=limits)
    shares = [hidden for hidden, _, _ in Spy.seen]
    assert shares == [0.8] * 3 + [0.2] * 3 + [share] * 3
    assert model.active_readout().hidden == share
    targets = [target for _, target, _ in Spy.seen]
    assert targets[:6] == [None] * 6
    assert torch.equal(targets[6], noisy)
    for target in targets[7:]:  # 0.4 of three steps
        assert torch.equal(target, noisy) is not shuffled
        assert torch.equal(target.flatten(1).sort().values, noisy.flatten(1).sort().values)


class Weights(lightning.Callback):
    def __init__(self):
        self.before = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        networks = (pl_module.high_probe, pl_module.low_probe, pl_module.network)
        self.before.append([torch.cat([p.detach().flatten() for p in network.parameters()]) for network in networks])


def test_three_networks_from_scratch_learn_one_after_the_other():
    model, weights = mash(), Weights()
    trainer(callbacks=[weights]).fit(model, data_of(image()))
    start = weights.before[0]
    assert not torch.equal(start[0], start[1])
    assert not torch.equal(start[1], start[2])
    moved = [
        [not torch.equal(first, second) for first, second in zip(*pair, strict=True)]
        for pair in zip(weights.before, weights.before[1:], strict=False)
    ]
    assert moved == [[True, False, False]] * 3 + [[False, True, False]] * 3 + [[False, False, True]] * 2


@pytest.mark.parametrize("passes", [1, 3])
def test_the_noise_that_a_probe_leaves(passes):
    noisy = image(1, 3, 32, 32)
    model, _ = fitted(noisy, passes=passes)
    seed = model._seed
    for number, (probe, share, step) in enumerate([(model.high_probe, 0.8, 3), (model.low_probe, 0.2, 6)]):
        source, total = seeded(seed, step), 0.0
        with torch.no_grad():
            for _ in range(passes):
                total += probe(noisy * random_mask(noisy, share, source)).numpy() / passes
        expected = 255 * np.sqrt(np.mean((total - noisy.numpy()) ** 2))
        assert model.noises[number].item() == pytest.approx(expected, rel=1e-4)
    assert model.difference == pytest.approx(abs(model.noises[0] - model.noises[1]).item())


@pytest.mark.parametrize("killed_at", [4, 7, 8])
def test_a_fit_that_goes_on_ends_with_the_same_picture(tmp_path, killed_at):
    noisy, limits = image(1, 3, 9, 14), (-2, -1)

    class Save(lightning.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if trainer.global_step == killed_at:
                trainer.save_checkpoint(tmp_path / "killed.ckpt")

    torch.manual_seed(0)
    straight = mash(limits)
    used = trainer(callbacks=[Save()])
    torch.manual_seed(1)
    used.fit(straight, data_of(noisy))
    resumed, again = fitted(noisy, limits=limits, ckpt_path=tmp_path / "killed.ckpt")
    assert torch.equal(resumed.shuffle.order, straight.shuffle.order)
    assert torch.equal(resumed.noises, straight.noises)
    assert torch.equal(resumed.restore(noisy), straight.restore(noisy))
    again.save_checkpoint(tmp_path / "end.ckpt")
    loaded = MASH.load(tmp_path / "end.ckpt")
    torch.manual_seed(1)  # of which the masks of the readout are a function
    (predicted,) = trainer().predict(loaded, data_of(noisy))
    assert torch.equal(predicted, straight.restore(noisy))


def test_a_second_picture_begins_anew():
    model, _ = fitted(image(1, 3, 9, 14), limits=(-2, -1))
    torch.manual_seed(0)
    trainer().fit(model, data_of(image(1, 3, 12, 8)))
    assert model.shuffle.order.shape[-2:] == (12, 8)


def test_every_readout_of_one_fit_hides_the_share_that_was_found():
    recipes = [load_recipe("mash") for _ in range(3)]
    recipes[1]["model"]["init_args"]["readout"]["init_args"] = {"passes": 3}
    recipes[2]["model"]["init_args"]["readout"] = {"class_path": "CappedRemoval", "init_args": {"inner": "MaskedMean"}}
    overrides = [f"model.{each}" for each in ("network.width=12", "ratio.independent=1000", "ratio.correlated=2000")]
    options = Options(max_steps=6, device="cpu", overrides=overrides)
    together = fit_shared(image(), [(recipe, options) for recipe in recipes])
    assert len({fitted_together.image.std().item() for fitted_together in together}) == 3
    for recipe, fitted_together in zip(recipes, together, strict=True):
        assert torch.equal(fitted_together.image, fit_image(image(), recipe, options).image)
    model = mash()
    model.readout = CappedRemoval(MaskedMean(2))
    model.noises.copy_(torch.tensor([9.0, 9.5]))
    assert model.active_readout().inner.hidden == 0.2


def test_its_size():
    model = MASH()
    assert sum(p.numel() for p in model.network.parameters()) == 991_203
    assert sum(p.numel() for p in model.parameters()) == 3 * 991_203


@pytest.mark.parametrize("recipe", ["mash", "mash-code"])
def test_it_denoises_one_picture_of_odd_size(recipe):
    noisy, clean = noisy_scene(30, 33, sigma=50).astype(np.float32), scene(30, 33)
    overrides = ["model.network.width=12", "model.optimizer.lr=0.003"]
    restored = denoise(noisy, recipe, max_steps=300, overrides=overrides, device="cpu", data_range=1)
    assert restored.shape == noisy.shape
    assert np.square(restored - clean).mean() < 0.6 * np.square(noisy - clean).mean()


def test_grey_pictures_and_crops():
    noisy = noisy_scene(9, 10, 1)[..., 0].astype(np.float32)
    assert denoise(noisy, "mash", max_steps=3, overrides=["model.network.width=2"], device="cpu").shape == (9, 10)
    with pytest.raises(UserError, match="MASH is fitted to one whole picture"):
        denoise(noisy, "mash", max_steps=3, overrides=["data.crop=8"], device="cpu")


def test_its_networks_begin_as_pytorch_does():
    """Its code leaves out Noise2Noise's own start, which is He's."""
    for network in (MASH().network, *(build_fit(load_recipe(name)).model.network for name in ("mash", "mash-code"))):
        assert network.arguments["he"] is False
