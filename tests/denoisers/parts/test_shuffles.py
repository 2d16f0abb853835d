"""Flat tiles and their shuffling, against loops."""

import numpy as np
import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import CellShuffle, TileShuffle
from torchdenoise.denoisers.parts.shuffles import merge_tiles, split_tiles
from torchdenoise.stored_recipes import build


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=1, channels=3, height=12, width=16):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def half_flat(channels=3, height=13, width=18):
    """Busy on the left, flat on the right."""
    clean = image(1, channels, height, width)
    clean[..., width // 2 :] = 0.5
    return clean


@pytest.mark.parametrize("size", [(8, 12), (9, 13), (3, 9), (1, 1)])
@pytest.mark.parametrize("side", [2, 4])
def test_tiles_against_a_loop(size, side):
    picture = image(2, 3, *size)
    tiles = split_tiles(picture, side)
    rows, columns = (length // side for length in size)
    assert tiles.shape == (2, 3, rows, columns, side * side)
    for row, column in np.ndindex(rows, columns):
        expected = picture[..., side * row : side * (row + 1), side * column : side * (column + 1)]
        assert torch.equal(tiles[:, :, row, column], expected.flatten(-2))
    assert torch.equal(merge_tiles(tiles), picture[..., : rows * side, : columns * side])


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
