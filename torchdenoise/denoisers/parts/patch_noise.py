"""The weights of similar patches, by the noise that they hold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.inverse import spd_inverse

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
        norm = torch.linalg.vector_norm(mixing, dim=-1, keepdim=True)
        return mixing, 1 / norm.square_().clamp_(min=1 / mixing.shape[-1])

    def mixing(self, xs: Tensor) -> Tensor:
        """Return the matrices T."""
        gram = xs @ xs.mT
        diagonal = gram.diagonal(dim1=-2, dim2=-1)
        before, size = diagonal.clone(), diagonal.mean(-1, keepdim=True)
        noise = xs.shape[-1] * self.deviation**2 + MIN_RIDGE * (1 + size)
        diagonal.copy_(before + noise)
        inverse, failed = spd_inverse(gram)
        if failed.any():  # identical patches without noise
            more = ROUNDING_RIDGE * xs.shape[-2] * size
            noise = torch.where(failed[:, None], noise + more, noise)
            diagonal.copy_(before + noise)
            inverse, _ = spd_inverse(gram)
        mixing = inverse.mul_(-noise[..., None])
        mixing.diagonal(dim1=-2, dim2=-1).add_(1)
        return mixing  # equals gram @ inverse, in fewer operations


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
        self._planes: dict[tuple[int, ...], _PlaneNoise] = {}

    @override
    def combination(self, xs: Tensor, corners: Tensor, planes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the matrices, and the inverse variances of the results."""
        similar, pixels = xs.shape[-2:]
        here = self._of_planes(tuple(planes))
        local = here.variance.flatten()[corners]
        scale = (pixels * local).sqrt()
        noise = here.correlations(corners).mul_(scale[..., None]).mul_(scale[:, None])
        ridge = MIN_RIDGE * (1 + torch.linalg.vector_norm(xs, dim=(-2, -1)).square()[:, None] / similar)
        matrix = torch.baddbmm(noise, xs, xs.mT)
        matrix.diagonal(dim1=-2, dim2=-1).add_(ridge)
        inverse, failed = spd_inverse(matrix)
        if failed.any():  # an estimated correlation need not be positive definite
            more = torch.linalg.eigvalsh(matrix)[:, :1].clamp(max=0).neg() + ridge
            matrix.diagonal(dim1=-2, dim2=-1).add_(more)
            (inverse, _), ridge = spd_inverse(matrix), ridge + more
        # G A^-1 = I - (A - G) A^-1, in fewer operations and with smaller rounding errors.
        mixing = torch.bmm(noise, inverse, out=matrix).addcmul_(inverse, ridge[..., None]).neg_()
        mixing.diagonal(dim1=-2, dim2=-1).add_(1)
        left = torch.bmm(mixing, noise, out=inverse).mul_(mixing).sum(-1) / pixels
        least = MIN_SHARE * local / similar + 1e-9
        return mixing, 1 / torch.maximum(left, least)[..., None]

    def _of_planes(self, planes: tuple[int, ...]) -> "_PlaneNoise":
        """Return the mean noise of planes."""
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
            self._planes[planes] = _PlaneNoise(correlation / correlation[lag, lag].clamp(min=1e-12), whole)
        return self._planes[planes]


class _PlaneNoise:
    """The mean noise of some planes.

    Args:
        correlation: ``(2r + 1, 2r + 1)``, 1 in the middle.
        variance: in the patch at each corner, ``(H, W)``.
    """

    def __init__(self, correlation: Tensor, variance: Tensor) -> None:
        self.variance = variance
        # An offset as one number, ``row * stride + column``: the stride keeps those within r apart from all others.
        lag = correlation.shape[-1] // 2
        self._lag = lag
        self._stride = variance.shape[-1] + lag
        self._farthest = lag * (self._stride + 1) + 1
        lags = torch.arange(-lag, lag + 1, device=correlation.device)
        self._table = correlation.new_zeros(2 * self._farthest + 1)
        self._table[(lags[:, None] * self._stride + lags + self._farthest).flatten()] = correlation.flatten()

    def correlations(self, corners: Tensor) -> Tensor:
        """Return the correlation between all patches of a group; corners ``(G, similar)``."""
        width = self.variance.shape[-1]
        places = (corners + corners // width * self._lag).int()  # int32, and in place: there are many pairs
        offsets = (places[:, None] - places[..., None]).clamp_(-self._farthest, self._farthest).add_(self._farthest)
        return self._table.index_select(0, offsets.flatten()).view(offsets.shape)
