"""The covariance of stationary noise between channels and pixels: draws, roots, and what linear operations do to it.

A covariance is a tensor ``(C, C, 2r + 1, 2r + 1)``; its entry ``[c, d, r + dy, r + dx]`` is the expected product of
channel c at a pixel and channel d at ``dy`` rows below and ``dx`` columns to the right of it. It is zero beyond r.
"""

from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

TORUS = 64
"""Side of the periodic grid on which spectra are computed; more than twice the largest lag."""
MAX_RADIUS = 12
"""The largest lag that is kept."""
MIN_POWER = 1e-3
"""The smallest power at any frequency, relative to the mean; estimates can be negative."""
_WINDOW = 16
"""Side of the grid from which the operations' kernels are read; twice their reach, and even."""


def radius(covariance: Tensor) -> int:
    """Return the largest lag of a covariance."""
    return covariance.shape[-1] // 2


def at_lag_zero(covariance: Tensor) -> Tensor:
    """Return the covariance of the channels of one pixel, ``(C, C)``."""
    lag = radius(covariance)
    return covariance[..., lag, lag]


def standardized(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the covariance of the noise scaled to standard deviation 1, and the standard deviations ``(C,)``."""
    deviations = at_lag_zero(covariance).diagonal().clamp(min=1e-20).sqrt()
    return covariance / deviations[:, None, None, None] / deviations[:, None, None], deviations


def spectrum(covariance: Tensor) -> Tensor:
    """Return the Hermitian matrix of the channels at each frequency of a torus, ``(TORUS, TORUS, C, C)``."""
    lag = radius(covariance)
    room = TORUS - covariance.shape[-1]
    periodic = F.pad(covariance.double(), (0, room, 0, room)).roll((-lag, -lag), (-2, -1))
    matrices = torch.fft.fft2(periodic).permute(2, 3, 0, 1)
    hermitian: Tensor = (matrices + matrices.mH) / 2
    return hermitian


def from_spectrum(matrices: Tensor, largest: int) -> Tensor:
    """Return the covariance up to a lag from the matrices that ``spectrum`` returns."""
    maps: Tensor = torch.fft.ifft2(matrices.permute(2, 3, 0, 1)).real.roll((largest, largest), (-2, -1))
    return maps[..., : 2 * largest + 1, : 2 * largest + 1]


def nearest_covariance(estimate: Tensor) -> Tensor:
    """Return the estimate with negative powers replaced by small positive ones.

    Lags beyond those of the estimate are dropped afterwards, so that slightly negative powers may remain.

    Example:
        >>> impossible = torch.tensor([[[[0.0, 0.0, 0.0], [0.9, 1.0, 0.9], [0.0, 0.0, 0.0]]]])
        >>> before, after = (spectrum(each).real.min().item() for each in (impossible, nearest_covariance(impossible)))
        >>> round(before, 1), round(after, 1)
        (-0.8, -0.3)
    """
    powers, vectors = torch.linalg.eigh(spectrum(estimate))
    powers = torch.maximum(powers, MIN_POWER * powers.mean())
    return from_spectrum(_assembled(vectors, powers), radius(estimate)).to(estimate)


def root_kernel(covariance: Tensor) -> Tensor:
    """Return the filter ``(C, C, k, k)`` that gives white noise this covariance; see ``filtered``.

    It is the square root of the spectrum's matrices.

    Source: Galerne, Gousseau and Morel, Random phase textures, IEEE TIP 2011.
    """
    powers, vectors = torch.linalg.eigh(spectrum(covariance))
    return from_spectrum(_assembled(vectors, powers.clamp(min=0).sqrt()), MAX_RADIUS).float()


def filtered(white: Tensor, kernel: Tensor) -> Tensor:
    """Return the valid part of white noise filtered by a root kernel.

    Args:
        white: ``(N, C, H + k - 1, W + k - 1)``.
        kernel: ``(C, C, k, k)``, or one for each image, ``(N, C, C, k, k)``.

    Returns:
        Noise ``(N, C, H, W)``.
    """
    size = white.shape[-2:]
    spectra = torch.fft.rfft2(kernel.flip(-2, -1), s=size)
    product = torch.einsum("...cdyx,...dyx->...cyx", spectra, torch.fft.rfft2(white))
    lost = kernel.shape[-1] - 1
    noise: Tensor = torch.fft.irfft2(product, s=size)[..., lost:, lost:]
    return noise


def draw(
    kernel: Tensor, shape: tuple[int, ...], generator: Generator | None, device: torch.device | str = "cpu"
) -> Tensor:
    """Return noise of a shape ``(N, C, H, W)`` from a root kernel.

    Example:
        >>> horizontal = torch.zeros(1, 1, 3, 3)
        >>> horizontal[0, 0, 1] = torch.tensor([0.5, 1.0, 0.5])
        >>> noise = draw(root_kernel(horizontal), (1, 1, 256, 256), torch.Generator().manual_seed(0))
        >>> (noise[..., 1:] * noise[..., :-1]).mean().round(decimals=1)
        tensor(0.5000)
    """
    lost = kernel.shape[-1] - 1
    number, channels, height, width = shape
    white = torch.randn(number, channels, height + lost, width + lost, generator=generator, device=device)
    return filtered(white, kernel.to(device))


def half_size(covariance: Tensor) -> Tensor:
    """Return the covariance after the image is halved by the means of 2x2 cells."""
    cells = torch.full((2, 2), 0.25, dtype=torch.float64)
    lag = radius(covariance)
    after = _smeared(covariance, _cross(cells, cells))
    start = radius(after) % 2
    halved = after[..., start::2, start::2]
    excess = radius(halved) - min(radius(halved), max(1, lag // 2 + 1))
    return _trimmed(halved, radius(halved) - excess).to(covariance)


def without_low_frequencies(covariance: Tensor) -> Tensor:
    """Return the covariance of noise minus its ``low_frequencies``, averaged over positions."""
    kernels = _residual_kernels()
    total = torch.zeros(())
    reach = radius(covariance) + kernels[0, 0].shape[-1] - 1
    lags = torch.arange(-reach, reach + 1) % 2
    for row in range(2):
        for column in range(2):
            for down in range(2):
                for right in range(2):
                    pair = _cross(kernels[row, column], kernels[(row + down) % 2, (column + right) % 2])
                    here = (lags[:, None] == down) & (lags == right)
                    total = total + here * _smeared(covariance, pair) / 4
    return _trimmed(total, min(reach, MAX_RADIUS)).to(covariance)


def halved(image: Tensor) -> Tensor:
    """Return an image ``(B, C, H, W)`` at half size: the means of 2x2 cells; an odd last row or column is repeated."""
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        image = F.pad(image, (0, width % 2, 0, height % 2), mode="replicate")
    return F.avg_pool2d(image, 2)


def doubled(image: Tensor, like: Tensor) -> Tensor:
    """Return a halved image at the size of ``like``, interpolated linearly."""
    doubled = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., : like.shape[-2], : like.shape[-1]]


def low_frequencies(image: Tensor) -> Tensor:
    """Return what is left of an image after halving and doubling."""
    return doubled(halved(image), image)


@cache
def _residual_kernels() -> dict[tuple[int, int], Tensor]:
    """Return, for each position in a 2x2 cell, the weights of its surroundings in the image minus low frequencies."""
    side, centre = 2 * _WINDOW, _WINDOW
    impulses = torch.eye(side * side, dtype=torch.float64).view(-1, 1, side, side)
    response = (impulses - low_frequencies(impulses))[:, 0]  # (from, to row, to column)
    kernels = {}
    for row in range(2):
        for column in range(2):
            weights = response[:, centre + row, centre + column].view(side, side)
            reach = 3
            kernels[row, column] = weights[
                centre + row - reach : centre + row + reach + 1, centre + column - reach : centre + column + reach + 1
            ]
    return kernels


def _cross(first: Tensor, second: Tensor) -> Tensor:
    """Return the sum over u of ``first(u) second(u + lag)`` for all lags."""
    pad = second.shape[-1] - 1
    return F.conv2d(F.pad(second, (pad, pad, pad, pad))[None, None], first[None, None])[0, 0]


def _smeared(covariance: Tensor, kernel: Tensor) -> Tensor:
    """Return the full convolution of a covariance with a kernel ``(k, k)`` of lags, k odd, which may not be symmetric.

    Noise that is weighted by ``first`` at a pixel and by ``second`` at another has the covariance
    ``sum over v of cross(first, second)(v) R(lag + v)``.
    """
    pad = kernel.shape[-1] - 1
    maps = F.pad(covariance.double().flatten(0, 1)[:, None], (pad, pad, pad, pad))
    return F.conv2d(maps, kernel[None, None]).view(*covariance.shape[:2], *(side - pad for side in maps.shape[-2:]))


def _trimmed(covariance: Tensor, largest: int) -> Tensor:
    extra = radius(covariance) - largest
    return covariance if extra <= 0 else covariance[..., extra:-extra, extra:-extra]


def _assembled(vectors: Tensor, values: Tensor) -> Tensor:
    matrices: Tensor = vectors @ torch.diag_embed(values.to(vectors.dtype)) @ vectors.mH
    return matrices
