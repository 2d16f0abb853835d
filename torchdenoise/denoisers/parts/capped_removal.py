"""A readout that takes away nowhere much more than in flat places: what is more was not noise."""

from math import ceil

import torch
from kornia.filters import box_blur
from torch import Generator, Tensor

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.readouts import Readout, WrappedReadout
from torchdenoise.errors import UserError

FLAT = 0.1
"""The share of the places that counts as flat."""
CUT = 0.05
"""With a larger share of values at black or white a place does not tell how strong the noise is."""
TINY = 1e-7
MAX_PATCHES = 20_000
"""So many places are looked at; in a larger picture only every second, third ... is taken."""


class CappedRemoval(WrappedReadout, source="the plain way", formerly=("Limited",)):
    """Another readout's result, but nowhere much further from the noisy picture than in flat places as bright.

    Where a picture has little noise, a method that is told no level takes its texture for noise. The deviation of what
    it takes away is looked at around each pixel; in the quarter of the picture that is about as bright, the flattest
    tenth tells how much of it can be noise. Where more is taken away, so much of the noisy picture is put back.

    Args:
        inner: reads the result; ``EightTurns()`` unless given.
        factor: so many times the deviation of the flattest tenth may be taken away.
        side: of the square in which it is looked at, in pixels; odd.

    Raises:
        UserError: a factor not above 0, or an even side.

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

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the limited results."""
        result: Tensor = self.inner(denoise, noisy, generator)
        pairs = zip(torch.split(noisy, 1), torch.split(result, 1), strict=True)
        return torch.cat([self._limited(*pair) for pair in pairs])

    def _limited(self, noisy: Tensor, result: Tensor) -> Tensor:
        brightness, taken = self._around(result), self._around((noisy - result).square())
        stride = ceil((brightness.numel() / MAX_PATCHES) ** 0.5)
        maps = (brightness, taken, self._telling(noisy))
        seen, amounts, telling = (each[..., ::stride, ::stride].flatten() for each in maps)
        edges = seen.quantile(torch.tensor([0.25, 0.5, 0.75], device=seen.device))
        quarters = torch.bucketize(seen, edges)
        parts = [amounts[(quarters == number) & telling] for number in range(4)]
        # Where nothing tells of the noise, nothing is limited.
        flat = torch.stack([part.quantile(FLAT) if len(part) else part.new_tensor(torch.inf) for part in parts])
        most = self.factor**2 * flat[torch.bucketize(brightness, edges)]
        share = (most / taken.clamp(min=TINY)).clamp(max=1).sqrt()
        return noisy + share * (result - noisy)

    def _telling(self, noisy: Tensor) -> Tensor:
        """Return where noise is to be seen: neither cut off at black or white, nor a frame of one shade."""
        cut = self._around(((noisy <= 0) | (noisy >= 1)).to(noisy.dtype))
        changes = self._around(noisy.square()) - self._around(noisy).square()
        return (cut < CUT) & (changes > TINY)

    def _around(self, image: Tensor) -> Tensor:
        """Return the mean of all channels around each pixel, ``(1, 1, H, W)``."""
        return box_blur(image.mean(1, keepdim=True), self.side, border_type="replicate")
