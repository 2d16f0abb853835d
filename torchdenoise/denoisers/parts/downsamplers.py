"""Downsamplers: split a noisy image into two half-size images of the same scene with independent noise."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

Draws = dict[str, Tensor]
"""The random choices of one step, as tensors."""


class Downsampler(Registered, ABC, kind="downsamplers"):
    """Splits images ``(B, C, H, W)`` into two smaller ones, usually ``(B, C, ceil(H/2), ceil(W/2))``.

    The random choice is a value, so that the same choice can be applied to the noisy and to the denoised image: all
    randomness belongs in ``draw``, and ``pair`` is a pure function. Height and width are at least 2; odd sizes are
    padded by reflection.

    Keep constructor arguments that are objects as attributes of the same name: checkpoints describe them from there.

    Example:
        >>> down = DiagonalDownsampler()
        >>> noisy = torch.rand(1, 3, 5, 6)
        >>> first, second = down.pair(noisy, down.draw(noisy))
        >>> first.shape
        torch.Size([1, 3, 3, 3])
    """

    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:  # noqa: ARG002
        """Return the random choice for these images; empty if nothing is random."""
        return {}

    @abstractmethod
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the two halves of ``image`` for the choice ``draws``."""


class DiagonalDownsampler(Downsampler, source="Mansour & Heckel, Zero-Shot Noise2Noise, CVPR 2023"):
    """ZS-N2N's pair: the means of each 2x2 cell's anti-diagonal (first) and main diagonal (second).

    Example:
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 8.0]]]])
        >>> [half.item() for half in DiagonalDownsampler().pair(image, {})]
        [2.5, 4.5]
    """

    @override
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the anti-diagonal and the main-diagonal means."""
        top_left, top_right, bottom_left, bottom_right = cells(image)
        return (top_right + bottom_left) / 2, (top_left + bottom_right) / 2


class RandomMaskDownsampler(Downsampler, source="Liu, Shi et al., Zero-Shot Noise2Mean, AAAI 2025, section RM"):
    """ZS-N2M's pair: the two diagonal means, swapped where a random mask is zero.

    With the diagonal means ``D1, D2`` and a mask ``M``, half of it ones (rounded down)::

        first  = D1 M + D2 (1 - M)
        second = D1 (1 - M) + D2 M

    Args:
        per_channel: draw the mask for each channel (the paper's H/2 x W/2 x C), instead of one for all channels.
        masks: number of fixed masks to choose from; None draws a new mask at every step.

    Raises:
        UserError: ``masks`` below 1.

    Example:
        >>> down = RandomMaskDownsampler()
        >>> image = torch.rand(1, 3, 4, 4)
        >>> draws = down.draw(image, torch.Generator().manual_seed(0))
        >>> draws["mask"].shape, draws["mask"].sum().item()
        (torch.Size([1, 3, 2, 2]), 6.0)
    """

    def __init__(self, per_channel: bool = True, masks: int | None = None) -> None:
        if masks is not None and masks < 1:
            raise UserError(f"RandomMaskDownsampler: masks {masks} must be at least 1")
        self.per_channel = per_channel
        self.masks = masks

    @override
    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:
        """Return ``mask (B, C or 1, H/2, W/2)`` of zeros and ones."""
        batch, channels, height, width = noisy.shape
        shape = (channels if self.per_channel else 1, -(-height // 2), -(-width // 2))
        return {"mask": torch.stack([self._mask(shape, noisy, generator) for _ in range(batch)])}

    def _mask(self, shape: tuple[int, int, int], noisy: Tensor, generator: Generator | None) -> Tensor:
        if self.masks is not None:
            number = torch.randint(self.masks, (1,), generator=generator, device=noisy.device)
            generator = Generator(noisy.device).manual_seed(int(number))
        count = shape[0] * shape[1] * shape[2]
        order = torch.randperm(count, generator=generator, device=noisy.device)
        return (order < count // 2).to(noisy.dtype).view(shape)

    @override
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the diagonal means, swapped where the mask is zero."""
        first, second = DiagonalDownsampler().pair(image, {})
        mask = draws["mask"]
        return first * mask + second * (1 - mask), first * (1 - mask) + second * mask


def cells(image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four pixels of each 2x2 cell (top left, top right, bottom left, bottom right), each at half size.

    Odd sizes are padded by reflection, which keeps the parity of rows and columns: the diagonals of neighbouring cells
    still share no pixel and therefore no noise.

    Example:
        >>> [part.item() for part in cells(torch.arange(4.0).view(1, 1, 2, 2))]
        [0.0, 1.0, 2.0, 3.0]
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        image = F.pad(image, (0, width % 2, 0, height % 2), mode="reflect")
    return (  # views: pixel_unshuffle would copy, at twice the time without gradients
        image[..., 0::2, 0::2],
        image[..., 0::2, 1::2],
        image[..., 1::2, 0::2],
        image[..., 1::2, 1::2],
    )
