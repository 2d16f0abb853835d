"""Local pixel shuffling in flat image regions, which decorrelates the noise there."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

SOURCE = "Chihaoui & Favaro, Masked and Shuffled Blind Spot Denoising, CVPR 2024"


class LocalShuffle(Registered, nn.Module, ABC, kind="shuffles"):
    """Permutes the pixels within flat tiles of an image; a subclass decides which tiles are flat.

    The image is unchanged until ``settle`` draws the permutation, which all channels share and checkpoints hold.
    Incomplete tiles at the bottom and right border are never shuffled.

    Keep constructor arguments that are objects as attributes of the same name: checkpoints describe them from there.

    Args:
        after: when to draw the permutation, as a share of the stage's steps.
        tile: side of the tiles in pixels.

    Raises:
        UserError: ``after`` outside 0..1 or ``tile`` below 2.
    """

    def __init__(self, after: float, tile: int = 4) -> None:
        super().__init__()
        if not 0 <= after <= 1 or tile < 2:
            raise UserError(f"{type(self).__name__}: after {after} must lie in 0..1 and tile {tile} be at least 2")
        self.after = after
        self.tile = tile
        self.order: Tensor | None = None

    @abstractmethod
    def flat(self, clean: Tensor) -> Tensor:
        """Return which tiles of ``(B, C, H, W)`` are flat, as ``(B, C or 1, H // tile, W // tile)``."""

    def settle(self, clean: Tensor, generator: Generator) -> None:
        """Draw the permutation of the flat tiles of a nearly clean image ``(B, C, H, W)``."""
        height, width = clean.shape[-2:]
        indices = torch.arange(height * width, device=clean.device).view(1, 1, height, width)
        tiles = split_tiles(indices, self.tile)
        keys = torch.rand((len(clean), *tiles.shape[1:]), generator=generator, device=clean.device)
        shuffled = tiles.expand_as(keys).gather(-1, keys.argsort(-1))
        chosen = torch.where(self.flat(clean)[..., None], shuffled, tiles)
        order = indices.repeat(len(clean), chosen.shape[1], 1, 1)
        inner = merge_tiles(chosen)
        order[..., : inner.shape[-2], : inner.shape[-1]] = inner
        self.order = order

    @override
    def forward(self, noisy: Tensor) -> Tensor:
        """Return the permuted image ``(B, C, H, W)``, or the image itself before ``settle``."""
        if self.order is None:
            return noisy
        order = self.order.to(noisy.device).expand(noisy.shape)
        return noisy.flatten(-2).gather(-1, order.flatten(-2)).view_as(noisy)

    @override
    def get_extra_state(self) -> Tensor | None:
        """Return the permutation."""
        return self.order

    @override
    def set_extra_state(self, state: Tensor | None) -> None:
        """Restore the permutation."""
        self.order = state


class TileShuffle(LocalShuffle, source=f"{SOURCE}, the paper"):
    """The paper's rule: a channel of a tile is flat if its standard deviation is below a threshold.

    Args:
        after: when to draw the permutation, as a share of the stage's steps; 0.125 is step 100 of 800.
        tile: side of the tiles in pixels.
        deviation: threshold for images in 0..1; provisional: the paper's value is not known to us.

    Example:
        >>> half = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 8)
        >>> TileShuffle().flat(half)
        tensor([[[[ True, False]]]])
    """

    def __init__(self, after: float = 0.125, tile: int = 4, deviation: float = 0.02) -> None:
        super().__init__(after, tile)
        self.deviation = deviation

    @override
    def flat(self, clean: Tensor) -> Tensor:
        """Return which tiles of each channel are flat, ``(B, C, H // tile, W // tile)``."""
        return deviation(split_tiles(clean, self.tile)) < self.deviation


class CellShuffle(LocalShuffle, source=f"{SOURCE}, the published code"):
    """The published code's rule: a tile is flat if none of its 2x2 cells varies much, relative to the image's cells.

    Cells are those of the channel mean.

    Args:
        after: when to draw the permutation, as a share of the stage's steps; 0.0625 is step 50 of 800.
        tile: side of the tiles in pixels; even.
        relative: threshold, as a fraction of the largest standard deviation of any cell of the image.

    Raises:
        UserError: an odd ``tile``.

    Example:
        >>> half = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 8)
        >>> CellShuffle().flat(half)
        tensor([[[[ True, False]]]])
    """

    def __init__(self, after: float = 0.0625, tile: int = 4, relative: float = 0.5) -> None:
        super().__init__(after, tile)
        if tile % 2:
            raise UserError(f"CellShuffle: tile {tile} must be even")
        self.relative = relative

    @override
    def flat(self, clean: Tensor) -> Tensor:
        """Return which tiles are flat, ``(B, 1, H // tile, W // tile)``."""
        cells = deviation(split_tiles(clean.mean(1, keepdim=True), 2))
        flat = cells < self.relative * cells.amax((-2, -1), keepdim=True)
        return split_tiles(flat, self.tile // 2).all(-1)


def deviation(tiles: Tensor) -> Tensor:
    """Return the standard deviation of each tile; unlike ``Tensor.std`` it does not warn if there is no tile.

    Example:
        >>> deviation(torch.tensor([1.0, 5.0])).item()
        2.0
    """
    return (tiles - tiles.mean(-1, keepdim=True)).square().mean(-1).sqrt()


def split_tiles(image: Tensor, side: int) -> Tensor:
    """Return the complete tiles of ``(B, C, H, W)`` as ``(B, C, H // side, W // side, side * side)``.

    Example:
        >>> split_tiles(torch.arange(6).view(1, 1, 2, 3), 2)
        tensor([[[[[0, 1, 3, 4]]]]])
    """
    # Not by pixel_unshuffle: it returns too few channels for an image smaller than a tile.
    (batch, channels), (rows, columns) = image.shape[:2], (size // side for size in image.shape[-2:])
    inner = image[..., : rows * side, : columns * side].reshape(batch, channels, rows, side, columns, side)
    return inner.transpose(-3, -2).flatten(-2)


def merge_tiles(tiles: Tensor) -> Tensor:
    """Return the image of the tiles; the inverse of ``split_tiles``.

    Example:
        >>> image = torch.rand(1, 3, 4, 8)
        >>> torch.equal(merge_tiles(split_tiles(image, 4)), image)
        True
    """
    return F.pixel_shuffle(tiles.movedim(-1, 2).flatten(1, 2), math.isqrt(tiles.shape[-1]))
