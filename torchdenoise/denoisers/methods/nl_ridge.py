"""NL-Ridge, both steps without a network: similar patches averaged with weights of the least estimated risk.

Herbreteau and Kervrann, Towards a unified view of unsupervised non-local methods for image denoising: the NL-Ridge
approach, ICIP 2022.
"""

from math import inf
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.methods.classical import Classical
from torchdenoise.denoisers.parts.first_step import FirstStep
from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.denoisers.parts.nonlocal_ridge import NonLocalRidge
from torchdenoise.denoisers.parts.readouts import OnePass
from torchdenoise.errors import UserError
from torchdenoise.noise import gaussian_level

MIN_LEVEL = 0.01
"""Noise levels below this, on the 0-255 scale, count as no noise: the image stays unchanged."""


class GroupSizes(NamedTuple):
    """Side and number of the patches in a group, in the first and in the second step."""

    side: int
    similar: int
    second_side: int
    second_similar: int


GROUP_SIZES = {15: GroupSizes(7, 18, 7, 55), 35: GroupSizes(9, 18, 9, 90), inf: GroupSizes(11, 20, 9, 120)}
"""By the highest noise level on the 0-255 scale, as the paper recommends, which ends at 50."""


class NLRidge(Classical, source="Herbreteau and Kervrann, Towards a unified view ...: NL-Ridge, ICIP 2022"):
    """NL-Ridge: each group of similar patches is replaced by the linear combinations of its patches with least risk.

    With the k patches of a group as the rows of Y, n pixels each, the combinations are ``T Y``. The first step matches
    patches in the noisy image and minimizes Stein's unbiased estimate of the risk: ``T = I - n sigma^2 (Y Y^T)^-1``.
    The second step matches patches in the first result, whose patches are the rows of X:
    ``T = X X^T (X X^T + n sigma^2 I)^-1`` (``NonLocalRidge``). Overlapping estimates are averaged with inverse noise
    variance weights. Colour images become luminance and two colour differences; patches are matched by luminance, and
    the differences share one T. Grey images stored as colour are filtered as grey ones.

    The noise is assumed white and Gaussian with one level. Where it grows with brightness, one level is used all the
    same: dark regions lose detail and bright ones keep noise.

    Args:
        level: noise standard deviation on the 0-255 scale; None estimates it in each image. It also decides the size of
            the patches and groups (``GROUP_SIZES``).
        window: side of the search window in pixels; odd.
        stride: step between reference patches in pixels.

    Raises:
        UserError: ``level`` negative or not finite, an even ``window``, ``window`` or ``stride`` below 1.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> NLRidge()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    smallest = 8  # smaller patches have too few pixels for the first step's groups

    def __init__(self, level: float | None = None, window: int = 37, stride: int = 4) -> None:
        super().__init__()
        if level is not None and not 0 <= level < inf:
            raise UserError(f"level={level:g}: the level of the noise must be at least 0 and finite")
        if window < 1 or window % 2 == 0:
            raise UserError(f"window={window}: the side of the search window must be odd and at least 1")
        if stride < 1:
            raise UserError(f"stride={stride}: the step between reference patches must be at least 1")
        self.level = level
        self.window = window
        self.stride = stride

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return map_images(self._one, image)

    def _one(self, image: Tensor) -> Tensor:
        level = gaussian_level(image) if self.level is None else self.level
        if level < MIN_LEVEL:
            return image
        if torch.equal(image, image[:, :1].expand_as(image)):  # grey, perhaps stored as colour
            return self._both_steps(image[:, :1], level).expand_as(image)
        return self._both_steps(image, level)

    def _both_steps(self, image: Tensor, level: float) -> Tensor:
        """Return one denoised image ``(1, C, H, W)``."""
        sizes = next(sizes for highest, sizes in GROUP_SIZES.items() if level <= highest)
        first = FirstStep(OnePass(), sizes.side, sizes.similar, self.window, self.stride, level=level)
        second = NonLocalRidge(first, sizes.second_side, sizes.second_similar, self.window, self.stride, level=level)
        clean: Tensor = second(lambda noisy: noisy, image, Generator())
        return clean
