"""Downsamplers: one noisy image in, two half-size images of the same scene out, with independent noise."""

from abc import ABC, abstractmethod

from torch import Generator, Tensor
from torch.nn import functional as F

from torchdenoise.registry import Registered

Draws = dict[str, Tensor]
"""All that is random in one step, as plain tensors."""


class Downsampler(Registered, ABC, kind="downsamplers"):
    """Splits images ``(B, C, H, W)`` into two halves ``(B, C, ceil(H/2), ceil(W/2))``.

    The random choice is a value of its own, so that the *same* one can be applied to the noisy image and to the
    denoised one. Height and width are at least 2; odd ones are padded by one reflected line.

    Example:
        >>> down = DiagonalDownsampler()
        >>> noisy = torch.rand(1, 3, 5, 6)
        >>> first, second = down.pair(noisy, down.draw(noisy))
        >>> first.shape
        torch.Size([1, 3, 3, 3])
    """

    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:  # noqa: ARG002
        """Return the random choice for these images; nothing for a downsampler without one."""
        return {}

    @abstractmethod
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the two halves of ``image`` under the choice ``draws``."""


class DiagonalDownsampler(Downsampler, source="Mansour & Heckel, Zero-Shot Noise2Noise, CVPR 2023"):
    """ZS-N2N's pair: of each 2x2 cell the mean of the anti-diagonal (first) and of the main diagonal (second).

    Example:
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 8.0]]]])
        >>> [half.item() for half in DiagonalDownsampler().pair(image, {})]
        [2.5, 4.5]
    """

    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the anti-diagonal and the main-diagonal means."""
        top_left, top_right, bottom_left, bottom_right = cells(image)
        return (top_right + bottom_left) / 2, (top_left + bottom_right) / 2


def cells(image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four pixels of each 2x2 cell (top left, top right, bottom left, bottom right), each half size.

    A reflected line completes odd sizes. It keeps the parity of rows and columns, so the diagonals of neighbouring
    cells still share no pixel, and hence no noise, with each other.

    Example:
        >>> [part.item() for part in cells(torch.arange(4.0).view(1, 1, 2, 2))]
        [0.0, 1.0, 2.0, 3.0]
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        image = F.pad(image, (0, width % 2, 0, height % 2), mode="reflect")
    return (
        image[..., 0::2, 0::2],
        image[..., 0::2, 1::2],
        image[..., 1::2, 0::2],
        image[..., 1::2, 1::2],
    )
