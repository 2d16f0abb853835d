"""Offsets that all pixels of a row or of a column share: how large they are, and an image without them.

Sensors and scanners read rows or columns one after the other, each with an offset of its own. A high-pass filter across
the rows takes out what changes slowly from row to row. What is then common to distant parts of a row is its offset:
noise of pixels is not, and structure is so in few rows only, which medians ignore.
"""

from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

BLOCKS = 16
"""Parts of a row that are compared, if they are wide enough."""
MIN_BLOCK = 7
"""Their least width, in pixels."""
MIN_BLOCKS = 4
"""Fewer of them tell nothing."""
MIN_ROWS = 16
"""Fewer of them tell nothing."""
FILTER_GAIN = 1.5
"""Variance of white noise after the high-pass filter."""
MEDIAN_SQUARE = 0.455
"""Median of the square of a normal variable of variance 1."""
MEDIAN_ERROR = 2.33
"""Standard deviation of a variance that is found from the median of N independent squares, times the root of N."""
MIN_SIGNIFICANCE = 8.0
"""Standard errors by which offsets stand out from the noise of the pixels."""
MIN_COHERENCE = 0.25
"""Part of the variance within one block's rows that their offsets explain; structure explains the rest."""
LAGS = 6
"""Rows above and below that each row is compared with."""
OUTLIER = 2.5
"""Deviation beyond which a difference of rows is an edge of the picture."""
REWEIGHTINGS = 3
"""Rounds of leaving out edges."""
ITERATIONS = 60
"""Of conjugate gradients, for the offsets."""


class StripeNoise(NamedTuple):
    """Standard deviations of the offsets of rows and of columns, in units of the image; 0 where none are clear."""

    rows: float
    columns: float
    row_significance: float
    """Standard errors by which they stand out from the noise of the pixels."""
    column_significance: float


def row_column_noise(image: Tensor) -> StripeNoise:
    """Return how much rows and columns are offset, beyond what noise of pixels and structure explain.

    Args:
        image: ``(1, C, H, W)`` of any size and range.

    Source: a heuristic of this project; the model of the noise is that of EMVA Standard 1288.

    Example:
        >>> noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> found = row_column_noise(noise + torch.linspace(0, 500, 64).sin()[:, None])
        >>> 0.6 < found.rows < 0.8, found.columns
        (True, 0.0)
    """
    pixels = image[0].detach().float()
    rows, row_significance = _offset_deviation(pixels)
    columns, column_significance = _offset_deviation(pixels.transpose(1, 2))
    return StripeNoise(rows, columns, row_significance, column_significance)


class _Offsets(NamedTuple):
    variance: float
    """Of the offsets."""
    within: float
    """Of the rows of one block, without them."""
    significance: float
    blocks: int
    width: int
    """Of a block."""


def _measure(pixels: Tensor) -> _Offsets | None:
    """Return the variance of the rows' offsets of ``(C, H, W)``; None if the image is too small."""
    height, width = pixels.shape[1:]
    blocks = min(BLOCKS, width // MIN_BLOCK)
    if blocks < MIN_BLOCKS or height < MIN_ROWS:
        return None
    side = (width // blocks - 1) // 2 * 2 + 1  # odd, for the median
    used = pixels.unfold(2, side, width // blocks)[:, :, :blocks]
    filtered = used[:, 1:-1] - (used[:, :-2] + used[:, 2:]) / 2
    medians = filtered.median(-1).values.flatten(0, 1)  # (C * (H - 2), blocks)
    total, squares = medians.sum(1), medians.square().sum(1)
    beside = (medians[:, 1:] * medians[:, :-1]).sum(1)
    common = (total.square() - squares - 2 * beside) / ((blocks - 1) * (blocks - 2))
    within = ((squares - total.square() / blocks) / (blocks - 1)).median().item()
    # The median of (variance + within / blocks) chi^2 - within / blocks.
    variance = (common.median().item() + (1 - MEDIAN_SQUARE) * within / blocks) / MEDIAN_SQUARE
    error = MEDIAN_ERROR * within / blocks / sqrt(height / 2)
    significance = variance / error if error > 0 else 0.0
    return _Offsets(max(variance, 0.0) / FILTER_GAIN, within / FILTER_GAIN, significance, blocks, side)


def _offset_deviation(pixels: Tensor) -> tuple[float, float]:
    measured = _measure(pixels)
    if measured is None:
        return 0.0, 0.0
    clear = measured.significance >= MIN_SIGNIFICANCE
    coherent = measured.variance >= MIN_COHERENCE * measured.within
    return (sqrt(measured.variance) if clear and coherent else 0.0), measured.significance
