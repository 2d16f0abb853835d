"""The covariance and the level curve of correlated noise, estimated from the flattest blocks of one image.

In a flat block, what is left after taking out a plane is noise. Taking it out changes the noise's covariance by a known
linear map, which is inverted for the lags up to ``MAX_LAG``; noise correlated over longer distances is underestimated.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from torchdenoise.noise.covariance import nearest_covariance, standardized
from torchdenoise.noise.patches import complete_patches, cosine_transform, patch_grid
from torchdenoise.noise.texture import without_texture

SIDE = 12
"""Of a block, in pixels."""
MAX_LAG = 4
"""The largest lag of the estimated covariance."""
PLANE = 1
"""Cosine frequencies up to this sum are taken out of a block: its mean and its slopes."""
MAX_BLOCKS = 4_000
BRIGHTNESS_CLASSES = 5
"""The level is measured in each of these parts of the blocks, sorted by brightness."""
FLATTEST = 0.02
"""The share of blocks with which the search for flat ones starts."""
MIN_FLAT = 30
"""Blocks; fewer are not enough for a level."""
GROWTH = 1.3
COLOURS = 0.5
"""Weight of all channels' energy beside that of the luminance, where texture shows."""
MAX_STEP = 1.5
"""A class whose level exceeds that of a neighbour by this factor is texture."""
MIN_VARIANCE = 1e-9
"""Blocks of less variance hold no noise."""
RIDGE = 1e-3
"""Of the least squares fit to the measured covariance."""


class LevelCurve(NamedTuple):
    """The standard deviation of noise against brightness, linear between the nodes and constant beyond them."""

    brightness: Tensor
    """Nodes of each channel in ascending order, ``(C, K)``."""
    deviation: Tensor
    """Standard deviation at each node, ``(C, K)``, in units of the white level."""

    def at(self, brightness: Tensor) -> Tensor:
        """Return the standard deviation at each value of an image ``(B, C, H, W)``.

        Example:
            >>> curve = LevelCurve(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.1, 0.3]]))
            >>> curve.at(torch.tensor([-1.0, 0.5, 2.0]).view(1, 1, 1, 3)).flatten()
            tensor([0.1000, 0.2000, 0.3000])
        """
        channels = zip(brightness.unbind(1), self.brightness, self.deviation, strict=True)
        return torch.stack([interpolated(*each) for each in channels], 1)


class CorrelatedNoise(NamedTuple):
    """The statistics of noise in the flat blocks of an image."""

    curve: LevelCurve
    covariance: Tensor
    """Of the noise with standard deviation 1, see ``covariance.py``."""
    skewness: Tensor
    """At each node of the curve, ``(C, K)``."""


def interpolated(values: Tensor, nodes: Tensor, levels: Tensor) -> Tensor:
    """Return the level at each value, linear between the nodes and constant beyond them.

    Args:
        values: of any shape.
        nodes: in ascending order, ``(K,)``.
        levels: at the nodes, ``(K,)``.

    Example:
        >>> interpolated(torch.tensor([0.5, 3.0]), torch.tensor([0.0, 1.0]), torch.tensor([2.0, 4.0]))
        tensor([3., 4.])
    """
    nodes, levels = nodes.to(values), levels.to(values)
    upper = torch.searchsorted(nodes, values.contiguous()).clamp(1, len(nodes) - 1)
    width = (nodes[upper] - nodes[upper - 1]).clamp(min=1e-9)
    share = ((values - nodes[upper - 1]) / width).clamp(0, 1)
    return torch.lerp(levels[upper - 1], levels[upper], share)


@dataclass(frozen=True)
class _Blocks:
    means: Tensor
    """Of each channel, ``(N, C)``."""
    residuals: Tensor
    """``(N, C, SIDE * SIDE)``."""
    variances: Tensor
    """Of the residuals, ``(N, C)``."""

    def chosen(self, which: Tensor) -> "_Blocks":
        return _Blocks(self.means[which], self.residuals[which], self.variances[which])

    def __len__(self) -> int:
        return len(self.means)


def correlated_noise(image: Tensor, informative: Tensor | None = None) -> CorrelatedNoise | None:
    """Return the statistics of the noise, or None if the image has too few blocks with noise.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        informative: where the image shows its noise, bool ``(1, 1, H, W)``; everywhere by default.

    Source: a block method after Colom, Lebrun, Buades and Morel, A non-parametric approach for the estimation of
    intensity-frequency dependent noise, ICIP 2014; the linear map is derived here.

    Example:
        >>> white = torch.randn(1, 1, 200, 202, generator=torch.Generator().manual_seed(0))
        >>> curve, covariance, _ = correlated_noise(0.5 + 0.1 * (white[..., 1:] + white[..., :-1]) / 2**0.5)
        >>> covariance[0, 0, MAX_LAG, MAX_LAG + 1].round(decimals=1), curve.deviation.mean().round(decimals=2)
        (tensor(0.5000), tensor(0.1000))
    """
    found = _flattest(image, informative)
    if found is None:
        return None
    flat, covariance, left = found
    variances = _without_texture(torch.stack([each.variances.mean(0) for each in flat]))
    means = torch.stack([each.means.mean(0) for each in flat])
    skewness = torch.stack([each.residuals.pow(3).mean((0, 2)) / each.variances.mean(0).pow(1.5) for each in flat])
    order = means.argsort(0)
    at_nodes = (means, (variances / left).sqrt(), skewness)
    means, deviations, skewness = (each.gather(0, order).T.float().contiguous() for each in at_nodes)
    return CorrelatedNoise(LevelCurve(means, deviations), covariance.float(), skewness)


def flat_blocks(image: Tensor, informative: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return brightness and noise deviation of the blocks that ``correlated_noise`` uses, each ``(C, N)``.

    Example:
        >>> white = torch.randn(1, 1, 200, 202, generator=torch.Generator().manual_seed(0))
        >>> brightness, deviation = flat_blocks(0.5 + 0.1 * (white[..., 1:] + white[..., :-1]) / 2**0.5)
        >>> deviation.square().mean().sqrt().round(decimals=1)
        tensor(0.1000, dtype=torch.float64)
    """
    found = _flattest(image, informative)
    if found is None:
        return torch.empty(image.shape[1], 0), torch.empty(image.shape[1], 0)
    flat, _, left = found
    return torch.cat([each.means for each in flat]).T, (torch.cat([each.variances for each in flat]) / left).sqrt().T


def flat_covariance(image: Tensor, informative: Tensor | None = None) -> Tensor | None:
    """Return the covariance in the flattest blocks, of standard deviation 1 and with what texture adds to the noise.

    Args:
        image: ``(1, C, H, W)``, 1.0 is white.
        informative: as for ``correlated_noise``.

    Example:
        >>> white = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> flat_covariance(0.5 + 0.1 * white)[0, 0, MAX_LAG, MAX_LAG : MAX_LAG + 2].round(decimals=1) + 0.0
        tensor([1., 0.], dtype=torch.float64)
    """
    blocks = _all_blocks(image, informative)
    return None if len(blocks) < 2 * MIN_FLAT else _chosen(blocks, _energies(blocks))[1]


def _flattest(image: Tensor, informative: Tensor | None) -> tuple[list[_Blocks], Tensor, Tensor] | None:
    """Return the flat blocks of each class, the covariance of their noise, and the variance that its rest has.

    Where their covariance shows texture, the blocks are chosen again by their luminance, in which texture stands out.
    """
    blocks = _all_blocks(image, informative)
    if len(blocks) < 2 * MIN_FLAT:
        return None
    flat, covariance = _chosen(blocks, _energies(blocks))
    noise = without_texture(covariance)
    if noise is not covariance:
        flat, covariance = _chosen(blocks, _luminance_energies(blocks) + COLOURS * _energies(blocks))
        noise = without_texture(covariance)
    left, _ = _residual_variance(covariance)
    noise, kept = standardized(noise)
    return flat, noise, left / kept.square()


def _energies(blocks: _Blocks) -> Tensor:
    """Return the energy of each block, the mean over its channels; about 1 for the flattest."""
    return (blocks.variances / blocks.variances.quantile(0.05, 0)).mean(1)


def _luminance_energies(blocks: _Blocks) -> Tensor:
    """Return the energy of each block's sum over the channels; about 1 for the flattest."""
    usual = blocks.variances.quantile(0.05, 0).sqrt()
    energies = (blocks.residuals / usual[:, None]).sum(1).square().sum(-1)
    return energies / energies.quantile(0.05)


def _chosen(blocks: _Blocks, energies: Tensor) -> tuple[list[_Blocks], Tensor]:
    """Return the blocks of least energy of each class, and the covariance of their noise."""
    number = max(1, min(BRIGHTNESS_CLASSES, len(blocks) // (2 * MIN_FLAT)))
    classes = [part[energies[part].argsort()] for part in blocks.means.mean(1).argsort().chunk(number)]
    degrees = _projection().trace().item() * blocks.means.shape[1] / 2
    for _ in range(2):  # the number of flat blocks depends on the covariance, and the other way round
        flat = [blocks.chosen(part[: _flat_number(energies[part], degrees)]) for part in classes]
        pooled = torch.cat([each.residuals / each.variances.mean(0).sqrt()[:, None] for each in flat])
        covariance, _ = standardized(nearest_covariance(_covariance(pooled)))
        _, degrees = _residual_variance(covariance)
    return flat, covariance


def _all_blocks(image: Tensor, informative: Tensor | None) -> _Blocks:
    """Return the blocks that show noise in every channel."""
    pixels = image[0].detach().cpu().double()
    stride = max(4, ceil(sqrt(pixels[0].numel() / MAX_BLOCKS)))
    blocks = patch_grid(pixels, SIDE, stride).permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(2)
    blocks = blocks[complete_patches(informative, SIDE, stride)]
    residuals = blocks @ _projection()
    variances = residuals.square().sum(-1) / _projection().trace()
    found = _Blocks(blocks.mean(-1), residuals, variances)
    return found.chosen(variances.amin(1) > MIN_VARIANCE)


def _flat_number(energies: Tensor, degrees: float) -> int:
    """Return how many of the blocks, in ascending order of energy, differ no more than noise of ``degrees`` does."""
    number = min(max(round(FLATTEST * len(energies)), MIN_FLAT), len(energies))
    while number < len(energies):
        more = min(ceil(GROWTH * number), len(energies))
        if energies[:more].std() > energies[:more].mean() * sqrt(2 / degrees):
            break
        number = more
    return number


def _without_texture(variances: Tensor) -> Tensor:
    """Return the variances ``(K, C)`` of the classes, limited by those of the neighbouring classes."""
    limited = variances.clone()
    for number in range(len(variances)):
        around = [variances[each] for each in (number - 1, number + 1) if 0 <= each < len(variances)]
        if around:
            limited[number] = torch.minimum(limited[number], MAX_STEP**2 * torch.stack(around).amin(0))
    return limited


def _covariance(residuals: Tensor) -> Tensor:
    """Return the covariance of noise whose residuals are ``(N, C, SIDE * SIDE)``."""
    count, channels, size = residuals.shape
    flat = residuals.flatten(1)
    products = (flat.T @ flat / count).view(channels, size, channels, size).transpose(1, 2)
    measured = torch.stack([products[:, :, first, second].mean(-1) for first, second in _pairs()], -1)
    system = _system()
    ridge = RIDGE * torch.eye(len(system), dtype=system.dtype)
    solution = torch.linalg.solve(system.T @ system + ridge, system.T @ measured.flatten(0, 1).T).T
    estimate = solution.reshape(channels, channels, 2 * MAX_LAG + 1, 2 * MAX_LAG + 1)
    symmetric: Tensor = (estimate + estimate.transpose(0, 1).flip(-2, -1)) / 2
    return symmetric


def _residual_variance(covariance: Tensor) -> tuple[Tensor, float]:
    """Return the variance of the residuals of each channel of noise, and the degrees of freedom of their sum."""
    projection = _projection()
    channels = range(len(covariance))
    left = torch.stack(
        [torch.stack([projection @ _block_matrix(covariance[c, d]) for d in channels]) for c in channels]
    )
    variance = torch.stack([left[c, c].diagonal().sum() for c in channels]) / projection.trace()
    # The trace of a product is a sum of products; the projection is idempotent.
    squares = (left @ projection).square().sum()
    return variance, (variance.sum() * projection.trace()).square().item() / squares.item()


def _block_matrix(covariance: Tensor) -> Tensor:
    """Return the covariance of every two pixels of a block, from ``(2r + 1, 2r + 1)``."""
    lag = covariance.shape[-1] // 2
    row, column = _positions()
    down, right = row - row[:, None], column - column[:, None]
    near = (down.abs() <= lag) & (right.abs() <= lag)
    return covariance[down.clamp(-lag, lag) + lag, right.clamp(-lag, lag) + lag] * near


def _positions() -> tuple[Tensor, Tensor]:
    row, column = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).T
    return row, column


@cache
def _projection() -> Tensor:
    """Return the matrix that takes the plane out of a flattened block."""
    transform, frequency = cosine_transform(SIDE)
    smooth = transform[frequency <= PLANE]
    return torch.eye(SIDE * SIDE, dtype=smooth.dtype) - smooth.T @ smooth


@cache
def _pairs() -> list[tuple[Tensor, Tensor]]:
    """Return, for each lag, the indices of all two pixels of a block at this lag."""
    row, column = _positions()
    pairs = []
    for down in range(-MAX_LAG, MAX_LAG + 1):
        for right in range(-MAX_LAG, MAX_LAG + 1):
            inside = (row + down >= 0) & (row + down < SIDE) & (column + right >= 0) & (column + right < SIDE)
            first = inside.nonzero()[:, 0]
            pairs.append((first, first + down * SIDE + right))
    return pairs


@cache
def _system() -> Tensor:
    """Return the linear map from a covariance, as a vector over the lags, to that of the residuals."""
    projection = _projection()
    columns = []
    for first, second in _pairs():
        product = projection[:, first] @ projection[:, second].T
        columns.append(torch.stack([product[one, other].mean() for one, other in _pairs()]))
    return torch.stack(columns, 1)
