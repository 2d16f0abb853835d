"""Methods without a network, which have nothing to fit."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.stages import Stage
from torchdenoise.noise.assumptions import Assumption

Array = NDArray[np.float64]


class Classical(Denoiser):
    """A method with nothing to fit: it denoises, predicts and is compared like the others; ``fit`` refuses it.

    Example:
        >>> class Blur(Classical):
        ...     def forward(self, image, **known):
        ...         return torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
        >>> Blur().restore(torch.eye(3).view(1, 1, 3, 3))[0, 0, 1, 1]
        tensor(0.3333)
    """

    assumes: ClassVar[tuple[Assumption, ...]] = (Assumption.INDEPENDENT, Assumption.UNIFORM)

    @override
    def stages(self) -> list[Stage]:
        """Return no stage."""
        return []

    @override
    @abstractmethod
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped; ``known`` holds what the method ``requires``."""


def to_array(image: Tensor) -> Array:
    """Return an image ``(1, C, H, W)`` as an array ``(H, W, C)``."""
    return image[0].permute(1, 2, 0).detach().cpu().double().numpy()


def to_image(array: Array, like: Tensor) -> Tensor:
    """Return an array ``(H, W, C)`` as an image ``(1, C, H, W)`` of the dtype and on the device of ``like``."""
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None].to(like)
