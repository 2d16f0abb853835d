"""Working through a batch image by image."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def map_images(function: Callable[..., Tensor], images: Tensor, *others: Iterable[Any]) -> Tensor:
    """Return the results of ``function`` for every image ``(1, C, H, W)`` of a batch, as a batch.

    Args:
        function: takes an image, and one item from each of ``others``.
        images: ``(B, C, H, W)``.
        others: one item for each image.

    Example:
        >>> map_images(lambda image, factor: factor * image, torch.ones(2, 1, 1, 1), [3.0, 4.0]).flatten()
        tensor([3., 4.])
    """
    return torch.cat([function(*each) for each in zip(torch.split(images, 1), *others, strict=True)])
