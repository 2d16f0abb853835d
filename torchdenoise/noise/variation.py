"""How the level of the noise varies over an image: a smooth map, or none where it does not clearly vary.

The level is read from the highest frequencies of small patches, in each region from its quiet ones, because texture
only adds to them. What brightness explains is taken out. Texture is stronger at lower frequencies, white noise is not:
so regions with more at the next lower frequencies do not count.
"""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

PATCH = 8
"""Side of the patches, in pixels; they overlap by half."""
REGION = 22
"""Least side of a region, in pixels."""
MAX_REGIONS = 8
"""Along the height and along the width."""
MIN_REGIONS = 4
"""Fewer of them tell nothing."""
QUIET = 0.25
"""Quantile of the patches that gives a region's level."""
MAX_EXCESS = 0.35
"""Logarithm of the energy at lower frequencies per energy at high ones, above which a region has texture."""
MAX_SPREAD = 0.8
"""Difference of the quartiles of a region's logarithmic energies; 0.45 for white noise in grey, less in colour."""
DARK = 0.02
"""Part of the range of brightness that is added before taking its logarithm."""
MIN_QUIET_SHARE = 0.35
"""Of the regions; with fewer, texture may be taken for noise."""
MIN_USED_SHARE = 0.6
"""Of the regions, with those that are quieter in spite of texture; with fewer, the rest is a guess."""
MIN_EXPLAINED = 0.7
"""Part of the regions' variance that a smooth map must explain."""
MAX_CORRELATION = 0.15
"""Of the regions' levels with their excess of lower frequencies; where noise is stronger, it hides texture."""
MIN_RATIO = 1.6
"""Ratio of the largest and the smallest level of a map; below, one level for all is as good."""
SMOOTHNESS = 0.1
"""Weight of the differences of neighbouring regions in a map."""
MIN_ENERGY = 1e-12
"""In units of the variance of the image; less counts as none."""


class LevelVariation(NamedTuple):
    """How the level of the noise varies over an image."""

    map: Tensor | None
    """``(1, 1, H, W)``: relative standard deviation, of mean square 1; None where it does not clearly vary."""
    explained: float
    """Part of the variance between regions that a quadratic function of the place explains, 0 to 1."""
    ratio: float
    """Ratio of the largest and the smallest level that it predicts."""


def level_map(image: Tensor, deviation: Callable[[Tensor], Tensor] | None = None) -> LevelVariation:
    """Return how the level of the noise varies over an image, beyond what brightness explains.

    The noise should be nearly white; otherwise it cannot be separated from texture, and there is no map.

    Args:
        image: ``(1, C, H, W)`` of any size and range.
        deviation: the noise's standard deviation for tensors of brightness; by default, it is fitted.

    Source: a heuristic of this project. Second differences: Immerkaer, Fast noise variance estimation, CVIU 1996.

    Example:
        >>> noise = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
        >>> level_map(0.5 + 0.02 * noise).map is None
        True
        >>> found = level_map(0.5 + 0.02 * noise * torch.linspace(1, 4, 192)).map
        >>> bool(found[0, 0, 96, 170] > 2 * found[0, 0, 96, 20])
        True
    """
    pixels = image[0].detach().float()
    height, width = pixels.shape[1:]
    rows, columns = (min(size // REGION, MAX_REGIONS) for size in (height, width))
    if min(rows, columns) < MIN_REGIONS:
        return LevelVariation(None, 0.0, 1.0)
    regions = _regions(pixels, rows, columns, deviation)
    quiet = (regions.excess <= MAX_EXCESS) & (regions.spread <= MAX_SPREAD)
    if quiet.sum() < MIN_QUIET_SHARE * quiet.numel():
        return LevelVariation(None, 0.0, 1.0)
    quiet |= regions.level < regions.level[quiet].quantile(QUIET)
    if quiet.sum() < MIN_USED_SHARE * quiet.numel():
        return LevelVariation(None, 0.0, 1.0)
    levels = regions.level if deviation else _without_brightness(regions, quiet)
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    terms = torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], -1).double()
    smooth = terms @ torch.linalg.lstsq(terms[quiet], levels[quiet, None], driver="gelsd").solution
    smooth = smooth[..., 0][quiet]
    spread = (levels[quiet] - levels[quiet].mean()).square().sum()
    left = (levels[quiet] - smooth).square().sum()
    explained = (1 - left / spread.clamp(min=1e-12)).clamp(min=0).item()
    ratio = ((smooth.max() - smooth.min()) / 2).exp().item()
    excess = torch.corrcoef(torch.stack([levels[quiet], regions.excess[quiet]]))[0, 1].item()
    if explained < MIN_EXPLAINED or ratio < MIN_RATIO or excess > MAX_CORRELATION:
        return LevelVariation(None, explained, ratio)
    cells = _smooth(levels, quiet).float()[None, None]
    relative = (interpolate(cells, (height, width), mode="bicubic") / 2).exp()
    return LevelVariation((relative / relative.square().mean().sqrt()).to(image), explained, ratio)


class _Regions(NamedTuple):
    """What is measured in each region; tensors ``(rows, columns)``."""

    level: Tensor
    """Logarithm of the noise's variance."""
    excess: Tensor
    """Logarithm of the energy at lower frequencies per energy at high ones."""
    brightness: Tensor
    """Of the quiet patches."""
    spread: Tensor
    """Between the quartiles of the patches' logarithmic energies."""


def _regions(pixels: Tensor, rows: int, columns: int, deviation: Callable[[Tensor], Tensor] | None) -> _Regions:
    margin = 4  # of the coarser differences
    inner = pixels[:, margin:-margin, margin:-margin]
    brightness = _patches(inner)
    scale = deviation(brightness).square() if deviation else brightness.new_ones(1)
    fine = _patches(_differences(pixels[:, margin - 1 : 1 - margin, margin - 1 : 1 - margin], 1).square()) / scale
    coarse = _patches(_differences(pixels[:, 2:-2, 2:-2], 2).square()) / scale
    floor = MIN_ENERGY * inner.var().item() + 1e-30
    # Channels may have different levels.
    usual = fine.flatten(1).quantile(QUIET, dim=1).clamp(min=floor)[:, None, None]
    fine, coarse = ((energy / usual).mean(0).clamp(min=MIN_ENERGY).log() for energy in (fine, coarse))
    middle = brightness.flatten(1).quantile(QUIET, dim=1)[:, None, None]
    brightness = (brightness / middle.clamp(min=1e-3 * brightness.max().clamp(min=1e-12))).mean(0)
    levels, excesses, means, spreads = [], [], [], []
    for row in torch.arange(fine.shape[0]).tensor_split(rows):
        for column in torch.arange(fine.shape[1]).tensor_split(columns):
            place = (slice(int(row[0]), int(row[-1]) + 1), slice(int(column[0]), int(column[-1]) + 1))
            level = fine[place].quantile(QUIET)
            levels.append(level)
            excesses.append(coarse[place].quantile(QUIET) - level)
            means.append(brightness[place][fine[place] <= level].mean())
            spreads.append(fine[place].quantile(1 - QUIET) - level)
    return _Regions(
        *(torch.stack(values).view(rows, columns).double() for values in (levels, excesses, means, spreads))
    )


def _differences(pixels: Tensor, step: int) -> Tensor:
    """Return second differences along both axes; white noise keeps its variance, a plane gives 0."""
    for axis in (1, 2):
        size = pixels.shape[axis] - 2 * step
        before, middle, after = (pixels.narrow(axis, number * step, size) for number in range(3))
        pixels = (before - 2 * middle + after) / sqrt(6)
    return pixels


def _patches(values: Tensor) -> Tensor:
    return avg_pool2d(values, PATCH, PATCH // 2)


def _without_brightness(regions: _Regions, quiet: Tensor) -> Tensor:
    """Return the levels without their best quadratic and logarithmic function of brightness."""
    low, high = regions.brightness.aminmax()
    mean = (regions.brightness - low) / (high - low).clamp(min=1e-12)
    terms = torch.stack([torch.ones_like(mean), mean, mean**2, (mean + DARK).log()], -1)
    fit = torch.linalg.lstsq(terms[quiet], regions.level[quiet, None], driver="gelsd").solution
    explained: Tensor = (terms @ fit)[..., 0]
    return regions.level - explained


def _smooth(levels: Tensor, quiet: Tensor) -> Tensor:
    """Return a grid near the levels of quiet regions, whose neighbouring values differ little."""
    rows, columns = levels.shape
    number = torch.arange(rows * columns).view(rows, columns)
    pairs = torch.cat(
        [
            torch.stack([number[1:].flatten(), number[:-1].flatten()], 1),
            torch.stack([number[:, 1:].flatten(), number[:, :-1].flatten()], 1),
        ]
    )
    difference = torch.zeros(len(pairs), rows * columns, dtype=torch.float64)
    difference[torch.arange(len(pairs)), pairs[:, 0]] = 1
    difference[torch.arange(len(pairs)), pairs[:, 1]] = -1
    weights = quiet.flatten().double()
    system = weights.diag() + SMOOTHNESS * difference.T @ difference
    grid: Tensor = torch.linalg.solve(system, weights * levels.flatten())
    return grid.view(rows, columns)
