"""A readout that caps how much is removed locally by what is removed in flat regions."""

from math import ceil

import torch
from kornia.filters import box_blur
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.readouts import Readout, WrappedReadout
from torchdenoise.errors import UserError

FLAT_QUANTILE = 0.1
"""The share of positions that counts as flat."""
MAX_CLIPPED = 0.05
"""With a larger share of black or white values around it, a position shows too little of the noise."""
MIN_VARIANCE = 1e-7
MAX_POSITIONS = 20_000
"""The statistics of a larger image are taken from a regular subset of its pixels."""


class CappedRemoval(WrappedReadout, source="a heuristic of this project", formerly=("Limited",)):
    """Another readout's result, with the removed residual capped at the level of flat regions of similar brightness.

    Where an image has little noise, a method without a noise level removes texture as noise. This readout measures the
    standard deviation of the residual (noisy image - result) around each pixel. In each quartile of brightness, the
    flattest tenth estimates how much of it is noise. Where more was removed, part of the noisy image is blended back.

    Args:
        inner: computes the result; ``EightTurns()`` by default.
        factor: cap, as a multiple of the residual's standard deviation in the flattest tenth.
        side: side in pixels of the square in which the residual is measured; odd.

    Raises:
        UserError: ``factor`` not above 0, or an even ``side``.

    Example:
        >>> waves = 0.2 * torch.sin(torch.arange(64.0)) * (torch.arange(64) >= 32)
        >>> noisy = 0.5 + waves + 0.01 * torch.randn(1, 1, 64, 64)
        >>> result = CappedRemoval()(lambda image: torch.full_like(image, 0.5), noisy, torch.Generator())
        >>> (noisy - result)[..., 40:].std() < 0.02 < (result - 0.5)[..., 40:].std()
        tensor(True)
    """

    def __init__(self, inner: Readout | None = None, factor: float = 1.5, side: int = 9) -> None:
        super().__init__(inner)
        if not factor > 0 or side < 1 or side % 2 == 0:
            raise UserError(f"CappedRemoval: factor {factor} must be above 0 and side {side} odd")
        self.factor = factor
        self.side = side

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the capped results."""
        result: Tensor = self.inner(denoise, noisy, generator)
        pairs = zip(torch.split(noisy, 1), torch.split(result, 1), strict=True)
        return torch.cat([self._capped(*pair) for pair in pairs])

    def _capped(self, noisy: Tensor, result: Tensor) -> Tensor:
        brightness, removed = self._local_mean(result), self._local_mean((noisy - result).square())
        stride = ceil((brightness.numel() / MAX_POSITIONS) ** 0.5)
        maps = (brightness, removed, self._shows_noise(noisy))
        shades, variances, usable = (each[..., ::stride, ::stride].flatten() for each in maps)
        edges = shades.quantile(torch.tensor([0.25, 0.5, 0.75], device=shades.device))
        quartiles = torch.bucketize(shades, edges)
        groups = [variances[(quartiles == number) & usable] for number in range(4)]
        # A quartile that shows no noise caps nothing.
        flat = [group.quantile(FLAT_QUANTILE) if len(group) else group.new_tensor(torch.inf) for group in groups]
        cap = self.factor**2 * torch.stack(flat)[torch.bucketize(brightness, edges)]
        share = (cap / removed.clamp(min=MIN_VARIANCE)).clamp(max=1).sqrt()
        return noisy + share * (result - noisy)

    def _shows_noise(self, noisy: Tensor) -> Tensor:
        """Return where noise is visible: neither clipped at black or white, nor constant like a frame."""
        clipped = self._local_mean(((noisy <= 0) | (noisy >= 1)).to(noisy.dtype))
        variance = self._local_mean(noisy.square()) - self._local_mean(noisy).square()
        return (clipped < MAX_CLIPPED) & (variance > MIN_VARIANCE)

    def _local_mean(self, image: Tensor) -> Tensor:
        """Return the mean over all channels around each pixel, ``(1, 1, H, W)``."""
        return box_blur(image.mean(1, keepdim=True), self.side, border_type="replicate")
