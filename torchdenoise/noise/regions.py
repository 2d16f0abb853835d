"""Where an image shows its noise: not in letterboxes, data bars, dead blocks, padding or saturated areas."""

import torch
from torch import Tensor
from torch.nn.functional import pad

SIDE = 5
"""Side of the smallest square that counts as constant, in pixels."""
RUN = 8
"""Length of equal values along a row or column from which on several of them are padding."""
MARGIN = 1
"""Pixels around constant areas that do not count, either."""
MIN_SHARE = 0.01
"""Share of the image; less of it cannot speak for the rest."""
MIN_SINGLE = 4
"""Single values in constant surroundings that show that constant values are counts of zero, or clipped noise."""
EXPECTED_SINGLE = 40.0
"""Single values to expect in the smallest empty square that then counts as constant."""
MAX_VALUES = 8
"""The most common values of constant areas, each of which may have single values in it."""


def informative_pixels(image: Tensor) -> Tensor:
    """Return where an image shows its noise.

    Constant areas do not: connected ones of at least 5x5 pixels, and rows or columns that are constant side by side, as
    padding makes them. Constant areas with single values scattered in them do, because they are dark fields of few
    photons or clipped noise. Where constant areas are less than 1 % of the image, all of it counts.

    Args:
        image: ``(1, C, H, W)`` of any size and range.

    Returns:
        bool ``(1, 1, H, W)``.

    Source: a heuristic of this project.

    Example:
        >>> image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
        >>> image[..., :10] = 0
        >>> informative_pixels(image)[0, 0].float().mean(0)[8:13]
        tensor([0., 0., 0., 1., 1.])
    """
    pixels = image[0].detach()
    height, width = pixels.shape[1:]
    if min(height, width) < SIDE:
        return torch.ones(1, 1, height, width, dtype=torch.bool, device=image.device)
    beside = (pixels[:, :, 1:] == pixels[:, :, :-1]).all(0)
    below = (pixels[:, 1:] == pixels[:, :-1]).all(0)
    # Each mask says of its squares or rectangles, by their upper left corner, whether they are constant.
    squares = _all(beside, SIDE, SIDE - 1) & _all(below, SIDE - 1, SIDE)
    areas = _with_squares(squares, SIDE, SIDE, height, width)
    in_rows = _with_squares(_all(beside, SIDE, RUN - 1), SIDE, RUN, height, width)
    in_columns = _with_squares(_all(below, RUN - 1, SIDE), RUN, SIDE, height, width)
    constant = _without_counts(areas, pixels) | (in_rows | in_columns) & ~areas
    if constant.count_nonzero() < MIN_SHARE * constant.numel():
        constant = torch.zeros_like(constant)
    side = 2 * MARGIN + 1
    return ~(_count(pad(constant, 4 * [MARGIN]), side, side) > 0)[None, None]


def _count(mask: Tensor, rows: int, columns: int) -> Tensor:
    """Return how many values are true in each rectangle, by its upper left corner; empty if none fits."""
    if mask.shape[0] < rows or mask.shape[1] < columns:
        return mask.new_zeros(max(mask.shape[0] - rows + 1, 0), max(mask.shape[1] - columns + 1, 0), dtype=torch.int32)
    sums = pad(mask.int().cumsum(0, dtype=torch.int32), (0, 0, 1, 0))
    sums = pad((sums[rows:] - sums[:-rows]).cumsum(1, dtype=torch.int32), (1, 0))
    return sums[:, columns:] - sums[:, :-columns]


def _all(mask: Tensor, rows: int, columns: int) -> Tensor:
    return _count(mask, rows, columns) == rows * columns


def _with_squares(corners: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Return the pixels ``(height, width)`` in the rectangles that have these upper left corners."""
    if not corners.any():
        return torch.zeros(height, width, dtype=torch.bool, device=corners.device)
    framed = pad(corners, (columns - 1, columns - 1, rows - 1, rows - 1))
    return _count(framed, rows, columns) > 0


def _without_counts(constant: Tensor, pixels: Tensor) -> Tensor:
    """Return the constant areas, without those in which single values are scattered."""
    if not constant.any():
        return constant
    # One number for all channels of a pixel.
    weights = torch.linspace(1, 2, len(pixels), device=pixels.device, dtype=torch.float64)
    value = (pixels * weights[:, None, None]).sum(0)
    ring = [
        value[1 + y : value.shape[0] - 1 + y, 1 + x : value.shape[1] - 1 + x]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if (y, x) != (0, 0)
    ]
    single = torch.stack([neighbour == ring[0] for neighbour in ring[1:]]).all(0) & (value[1:-1, 1:-1] != ring[0])
    if single.count_nonzero() < MIN_SINGLE:
        return constant
    around = ring[0][single]
    for _ in range(MAX_VALUES):
        if len(around) < MIN_SINGLE:
            break
        common = around.mode().values
        number = (around == common).sum().item()
        around = around[around != common]
        area = constant & (value == common)
        if number < MIN_SINGLE or not area.any():
            continue
        side = max(SIDE, int((EXPECTED_SINGLE * area.sum().item() / number) ** 0.5))
        empty = _with_squares(_all(area, side, side), side, side, *area.shape) if side <= min(area.shape) else False
        constant = constant & (~area | empty)
    return constant
