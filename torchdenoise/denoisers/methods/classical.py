"""Methods without a network: there is nothing to fit."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.parts.schedules import adam, step_decay
from torchdenoise.denoisers.stages import Stage

Array = NDArray[np.float64]


class Classical(Denoiser):
    """A method that has nothing to fit: it denoises, predicts and is compared like the others; ``fit`` refuses it.

    Example:
        >>> class Blur(Classical):
        ...     def forward(self, image, **told):
        ...         return torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
        >>> Blur().restore(torch.eye(3).view(1, 1, 3, 3))[0, 0, 1, 1]
        tensor(0.3333)
    """

    def __init__(self) -> None:
        super().__init__(adam, step_decay)

    def stages(self) -> list[Stage]:
        """Return no stage at all."""
        return []

    @abstractmethod
    def forward(self, image: Tensor, **told: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped; ``told`` holds what the method ``requires``."""


def each(restore: Callable[..., Tensor], images: Tensor, *told: Any) -> Tensor:
    """Return what ``restore`` makes of every image ``(1, C, H, W)`` of a batch, and of what it is told of each.

    Example:
        >>> each(lambda image, factor: factor * image, torch.ones(2, 1, 1, 1), [3.0, 4.0]).flatten()
        tensor([3., 4.])
    """
    return torch.cat([restore(*one) for one in zip(torch.split(images, 1), *told, strict=True)])


def to_array(image: Tensor) -> Array:
    """Return an image ``(1, C, H, W)`` as an array ``(H, W, C)``."""
    return image[0].permute(1, 2, 0).detach().cpu().double().numpy()


def to_image(array: Array, like: Tensor) -> Tensor:
    """Return an array ``(H, W, C)`` as an image ``(1, C, H, W)`` of the dtype and on the device of ``like``."""
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None].to(like)
