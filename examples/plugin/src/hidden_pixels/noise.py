"""A noise model: clean image in, noisy image out. Its spec is ``speckle:0.1``, wherever a noise is named."""

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise import NoiseModel


class SpeckleNoise(NoiseModel, name="speckle", source="multiplicative noise of coherent imaging: y = x (1 + s n)"):
    """Multiplicative Gaussian noise.

    Args:
        amount: standard deviation of the noise where the image is white.
    """

    def __init__(self, amount: float = 0.1) -> None:
        self.amount = amount

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the noisy images, drawn by ``generator``."""
        normal = torch.randn(clean.shape, generator=generator, device=clean.device, dtype=clean.dtype)
        return clean * (1 + self.amount * normal)
