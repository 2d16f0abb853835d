"""Local shuffling: in flat parts of a picture, pixels change places, which takes the correlation out of their noise."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

SOURCE = "Chihaoui & Favaro, Masked and Shuffled Blind Spot Denoising, CVPR 2024"


class LocalShuffle(Registered, nn.Module, ABC, kind="shuffles"):
    """Permutes the pixels inside the flat tiles of a picture; a subclass says which ones are flat.

    It leaves the picture as it is until ``settle`` has drawn the permutation, which is the same for all channels and is
    kept in checkpoints. Incomplete tiles at the lower and right border stay as they are.

    Args:
        after: when to settle, as a share of the stage.
        tile: side of the tiles.

    Raises:
        UserError: a share outside 0..1 or a tile below 2.
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
        """Draw the permutation of the flat tiles of a nearly clean picture ``(B, C, H, W)``."""
        height, width = clean.shape[-2:]
        places = torch.arange(height * width, device=clean.device).view(1, 1, height, width)
        tiles = tiled(places, self.tile)
        keys = torch.rand((len(clean), *tiles.shape[1:]), generator=generator, device=clean.device)
        shuffled = tiles.expand_as(keys).gather(-1, keys.argsort(-1))
        chosen = torch.where(self.flat(clean)[..., None], shuffled, tiles)
        order = places.repeat(len(clean), chosen.shape[1], 1, 1)
        inner = untiled(chosen)
        order[..., : inner.shape[-2], : inner.shape[-1]] = inner
        self.order = order

    def forward(self, noisy: Tensor) -> Tensor:
        """Return the picture with its pixels in the settled order."""
        if self.order is None:
            return noisy
        order = self.order.to(noisy.device).expand(noisy.shape)
        return noisy.flatten(-2).gather(-1, order.flatten(-2)).view_as(noisy)

    def get_extra_state(self) -> Tensor | None:
        """Return the permutation."""
        return self.order

    def set_extra_state(self, state: Tensor | None) -> None:
        """Take the permutation of a checkpoint."""
        self.order = state


class TileShuffle(LocalShuffle, source=f"{SOURCE}, the paper"):
    """A channel is flat in a tile where its standard deviation there is below a threshold.

    Args:
        after: when to settle, as a share of the stage: step 100 of 800.
        tile: side of the tiles.
        deviation: the threshold, for pictures in 0..1; provisional, because we do not have the paper's value.

    Example:
        >>> half = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 8)
        >>> TileShuffle().flat(half)
        tensor([[[[ True, False]]]])
    """

    def __init__(self, after: float = 0.125, tile: int = 4, deviation: float = 0.02) -> None:
        super().__init__(after, tile)
        self.deviation = deviation

    def flat(self, clean: Tensor) -> Tensor:
        """Return which tiles of each channel are flat, ``(B, C, H // tile, W // tile)``."""
        return deviation(tiled(clean, self.tile)) < self.deviation


class CellShuffle(LocalShuffle, source=f"{SOURCE}, the published code"):
    """A tile is flat where no 2x2 cell of the mean of the channels deviates by much, as the picture's cells go.

    Args:
        after: when to settle, as a share of the stage: step 50 of 800.
        tile: side of the tiles, even.
        relative: the threshold, as a part of the largest standard deviation of any cell of the picture.

    Raises:
        UserError: an odd tile.

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

    def flat(self, clean: Tensor) -> Tensor:
        """Return which tiles are flat, ``(B, 1, H // tile, W // tile)``."""
        cells = deviation(tiled(clean.mean(1, keepdim=True), 2))
        flat = cells < self.relative * cells.amax((-2, -1), keepdim=True)
        return tiled(flat, self.tile // 2).all(-1)


def deviation(tiles: Tensor) -> Tensor:
    """Return the standard deviation of each tile; ``Tensor.std`` warns where a small picture has no tile.

    Example:
        >>> deviation(torch.tensor([1.0, 5.0])).item()
        2.0
    """
    return (tiles - tiles.mean(-1, keepdim=True)).square().mean(-1).sqrt()


def tiled(image: Tensor, side: int) -> Tensor:
    """Return the complete tiles of ``(B, C, H, W)`` as ``(B, C, H // side, W // side, side * side)``.

    Example:
        >>> tiled(torch.arange(6).view(1, 1, 2, 3), 2)
        tensor([[[[[0, 1, 3, 4]]]]])
    """
    (batch, channels), (rows, columns) = image.shape[:2], (size // side for size in image.shape[-2:])
    inner = image[..., : rows * side, : columns * side].reshape(batch, channels, rows, side, columns, side)
    return inner.transpose(-3, -2).flatten(-2)


def untiled(tiles: Tensor) -> Tensor:
    """Return the picture of the tiles.

    Example:
        >>> image = torch.rand(1, 3, 4, 8)
        >>> torch.equal(untiled(tiled(image, 4)), image)
        True
    """
    batch, channels, rows, columns, count = tiles.shape
    side = round(count**0.5)
    squares = tiles.view(batch, channels, rows, columns, side, side).transpose(-3, -2)
    return squares.reshape(batch, channels, rows * side, columns * side)
