"""A loss on small squares of the picture."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.errors import UserError


class OnCrops(DenoisingLoss, source="a step on small squares, whatever the picture's size"):
    """Another loss, on random crops of the images: a step of a fit may need less than the whole picture.

    All keys of the batch that are images are cropped alike, at even places, so that 2x2 cells stay what they are.

    Args:
        loss: what is computed on the crops.
        size: side of the crops, at most the image's.
        count: crops of each image.
        turned: whether each crop gets a random one of the eight flips and quarter turns; its cells are then other ones.

    Raises:
        UserError: a size below 2 or a count below 1.

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

    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return what the loss measures in the whole images."""
        return self.loss.measure(noisy)

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``top`` and ``left (B count,)`` of the crops, their ``turn``, and what the loss draws for them."""
        noisy = batch["noisy"]
        number = len(noisy) * self.count
        sides = self._sides(noisy)
        place = {}
        for name, side, whole in zip(("top", "left"), sides, noisy.shape[-2:], strict=True):
            room = (whole - side) // 2 + 1
            place[name] = 2 * torch.randint(room, (number,), generator=generator, device=noisy.device)
        if self.turned:
            place["turn"] = torch.randint(8, (number,), generator=generator, device=noisy.device)
        return self.loss.draw(self._cut(batch, place), generator) | place

    def without_sampling(self, batch: Batch, draws: Mapping[str, Tensor]) -> tuple[DenoisingLoss, dict[str, Tensor]]:
        """Return the inner loss and the crops."""
        return self.loss.without_sampling(self._cut(batch, draws), draws)

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the loss of the crops."""
        return self.loss(denoise, self._cut(batch, draws), draws, progress)

    def _cut(self, batch: Batch, place: Mapping[str, Tensor]) -> dict[str, Tensor]:
        noisy = batch["noisy"]
        rows, columns = self._pixels(noisy, place)
        owner = torch.arange(len(noisy), device=noisy.device).repeat_interleave(self.count)[:, None, None]
        return {
            key: value[owner, :, rows, columns].movedim(-1, 1)
            if value.shape == noisy.shape
            else value.repeat_interleave(self.count, 0)
            for key, value in batch.items()
        }

    def _sides(self, image: Tensor) -> tuple[int, int]:
        """Return height and width of the crops; turned crops are square."""
        height, width = (min(self.size, side) for side in image.shape[-2:])
        return (min(height, width),) * 2 if self.turned else (height, width)

    def _pixels(self, image: Tensor, place: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the row and the column in the image of every pixel of every crop."""
        height, width = self._sides(image)
        row = torch.arange(height, device=image.device)[None, :, None]
        column = torch.arange(width, device=image.device)[None, None, :]
        if "turn" in place:
            turn = place["turn"][:, None, None]
            row, column = torch.where(turn >= 4, column, row), torch.where(turn >= 4, row, column)
            row = torch.where(turn % 2 == 1, height - 1 - row, row)
            column = torch.where(turn // 2 % 2 == 1, width - 1 - column, column)
        return place["top"][:, None, None] + row, place["left"][:, None, None] + column
