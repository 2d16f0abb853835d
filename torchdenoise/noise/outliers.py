"""Impulses in an image: hot and dead pixels, salt and pepper. Where they are, and what replaces them.

A value is a candidate if it stands out from all of its eight neighbours, by much more than the noise and the structure
around it. Structure has single pixels that do so, too, but more often pairs and lines of them. Impulses fall anywhere,
so pairs are rare. Candidates are therefore impulses only if there are many more of them than of pairs.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

MIN_SIDE = 5
"""Smaller images are left alone: a value has two rings of neighbours."""
STRIP = 1 << 20
"""Pixels that are looked at together; it limits memory."""
SCALE_CELL = 4
"""Side of the cells of which 3 x 3 give the local scale, in pixels."""
SAMPLE = 10_000
"""Values from which classes of brightness and the step between values are found."""
NORMAL_ROOT = 0.676
"""Square of the mean root of the absolute value of a normal variable of variance 1."""
BRIGHTNESS_CLASSES = 64
"""Classes of brightness in which a scale of the deviations is measured."""
WEAK = 2.5
"""Values that deviate by fewer scales are not looked at."""
SCREEN = 3.4
"""Deviation, in scales, that noise seldom reaches."""
THRESHOLDS = (8.0, 11.0, 16.0, 22.0, 32.0, 45.0, 64.0)
"""Deviations, in scales, above which values may be impulses; the lowest that separates them is taken."""
GAP = 0.6
"""Part of the threshold from which on values are missing if impulses are separate from noise and structure."""
EQUAL_THRESHOLD = 4.5
"""Deviation of impulses that all have the same value."""
ALONE = 0.5
"""A neighbour that stands out by this part of a value's deviation counts as similar to it."""
MIN_IMPULSES = 6
"""Fewer candidates than that are no evidence."""
MAX_OTHERS = 0.25
"""Candidates that structure or noise explains, per impulse."""
PAIRS_PER_SHARE = 50
"""Pairs to allow for, per impulse and share of impulses, because impulses also fall beside each other."""
MAX_PAIRS = 0.75
"""Pairs per impulse at most; 10 % of salt and pepper have 0.4 to 0.65."""
MAX_FARTHER = 3
"""Pixels of the second ring that may be similar to an impulse; more are a pattern."""
MIN_SPREAD = 1.5
"""Ratio of the quartiles of impulses; photons all have the same size."""
BRIGHT = 0.3
"""Brightness, in impulses, of places whose noise would show that impulses are photons."""
MAX_CALM = 0.1
"""Part of the variance of photons below which noise is another."""
MIN_CALM = 0.01
"""Share of such places in an image whose impulses are not photons."""
SCALE_ROUNDS = 2
"""Rounds that leave out what stands out when the scale is measured."""
MIN_DISTURBING = 2e-3
"""Share of values that stand out from which on they disturb the scale."""
MIN_WEAK = 0.02
"""The same for values that stand out a little."""
MAX_NOISE = 0.1
"""Values that noise alone takes to the impulses' value, per impulse."""
MIN_REST = WEAK
"""Deviation, in scales, of the weakest impulses."""
PART = 1 << 17
"""Places that are repaired together; it limits memory."""
ROUNDS = 3
"""The second and the third round find the rest of clusters."""

_SORT_8 = (
    *((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)),
    *((0, 4), (3, 7), (1, 5), (2, 6), (1, 4), (3, 6), (2, 4), (3, 5), (3, 4)),
)
"""A network of 19 comparisons that sorts eight values."""
_RING_1 = tuple((y, x) for y in range(-1, 2) for x in range(-1, 2) if (y, x) != (0, 0))
_RING_2 = tuple((y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2)


class Impulses(NamedTuple):
    """The impulses of an image."""

    mask: Tensor
    """Where they are: bool, of the image's shape."""
    share: float
    """Of the values, 0 to 1."""


def find_outliers(image: Tensor) -> Impulses:
    """Return the values that are clearly impulses; none where noise or structure may explain them.

    Args:
        image: ``(1, C, H, W)`` of any size and range, finite.

    Source: rank-ordered differences to the neighbours: Garnett, Huegerich, Chui and He, A universal noise removal
    algorithm with an impulse detector, IEEE TIP 2005; the tests against noise and structure are this project's.

    Example:
        >>> image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> find_outliers(image).share
        0.0
        >>> image[..., ::9, ::9] = -5.0
        >>> found = find_outliers(image)
        >>> bool((found.mask == (image == -5)).all()), round(found.share, 3)
        (True, 0.016)
    """
    pixels = image[0].detach().float()
    mask = torch.zeros_like(pixels, dtype=torch.bool)
    if min(pixels.shape[1:]) < MIN_SIDE:
        return Impulses(mask[None], 0.0)
    candidates = _candidates(pixels, pixels)
    for _ in range(SCALE_ROUNDS):
        alone = candidates.alone()
        strong = alone & (candidates.strength >= SCREEN)
        if strong.sum() < MIN_DISTURBING * mask.numel() and alone.sum() < MIN_WEAK * mask.numel():
            break
        mask[tuple(candidates.places[alone].T)] = True
        del candidates  # it is large
        candidates = _candidates(pixels, pixels, quiet=replace_outliers(pixels[None], mask[None])[0])
    rules = _rules(candidates, pixels.numel())
    mask.zero_()
    for number in range(ROUNDS if rules else 0):
        if number:
            repaired = replace_outliers(pixels[None], mask[None])[0]
            mask[tuple(candidates.places[candidates.alone()].T)] = True
            quiet = replace_outliers(pixels[None], mask[None])[0]
            candidates = _candidates(pixels, repaired, quiet, min(rule.rest for rule in rules))
        found = torch.stack([rule.applies(candidates, first=number == 0) for rule in rules]).any(0)
        mask.zero_()
        mask[tuple(candidates.places[found].T)] = True
    return Impulses(mask[None], mask.count_nonzero().item() / mask.numel())


def replace_outliers(image: Tensor, mask: Tensor) -> Tensor:
    """Return an image whose masked values are medians of the nearest values that are not masked.

    The nearest are those of the 3x3 square around a value; where all of them are masked, of a larger one.

    Args:
        image: ``(1, C, H, W)`` of any range.
        mask: bool, of the same shape; a channel that is masked everywhere stays as it is.

    Source: a median over good neighbours, as in Hwang and Haddad, Adaptive median filters, IEEE TIP 1995.

    Example:
        >>> image = torch.tensor([[1.0, 2.0, 9.0], [9.0, 9.0, 3.0], [2.0, 2.0, 3.0]])[None, None]
        >>> replace_outliers(image, image == 9)[0, 0].tolist()
        [[1.0, 2.0, 2.5], [2.0, 2.0, 3.0], [2.0, 2.0, 3.0]]
    """
    repaired = image.clone()
    left = mask.nonzero()
    radius = 1
    while len(left) and radius < max(image.shape[2:]):
        medians = torch.cat(
            [_good_median(image, mask, part, radius) for part in torch.split(left, PART // radius**2 + 1)]
        )
        known = ~medians.isnan()
        repaired[tuple(left[known].T)] = medians[known]
        left = left[~known]
        radius *= 2
    return repaired


def _good_median(image: Tensor, mask: Tensor, places: Tensor, radius: int) -> Tensor:
    """Return the median of the values that are not masked in the square around each place; NaN if there are none."""
    picture, channel, row, column = places.T[..., None]
    y, x = torch.cartesian_prod(*2 * [torch.arange(-radius, radius + 1, device=image.device)]).T
    rows, columns = row + y, column + x
    inside = (rows >= 0) & (rows < image.shape[2]) & (columns >= 0) & (columns < image.shape[3])
    rows, columns = rows.clamp(0, image.shape[2] - 1), columns.clamp(0, image.shape[3] - 1)
    good = inside & ~mask[picture, channel, rows, columns]
    values = image[picture, channel, rows, columns].where(good, torch.inf).sort(1).values
    count = good.sum(1)
    middle = torch.stack([(count - 1).clamp(min=0) // 2, count // 2], 1).clamp(max=values.shape[1] - 1)
    return values.gather(1, middle).mean(1).where(count > 0, torch.nan)


class _Candidates(NamedTuple):
    """Values that stand out; the first tensors have one entry for each of them."""

    places: Tensor
    """Channel, row and column ``(N, 3)``."""
    value: Tensor
    sign: Tensor
    """1 above the median of the neighbours, -1 below."""
    base: Tensor
    """Median of the sixteen pixels around the neighbours."""
    strength: Tensor
    """Deviation from it, in scales."""
    similar: Tensor
    """How many of the eight neighbours stand out, too."""
    farther: Tensor
    """How many of the sixteen pixels around them do."""

    medians: Tensor
    """Of the neighbours of every pixel of the image."""
    scales: Tensor
    """Of the deviations there."""

    def alone(self) -> Tensor:
        """Return which have no similar neighbours and are not part of a pattern."""
        return (self.similar == 0) & (self.farther <= MAX_FARTHER)


def _strips(height: int, width: int) -> list[slice]:
    rows = max(1, STRIP // width)
    return [slice(first, min(first + rows, height)) for first in range(0, height, rows)]


def _parts(image: Tensor) -> list[tuple[int, slice]]:
    """Return the strips of each channel, as indices of ``(C, H, W)``, in the order of the values."""
    return [(channel, rows) for channel in range(len(image)) for rows in _strips(*image.shape[1:])]


def _neighbour_median(framed: Tensor) -> Tensor:
    """Return the median of the eight neighbours of each pixel, of ``(C, H + 4, W + 4)`` with a frame of two pixels."""
    height, width = framed.shape[1] - 4, framed.shape[2] - 4
    ring = [framed[:, 2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in _RING_1]
    for low, high in _SORT_8:
        ring[low], ring[high] = torch.minimum(ring[low], ring[high]), torch.maximum(ring[low], ring[high])
    return (ring[3] + ring[4]) / 2


def _scale(deviations: Tensor, medians: Tensor, image: Tensor) -> Tensor:
    """Return how much values deviate near each pixel, or where the image is as bright, whichever is more."""
    roots = deviations.abs().sqrt_()
    del deviations
    edges = _sample(medians).quantile(torch.linspace(0, 1, BRIGHTNESS_CLASSES + 1)[1:-1])
    sums, counts = torch.zeros(len(edges) + 1).double(), torch.zeros(len(edges) + 1).double()
    for part in _parts(medians):
        classes = torch.bucketize(medians[part], edges).flatten()
        sums.index_add_(0, classes, roots[part].flatten().double())
        counts += classes.bincount(minlength=len(counts))
    means = (sums / counts.clamp(min=1)).float()
    scale = _local_mean(roots)
    for part in _parts(medians):
        torch.maximum(scale[part], means[torch.bucketize(medians[part], edges)], out=scale[part])
    return scale.square_().div_(NORMAL_ROOT).clamp_(min=_quantum(image))


def _local_mean(values: Tensor) -> Tensor:
    """Return the mean over a square of 3 x 3 cells around each pixel's cell."""
    cells = avg_pool2d(values, SCALE_CELL, ceil_mode=True)
    cells = avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
    height, width = values.shape[1:]
    return cells.repeat_interleave(SCALE_CELL, 1)[:, :height].repeat_interleave(SCALE_CELL, 2)[..., :width]


def _sample(values: Tensor) -> Tensor:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // SAMPLE)]


def _quantum(image: Tensor) -> float:
    """Return the step between the image's values."""
    steps = _sample(image).sort().values.diff()
    steps = steps[steps > 0]
    return steps.quantile(0.25).item() if len(steps) else 1.0


def _candidates(image: Tensor, repaired: Tensor, quiet: Tensor | None = None, screen: float = WEAK) -> _Candidates:
    """Return the values of an image that stand out from their neighbours in a repaired one.

    Args:
        image: ``(C, H, W)``.
        repaired: the same without the impulses that have been found.
        quiet: the same without anything that could be one, from which the scale is measured.
        screen: deviation, in scales, of what is returned.
    """
    framed, medians = _surroundings(repaired)
    if quiet is None:
        scale = _scale(repaired - medians, medians, repaired)
    else:
        around = _surroundings(quiet)[1]
        scale = _scale(quiet - around, around, quiet)
    stands_out = torch.empty_like(image, dtype=torch.bool)
    for part in _parts(image):
        stands_out[part] = (image[part] - medians[part]).abs() > screen * scale[part]
    places = stands_out.nonzero()
    channel, row, column = places.T
    ring_1 = torch.stack([framed[channel, row + 2 + y, column + 2 + x] for y, x in _RING_1], 1)
    ring_2 = torch.stack([framed[channel, row + 2 + y, column + 2 + x] for y, x in _RING_2], 1)
    values = image[channel, row, column]
    sign = (values - medians[channel, row, column]).sign()
    base = ring_2.sort(1).values[:, 7:9].mean(1)
    excess = sign * (values - base)
    limit = (ALONE * excess)[:, None]
    similar = (sign[:, None] * (ring_1 - base[:, None]) > limit).sum(1)
    farther = (sign[:, None] * (ring_2 - base[:, None]) > limit).sum(1)
    strength = excess / scale[channel, row, column]
    return _Candidates(places, values, sign, base, strength, similar, farther, medians, scale)


def _surroundings(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return an image with a frame of two pixels, and the median of the eight neighbours of each pixel."""
    framed = pad(image, (2, 2, 2, 2), mode="reflect")
    medians = [_neighbour_median(framed[:, s.start : s.stop + 4]) for s in _strips(*image.shape[1:])]
    return framed, torch.cat(medians, 1)


class _Rule(NamedTuple):
    """Which candidates are impulses."""

    sign: int
    """1 above their surroundings, -1 below."""
    threshold: float
    """Deviation from them, in scales."""
    rest: float
    """The same once there is evidence for impulses."""
    value: float | None = None
    """Of all impulses, if it is the same."""

    def applies(self, candidates: _Candidates, first: bool = True) -> Tensor:
        """Return for each candidate whether it is an impulse; after the first round, neighbours have been repaired."""
        side = candidates.sign == self.sign
        if self.value is not None:
            side &= candidates.value == self.value
        if first:
            return side & candidates.alone() & (candidates.strength >= self.threshold)
        return side & (candidates.similar <= (1 if self.value is None else 2)) & (candidates.strength >= self.rest)


def _rules(candidates: _Candidates, total: int) -> list[_Rule]:
    """Return the rules for impulses below and above, if there is evidence for them."""
    rules = {sign: _rule(candidates, sign, total, MAX_OTHERS) for sign in (-1, 1)}
    for sign in (-1, 1):  # where one side has impulses, less is enough for the other
        if rules[-sign] and not rules[sign]:
            rules[sign] = _rule(candidates, sign, total, MAX_PAIRS)
    below, above = rules.values()
    if above and not below and _may_be_counts(candidates, above):
        above = None
    return [rule for rule in (below, above) if rule]


def _rule(candidates: _Candidates, sign: int, total: int, max_pairs: float) -> _Rule | None:
    """Return the rule for the impulses of one side: of one value, such as black or white, or very far away."""
    side = candidates.sign == sign
    alone = side & candidates.alone()
    far = candidates.strength >= EQUAL_THRESHOLD
    if (alone & far).any():
        value = candidates.value[alone & far].mode().values.item()
        equal = candidates.value == value
        share = (alone & far & equal).sum() / total
        if _separate(
            candidates,
            side & far & equal,
            (alone & ~equal & (candidates.strength >= SCREEN)).sum().item() / 2,
            total,
            max_pairs,
        ):
            rest = -torch.special.ndtri(MAX_NOISE * share).clamp(-EQUAL_THRESHOLD, -MIN_REST).item()
            return _Rule(sign, EQUAL_THRESHOLD, rest, value)
    for threshold in THRESHOLDS:
        above = candidates.strength >= threshold
        between = alone & ~above & (candidates.strength >= GAP * threshold)
        if _separate(candidates, side & above, between.sum().item(), total, max_pairs):
            return _Rule(sign, threshold, threshold)
    return None


def _separate(candidates: _Candidates, chosen: Tensor, others: float, total: int, max_pairs: float) -> bool:
    """Return whether those that are alone are many more than the pairs and the others that structure or noise has.

    Impulses that fall anywhere form pairs, too, the more of them there are.
    """
    count = (chosen & candidates.alone()).sum().item()
    pairs = (chosen & (candidates.similar > 0) & (candidates.similar <= 2)).sum().item()
    max_pairs = min(max_pairs + PAIRS_PER_SHARE * count / total, MAX_PAIRS)
    evidence = count - MIN_IMPULSES // 2
    return count >= MIN_IMPULSES and others <= MAX_OTHERS * evidence and pairs <= max_pairs * evidence


def _may_be_counts(candidates: _Candidates, rule: _Rule) -> bool:
    """Return whether impulses above their surroundings may be single photons on a dark field.

    Photons all have the same size, and the noise of brighter places is as large.
    """
    impulses = rule.applies(candidates)
    base = candidates.base[impulses]
    low, size, high = (candidates.value[impulses] - base).quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    bright = candidates.medians > base.median() + BRIGHT * size
    calm = bright & (candidates.scales.square() < MAX_CALM * size * (candidates.medians - base.median()))
    return bool(high < MIN_SPREAD * low and calm.sum() < MIN_CALM * calm.numel())
