"""Demosaicking: three colours a pixel from a sensor that has one, in the pattern RGGB."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

RGGB = ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1))
"""The colour that the pixels of each cell of 2x2 have, as colour, row and column."""
CORNERS = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
CROSS = ((0, 1, 0), (1, 4, 1), (0, 1, 0))
GREEN = ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0))
ALONG = ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0))
ACROSS = ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0))

Demosaicking = Callable[[Tensor], Tensor]
"""From light ``(B, 3, H, W)`` in all three colours, of which it uses one a pixel, to a picture of that shape."""


def bilinear(light: Tensor) -> Tensor:
    """Return each colour as the mean of the nearest pixels that have it.

    Example:
        >>> bilinear(torch.full((1, 3, 4, 4), 0.5)).unique()
        tensor([0.5000])
    """
    mask = torch.zeros_like(light)
    for colour, row, column in RGGB:
        mask[:, colour, row::2, column::2] = 1
    kernels = torch.stack([torch.tensor(kernel) / 4 for kernel in (CORNERS, CROSS, CORNERS)])[:, None].to(light)
    return F.conv2d(F.pad(light * mask, (1, 1, 1, 1), mode="reflect"), kernels, groups=3)


def gradient_corrected(light: Tensor) -> Tensor:
    """Return each colour as that mean, corrected by how the pixel's own colour differs from its neighbours.

    Malvar, He and Cutler, High-quality linear interpolation for demosaicing, ICASSP 2004, figure 2. Colours change
    together in a photograph; here their noise does, too.

    Example:
        >>> gradient_corrected(torch.full((1, 3, 6, 6), 0.5)).unique()
        tensor([0.5000])
    """
    mosaic = torch.zeros_like(light[:, :1])
    for colour, row, column in RGGB:
        mosaic[:, 0, row::2, column::2] = light[:, colour, row::2, column::2]
    along = torch.tensor(ALONG)
    kernels = torch.stack([torch.tensor(GREEN), along, along.T, torch.tensor(ACROSS)])[:, None].to(light) / 8
    green, rows, columns, diagonals = F.conv2d(F.pad(mosaic, (2, 2, 2, 2), mode="reflect"), kernels).unbind(1)
    result = mosaic.repeat(1, 3, 1, 1)
    for row, column in ((0, 0), (1, 1)):  # red and blue
        result[:, 1, row::2, column::2] = green[:, row::2, column::2]
        result[:, 2 * (1 - row), row::2, column::2] = diagonals[:, row::2, column::2]
    for row, column in ((0, 1), (1, 0)):  # green, with red or blue in the same row
        result[:, 2 * row, row::2, column::2] = rows[:, row::2, column::2]
        result[:, 2 * (1 - row), row::2, column::2] = columns[:, row::2, column::2]
    return result
