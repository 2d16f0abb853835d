"""What every loss is, and the terms that several methods share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Generator, Tensor

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

Batch = Mapping[str, Tensor]
"""``noisy`` always; ``target``, ``guide`` and ``level`` where the data or an earlier stage gives them."""

Terms = dict[str, Tensor]
"""The weighted terms of a loss by name; their sum is minimised."""


class Denoise(Protocol):
    """The network as a loss sees it: image to image, some taking tensors of the image's size by keyword (``mask=``)."""

    def __call__(self, image: Tensor, /, **extra: Tensor) -> Tensor:
        """Return the denoised image."""


class DenoisingLoss(Registered, ABC, kind="losses"):
    """A loss is a pure function of a denoising callable, a batch and its random draws; subclass it for your own.

    It knows nothing of networks, trainers or data. Masks weight and never index, and nothing calls ``.item()``: so the
    same loss trains one network or many stacked ones under ``torch.func.vmap``. It runs in float32.

    Example:
        >>> class Blur(DenoisingLoss):
        ...     def __init__(self, weight: float = 1.0) -> None:
        ...         self.weight = weight
        ...     def forward(self, denoise, batch, draws, progress):
        ...         return {"fit": self.weight * (denoise(batch["noisy"]) - batch["noisy"]).square().mean()}
        >>> Blur()(lambda image: 0 * image, {"noisy": torch.ones(1, 1, 2, 2)}, {}, 0.0)
        {'fit': tensor(1.)}
    """

    requires: tuple[str, ...] = ()
    """Keys that the batch must hold beyond ``noisy``."""

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return all that is random in one step, drawn by ``generator`` on its device."""
        return {}

    @abstractmethod
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the weighted terms; ``progress`` runs from 0 to 1 over the stage."""

    def __call__(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return ``forward(...)``."""
        return self.forward(denoise, batch, draws, progress)


class OnCrops(DenoisingLoss, source="a step on small squares, whatever the picture's size"):
    """Another loss, on random crops of the images: a stage of a fit may need less than the whole picture a step.

    All keys of the batch that are images are cropped alike, at even places, so that 2x2 cells stay what they are.

    Args:
        loss: what is computed on the crops.
        size: side of the crops, at most the image's.
        count: crops of each image.

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

    def __init__(self, loss: DenoisingLoss, size: int = 64, count: int = 2) -> None:
        if size < 2 or count < 1:
            raise UserError(f"OnCrops: size {size} and count {count} must be at least 2 and 1")
        self.loss = loss
        self.size = size
        self.count = count
        self.requires = loss.requires

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``top`` and ``left (B count,)`` of the crops, and what the loss draws for them."""
        noisy = batch["noisy"]
        number = len(noisy) * self.count
        top, left = (
            2 * torch.randint(max(1, (side - self.size) // 2 + 1), (number,), generator=generator, device=noisy.device)
            for side in noisy.shape[-2:]
        )
        inner = self.loss.draw(self._cut(batch, top, left), generator)
        return {**inner, "top": top, "left": left}

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the loss of the crops."""
        return self.loss(denoise, self._cut(batch, draws["top"], draws["left"]), draws, progress)

    def _cut(self, batch: Batch, top: Tensor, left: Tensor) -> dict[str, Tensor]:
        size = batch["noisy"].shape
        return {key: self._squares(value, top, left) if value.shape == size else value for key, value in batch.items()}

    def _squares(self, image: Tensor, top: Tensor, left: Tensor) -> Tensor:
        height, width = (min(self.size, side) for side in image.shape[-2:])
        rows = top[:, None] + torch.arange(height, device=image.device)
        columns = left[:, None] + torch.arange(width, device=image.device)
        owner = torch.arange(len(image), device=image.device).repeat_interleave(self.count)
        return image[owner[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def mse(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean squared difference over every element.

    Example:
        >>> mse(torch.zeros(2), torch.full((2,), 3.0)).item()
        9.0
    """
    return torch.nn.functional.mse_loss(first, second)
