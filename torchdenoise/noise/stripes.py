"""Offsets that all pixels of a row or of a column share: how large they are, and an image without them.

Sensors and scanners read rows or columns one after the other, each with an offset of its own. A high-pass filter across
the rows takes out what changes slowly from row to row. What is then common to distant parts of a row is its offset:
noise of pixels is not, and structure is so in few rows only, which medians ignore.
"""

from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

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
MIN_COHERENCE = 0.15
"""Variance of the offsets per variance between the blocks of a row; in photographs it is below 0.1."""
MAX_UNEVENNESS = 1.4
"""Ratio of the variances between the blocks of rows with large and with small offsets: more for strokes of type in
strong noise, seldom for photographs with true offsets (docs/results/limits.md)."""
MAX_PEAKEDNESS = 1.75
"""Mean square per square of the mean size, of the smallest nine tenths: 1.38 for normal offsets, more for few edges."""
MAX_PERIODICITY = 0.5
"""Correlation of the offsets at a distance of three or more rows; a pattern repeats."""
LAGS = 6
"""Rows above and below that each row is compared with."""
WINDOW = 15
"""Rows over which a slope of the picture is measured."""
OUTLIER = 2.5
"""Deviation beyond which a difference of rows is an edge of the picture."""
REWEIGHTINGS = 3
"""Rounds of leaving out edges."""
ITERATIONS = 30
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
        >>> noise = torch.randn(1, 1, 96, 97, generator=torch.Generator().manual_seed(0))
        >>> found = row_column_noise(noise[..., 1:] + noise[..., :1])
        >>> 0.8 < found.rows < 1.2, found.columns
        (True, 0.0)
    """
    pixels = image[0].detach().float()
    rows, row_significance = _offset_deviation(pixels)
    columns, column_significance = _offset_deviation(pixels.transpose(1, 2))
    return StripeNoise(rows, columns, row_significance, column_significance)


def remove_stripes(image: Tensor, noise: StripeNoise | None = None) -> Tensor:
    """Return an image without the offsets of its rows and columns; its mean stays.

    An offset is the most likely one, given that offsets are normal and that the picture changes slowly from row to row.
    Where offsets are small against the noise of the pixels, the most likely one is close to 0.

    Args:
        image: ``(1, C, H, W)`` of any size and range.
        noise: how large they are; measured in the image by default. Offsets of deviation 0 stay.

    Source: a heuristic of this project: medians of differences of rows, and their most likely sum.

    Example:
        >>> noise = torch.randn(1, 1, 96, 97, generator=torch.Generator().manual_seed(0))
        >>> striped = noise[..., 1:] + noise[..., :1]
        >>> bool((remove_stripes(striped) - noise[..., 1:]).square().mean() < 0.3)
        True
    """
    noise = noise or row_column_noise(image)
    pixels = _without_rows(image[0].detach(), noise.rows)
    return _without_rows(pixels.transpose(1, 2), noise.columns).transpose(1, 2)[None]


class _Offsets(NamedTuple):
    """What is known of the offsets of the rows."""

    variance: float
    within: float
    """Variance between the blocks of a row: noise of pixels, and structure."""
    significance: float
    unevenness: float
    """Ratio of the variances between the blocks of rows with large and with small offsets."""
    peakedness: float
    """Mean square per square of the mean size."""
    periodicity: float
    """Largest correlation of the offsets at a distance of three or more rows."""
    blocks: int

    def clear(self) -> bool:
        """Return whether they are more than noise of pixels and structure."""
        return (
            self.significance >= MIN_SIGNIFICANCE
            and self.variance >= MIN_COHERENCE * self.within
            and self.unevenness <= MAX_UNEVENNESS
            and self.peakedness <= MAX_PEAKEDNESS
            and self.periodicity <= MAX_PERIODICITY
        )


def _measure(pixels: Tensor) -> _Offsets | None:
    """Return the variance of the rows' offsets of ``(C, H, W)``; None if the image is too small."""
    height, width = pixels.shape[1:]
    blocks = min(BLOCKS, width // MIN_BLOCK)
    if blocks < MIN_BLOCKS or height < MIN_ROWS:
        return None
    side = (width // blocks - 1) // 2 * 2 + 1  # odd, for the median
    used = pixels.unfold(2, side, width // blocks)[:, :, :blocks]
    filtered = used[:, 1:-1] - (used[:, :-2] + used[:, 2:]) / 2
    medians = filtered.median(-1).values.transpose(1, 2).flatten(0, 1)  # (C * blocks, H - 2)
    medians = _level(medians)  # where noise is clipped, they have a mean
    medians = medians.view(len(pixels), blocks, -1).transpose(1, 2).flatten(0, 1)  # (C * (H - 2), blocks)
    total, squares = medians.sum(1), medians.square().sum(1)
    beside = (medians[:, 1:] * medians[:, :-1]).sum(1)
    # Mean products of two blocks of a row: any two, and two that are not neighbours, whose noise may be correlated.
    common = (total.square() - squares) / (blocks * (blocks - 1))
    apart = (total.square() - squares - 2 * beside) / ((blocks - 1) * (blocks - 2))
    between = (squares - total.square() / blocks) / (blocks - 1)
    within = between.median().item()
    small, _, large = between[total.abs().argsort()].chunk(3)
    # The median of (variance + within / blocks) chi^2 - within / blocks.
    product = min(common.median().item(), apart.median().item())
    variance = (product + (1 - MEDIAN_SQUARE) * within / blocks) / MEDIAN_SQUARE
    error = MEDIAN_ERROR * within / blocks / sqrt(height / 2)
    significance = variance / error if error > 0 else 0.0
    unevenness = (large.median() / small.median().clamp(min=1e-20)).item()
    return _Offsets(
        *(max(variance, 0.0) / FILTER_GAIN, within / FILTER_GAIN, significance, unevenness),
        *(_peakedness(total), _periodicity(total.view(len(pixels), -1)), blocks),
    )


def _peakedness(offsets: Tensor) -> float:
    sizes = offsets.abs().sort().values[: round(0.9 * len(offsets))]
    return float(sizes.square().mean() / sizes.mean().square().clamp(min=1e-30))


def _periodicity(offsets: Tensor) -> float:
    limit = 3 * offsets.abs().median()
    offsets = offsets.clamp(-limit, limit)
    count = offsets.shape[1]
    power = torch.fft.rfft(offsets, 2 * count).abs().square().mean(0)
    overlap = count - torch.arange(count)
    correlation = torch.fft.irfft(power, 2 * count)[:count] / overlap
    return float((correlation[3 : count // 2] / correlation[0].clamp(min=1e-30)).max())


def _offset_deviation(pixels: Tensor) -> tuple[float, float]:
    measured = _measure(pixels)
    if measured is None:
        return 0.0, 0.0
    return sqrt(measured.variance) if measured.clear() else 0.0, measured.significance


def _without_rows(pixels: Tensor, deviation: float) -> Tensor:
    """Return ``(C, H, W)`` without offsets of rows of this standard deviation."""
    measured = _measure(pixels)
    if measured is None or not deviation:
        return pixels
    offsets = _offsets(pixels, deviation**2, 4 / 3 * measured.within / measured.blocks)
    return pixels - (offsets - offsets.mean(1, keepdim=True)).unsqueeze(-1).to(pixels)


def _offsets(pixels: Tensor, variance: float, noise: float) -> Tensor:
    """Return the offset ``(C, H)`` of each row.

    They have the least sum of squares, each in its own variance: of the offsets, and of what they leave of the
    differences of rows (medians over the columns). The latter's variance grows with the distance of the rows, as the
    picture changes; where it changes at once, as at a horizon, a difference does not count.
    """
    lags = range(1, LAGS + 1)
    differences = [_level((pixels[:, lag:] - pixels[:, :-lag]).median(-1).values.double()) for lag in lags]
    # The variance of a difference is that of two offsets, plus the picture's, which grows with the distance.
    variances = [difference.square().median().item() / MEDIAN_SQUARE for difference in differences]
    mean_lag, mean = sum(lags) / LAGS, sum(variances) / LAGS
    slope = sum((lag - mean_lag) * (value - mean) for lag, value in zip(lags, variances, strict=True))
    slope = max(slope / sum((lag - mean_lag) ** 2 for lag in lags), 0.0)
    offsets = torch.zeros(pixels.shape[:2], dtype=torch.float64, device=pixels.device)
    for number in range(REWEIGHTINGS):
        weights = []
        for lag, difference in zip(lags, differences, strict=True):
            scale = noise + slope * lag
            left = difference - (offsets[:, lag:] - offsets[:, :-lag])
            spread = scale if number else scale + 2 * variance
            weights.append((left.square() <= OUTLIER**2 * spread) / (LAGS * scale))
        offsets = _solve(weights, differences, variance)
    return offsets


def _level(differences: Tensor) -> Tensor:
    """Return differences of rows ``(C, N)`` without their local mean, which is a slope of the picture."""
    limit = OUTLIER * (differences.square().median() / MEDIAN_SQUARE).sqrt()
    return differences - avg_pool1d(differences.clamp(-limit, limit), WINDOW, 1, WINDOW // 2, count_include_pad=False)


def _solve(weights: list[Tensor], differences: list[Tensor], variance: float) -> Tensor:
    """Return offsets ``o`` of least ``sum o^2 / variance + sum weight (o[r + lag] - o[r] - difference)^2``."""

    def spread(forces: list[Tensor]) -> Tensor:
        return torch.stack([pad(force, (lag, 0)) - pad(force, (0, lag)) for lag, force in enumerate(forces, 1)]).sum(0)

    def product(offsets: Tensor) -> Tensor:
        forces = [weight * (offsets[:, lag:] - offsets[:, :-lag]) for lag, weight in enumerate(weights, 1)]
        return offsets / variance + spread(forces)

    residual = spread([weight * difference for weight, difference in zip(weights, differences, strict=True)])
    offsets, direction = torch.zeros_like(residual), residual
    energy = residual.square().sum(1, keepdim=True)
    for _ in range(ITERATIONS):
        mapped = product(direction)
        step = energy / (direction * mapped).sum(1, keepdim=True).clamp(min=1e-300)
        offsets, residual = offsets + step * direction, residual - step * mapped
        next_energy = residual.square().sum(1, keepdim=True)
        direction = residual + next_energy / energy.clamp(min=1e-300) * direction
        energy = next_energy
    return offsets
