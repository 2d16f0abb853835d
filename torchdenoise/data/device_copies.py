"""Tensors of images that a fit sees again at every step, copied to its device once."""

import torch
from torch import Tensor

from torchdenoise.data.datasets import Item


class DeviceCopies:
    """Copies items of a fit to a device; the same tensor is the same copy again, so that no step waits for one.

    It holds the tensors and their copies.

    Example:
        >>> moved, image = DeviceCopies(), torch.zeros(1, 1, 8, 8)
        >>> first, second = (moved({"noisy": image}, torch.device("meta"))["noisy"] for _ in range(2))
        >>> first.device.type, first is second
        ('meta', True)
    """

    def __init__(self) -> None:
        self._copies: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def __call__(self, item: Item, device: torch.device) -> Item:
        """Return an item on a device."""
        return {key: self._copy(tensor, device) for key, tensor in item.items()}

    def clear(self) -> None:
        """Forget all copies."""
        self._copies.clear()

    def _copy(self, tensor: Tensor, device: torch.device) -> Tensor:
        if tensor.device == device:
            return tensor
        known = self._copies.get((id(tensor), device))
        if known is None:
            known = self._copies[id(tensor), device] = tensor, tensor.to(device)  # a tensor that lives keeps its id
        return known[1]
