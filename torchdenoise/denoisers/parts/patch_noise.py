"""The weights of similar patches, by the noise that they hold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

MIN_RIDGE = 1e-5
"""Relative ridge that keeps the matrix invertible when there is no noise."""
ROUNDING_RIDGE = 1e-6
"""Ridge relative to a bound on the largest eigenvalue, added if float32 rounding made the smallest one negative."""
MIN_SHARE = 0.25
"""Of a patch's noise, relative to the mean of as many independent patches: less is not believed of an estimate."""


class PatchNoise(ABC):
    """The noise of patches, as rows of a matrix of n pixels each: it decides how they are combined."""

    @abstractmethod
    def combination(self, xs: Tensor, corners: Tensor, planes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the matrices T that combine noisy patches, and the weights of the results.

        Args:
            xs: the pilot's patches, ``(G, similar, n)``, of one plane or of several side by side.
            corners: the flat index of each patch's top left pixel, ``(G, similar)``.
            planes: the numbers of the planes.

        Returns:
            ``(G, similar, similar)`` and ``(G, similar, 1)``.
        """


class WhitePatches(PatchNoise):
    """White noise of one level: ``T = X X^T (X X^T + n sigma^2 I)^-1``.

    Args:
        deviation: sigma, ``(1,)``.
    """

    def __init__(self, deviation: Tensor) -> None:
        self.deviation = deviation

    @override
    def combination(self, xs: Tensor, corners: Tensor, planes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the matrices, and the inverse variances of the results."""
        mixing = self.mixing(xs)
        return mixing, 1 / mixing.square().sum(-1, keepdim=True).clamp(min=1 / mixing.shape[-1])

    def mixing(self, xs: Tensor) -> Tensor:
        """Return the matrices T."""
        gram = xs @ xs.mT
        size = gram.diagonal(dim1=-2, dim2=-1).mean(-1)
        noise = (xs.shape[-1] * self.deviation**2 + MIN_RIDGE * (1 + size))[:, None, None]
        identity = torch.eye(gram.shape[-1], device=gram.device)
        factor, failed = torch.linalg.cholesky_ex(gram + noise * identity)
        if failed.any():  # identical patches without noise
            more = ROUNDING_RIDGE * len(identity) * size[:, None, None]
            noise = torch.where(failed[:, None, None] > 0, noise + more, noise)
            factor = torch.linalg.cholesky(gram + noise * identity)
        inverse = torch.cholesky_inverse(factor)
        return identity - noise * inverse  # equals gram @ inverse, in fewer operations


class CorrelatedPatches(PatchNoise):
    """Correlated noise whose level varies: ``T = G (G + N)^-1`` with ``G = X X^T`` and ``N_ij = n s_i s_j R(d_ij)``.

    Patches i and j lie at an offset d from each other and share noise; R is the correlation of a plane, s the deviation
    in a patch. With ``R(d) = 0`` for d other than 0 it is the formula of white noise. The variance of the noise in an
    estimate ``t Y`` is ``t N t^T / n``, and its weight is the inverse of that.

    Args:
        transform: from channels to planes, ``(planes, C)``.
        covariance: of the channels' standardised noise, ``(C, C, 2r + 1, 2r + 1)``.
        deviation: map of the channels, ``(C, H, W)``.
        side: of a patch.
    """

    def __init__(self, transform: Tensor, covariance: Tensor, deviation: Tensor, side: int) -> None:
        self.transform = transform
        self.covariance = covariance
        self.deviation = deviation
        self.side = side
        self.width = deviation.shape[-1]
        self._planes: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}

    @override
    def combination(self, xs: Tensor, corners: Tensor, planes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the matrices, and the inverse variances of the results."""
        correlation, variance = self._of_planes(tuple(planes))
        lag = correlation.shape[-1] // 2
        row, column = corners // self.width, corners % self.width
        down, right = row[:, None] - row[..., None], column[:, None] - column[..., None]
        near = (down.abs() <= lag) & (right.abs() <= lag)
        shared = correlation[down.clamp(-lag, lag) + lag, right.clamp(-lag, lag) + lag] * near
        local = variance.flatten()[corners]
        scale = (xs.shape[-1] * local).sqrt()
        noise = shared * scale[..., None] * scale[:, None]
        gram = xs @ xs.mT
        size = gram.diagonal(dim1=-2, dim2=-1).mean(-1)
        identity = torch.eye(gram.shape[-1], device=gram.device)
        matrix = gram + noise + (MIN_RIDGE * (1 + size))[:, None, None] * identity
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if failed.any():  # an estimated correlation need not be positive definite
            lowest = torch.linalg.eigvalsh(matrix)[:, 0].clamp(max=0).neg()
            matrix = matrix + (lowest + MIN_RIDGE * (1 + size))[:, None, None] * identity
            factor = torch.linalg.cholesky(matrix)
        mixing = torch.cholesky_solve(gram, factor).mT
        left = ((mixing @ noise) * mixing).sum(-1) / xs.shape[-1]
        least = MIN_SHARE * local / mixing.shape[-1] + 1e-9
        return mixing, 1 / torch.maximum(left, least)[..., None]

    def _of_planes(self, planes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return the planes' mean correlation ``(2r + 1, 2r + 1)``, and the variance in the patch at each corner."""
        if planes not in self._planes:
            mean = self.deviation.square().mean((-2, -1)).sqrt()
            weights = self.transform[list(planes)]
            scaled = weights * mean
            correlation = torch.einsum("pc,pd,cdyx->yx", scaled, scaled, self.covariance)
            lag = correlation.shape[-1] // 2
            together = torch.einsum("pc,pd,cd->cd", weights, weights, self.covariance[..., lag, lag])
            variance = torch.einsum("cd,chw,dhw->hw", together, self.deviation, self.deviation) / len(planes)
            patches = torch.nn.functional.avg_pool2d(variance[None], self.side, 1)[0].clamp(min=1e-10)
            whole = torch.ones_like(variance)
            whole[: patches.shape[0], : patches.shape[1]] = patches
            self._planes[planes] = correlation / correlation[lag, lag].clamp(min=1e-12), whole
        return self._planes[planes]
