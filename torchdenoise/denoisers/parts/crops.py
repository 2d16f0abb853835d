"""Another loss, computed on random crops."""

import copy
import functools
from collections.abc import Mapping
from typing import Self

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.errors import UserError
from torchdenoise.noise import Profiles


class OnCrops(DenoisingLoss, source="random cropping, as is usual in training"):
    """Another loss on random crops of the images, where a step needs less than the whole image.

    All batch entries of the noisy image's shape are cropped alike, at even offsets, so that crops keep the 2x2 cells of
    the image. The inner loss sees the turns of the crops as ``turn``.

    Args:
        loss: computed on the crops.
        size: side of the crops in pixels; limited to the image's.
        count: crops per image.
        turned: apply a random one of the eight flips and quarter turns to each crop.

    Raises:
        UserError: ``size`` below 2 or ``count`` below 1.

    Example:
        >>> loss = OnCrops(ZSN2NLoss(), size=8)
        >>> batch = {"noisy": torch.rand(1, 3, 20, 30)}
        >>> draws = loss.draw(batch, torch.Generator())
        >>> sizes = []
        >>> _ = loss(lambda image: sizes.append(tuple(image.shape)) or image, batch, draws, 0.0)
        >>> sizes
        [(4, 3, 4, 4), (2, 3, 8, 8)]
    """

    def __init__(self, loss: DenoisingLoss, size: int = 64, count: int = 2, turned: bool = False) -> None:
        if size < 2 or count < 1:
            raise UserError(f"OnCrops: size {size} and count {count} must be at least 2 and 1")
        self.loss = loss
        self.size = size
        self.count = count
        self.turned = turned
        self.requires = loss.requires

    @property
    @override
    def uses_noise(self) -> bool:
        """Whether the inner loss makes use of noise profiles."""
        return self.loss.uses_noise

    @override
    def with_noise(self, profiles: Profiles) -> Self:
        """Return a copy whose inner loss knows the noise, if it makes use of it."""
        inner = self.loss.with_noise(profiles)
        if inner is self.loss:
            return self
        aware = copy.copy(self)
        aware.loss = inner
        return aware

    @override
    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return the inner loss's measurements of the whole images."""
        return self.loss.measure(noisy)

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the crops' ``top``, ``left`` and ``turn (B count,)``, and the inner loss's draws for the crops."""
        noisy = batch["noisy"]
        number = len(noisy) * self.count
        sides = self._sides(noisy)
        places = {}
        for name, side, whole in zip(("top", "left"), sides, noisy.shape[-2:], strict=True):
            offsets = (whole - side) // 2 + 1
            places[name] = 2 * torch.randint(offsets, (number,), generator=generator, device=noisy.device)
        if self.turned:
            places["turn"] = torch.randint(8, (number,), generator=generator, device=noisy.device)
        return self.loss.draw(self._crop(batch, places), generator) | places

    @override
    def without_sampling(self, batch: Batch, draws: Mapping[str, Tensor]) -> tuple[DenoisingLoss, dict[str, Tensor]]:
        """Return the inner loss and the crops."""
        return self.loss.without_sampling(self._crop(batch, draws), draws)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the inner loss of the crops."""
        return self.loss(denoise, self._crop(batch, draws), draws, progress)

    def _crop(self, batch: Batch, places: Mapping[str, Tensor]) -> dict[str, Tensor]:
        noisy = batch["noisy"]
        number, (height, width), row = len(noisy), self._sides(noisy), noisy.shape[-1]
        corners = places["top"] * row + places["left"]
        pixels = corners[:, None, None] + _offsets(height, width, row, noisy.device)[places.get("turn", 0)]
        index = pixels.view(number, 1, -1)

        def crops(value: Tensor) -> Tensor:
            chosen = value.flatten(2).gather(2, index.expand(-1, value.shape[1], -1))
            return chosen.view(number, -1, self.count, height, width).movedim(2, 1).flatten(0, 1)

        cropped = {
            key: crops(value) if value.shape == noisy.shape else value.repeat_interleave(self.count, 0)
            for key, value in batch.items()
        }
        return cropped | {"turn": places["turn"]} if self.turned else cropped

    def _sides(self, image: Tensor) -> tuple[int, int]:
        """Return the height and width of the crops; turned crops are square."""
        height, width = (min(self.size, side) for side in image.shape[-2:])
        return (min(height, width),) * 2 if self.turned else (height, width)


def turned(images: Tensor, turn: Tensor) -> Tensor:
    """Return square images, each after its own flip or quarter turn, as ``OnCrops`` turns its crops.

    Args:
        images: ``(N, C, S, S)``.
        turn: numbers from 0, which changes nothing, to 7, ``(N,)``.

    Example:
        >>> turned(torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([1]))[0, 0]
        tensor([[2., 3.],
                [0., 1.]])
    """
    side = images.shape[-1]
    index = _offsets(side, side, side, images.device)[turn].view(len(images), 1, -1)
    return images.flatten(2).gather(2, index.expand(-1, images.shape[1], -1)).view(images.shape)


@functools.lru_cache(maxsize=16)
def _offsets(height: int, width: int, row: int, device: torch.device) -> Tensor:
    """Return where in an image each pixel of a crop lies, from the crop's corner, ``(turns, height, width)``.

    There are eight turns if the crop is square, else one, which changes nothing.

    Args:
        height: of the crop.
        width: of the crop.
        row: pixels of a row of the image.
        device: of the image.
    """
    with torch.inference_mode(False):  # a prediction may ask first
        number = 8 if height == width else 1
        turn = torch.arange(number, device=device)[:, None, None]
        down, right = (torch.arange(size, device=device) for size in (height, width))
        down, right = down[None, :, None], right[None, None, :]
        down, right = torch.where(turn >= 4, right, down), torch.where(turn >= 4, down, right)
        down = torch.where(turn % 2 == 1, height - 1 - down, down)
        right = torch.where(turn // 2 % 2 == 1, width - 1 - right, right)
        return down * row + right
