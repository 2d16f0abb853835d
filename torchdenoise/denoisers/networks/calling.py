"""Calling a network on images of any size: padding to the sizes it takes, tiling of large images."""

import functools
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError

TILE = 512
"""Side of a tile in pixels, without its margin."""


class PaddedNetwork(nn.Module):
    """A network as a callable for images of any size: ``padded_call`` as a module.

    Example:
        >>> from torchdenoise.denoisers import UnshuffleCNN
        >>> PaddedNetwork(UnshuffleCNN(1, width=4))(torch.rand(1, 1, 5, 7)).shape
        torch.Size([1, 1, 5, 7])
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, image: Tensor, /, **extra: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image."""
        return padded_call(self.network, image, extra)


def padded_call(network: Network, image: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """Return ``network(image, **extra)`` for images ``(B, C, H, W)`` of any size.

    The image, and every extra tensor of its height and width, is padded by reflection at the bottom and on the right to
    a size that the network takes; the result is cropped back.

    Raises:
        UserError: the network does not take one of the extra tensors.
    """
    for name in extra:
        if not _accepts(type(network), name):
            raise UserError(
                f"{type(network).__name__} takes no {name}, which the loss or the readout passes to the network: "
                f"use the method's default network, or one whose forward takes {name}="
            )
    height, width = image.shape[-2:]
    below, right = (_missing(size, network.multiple, network.minimum) for size in (height, width))
    if not below and not right:
        result: Tensor = network(image, **extra)
        return result
    padded = {
        name: reflect(value, below, right) if value.shape[-2:] == image.shape[-2:] else value
        for name, value in extra.items()
    }
    result = network(reflect(image, below, right), **padded)
    return result[..., :height, :width]


def tiled_call(network: Network, image: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """Return ``padded_call(network, image, extra)``, tile by tile where that saves memory.

    Each tile gets a margin as wide as the network's ``reach``, which is cropped afterwards, so tiles leave no seams.
    A network with unknown ``reach`` is called once on the whole image.
    """
    height, width = image.shape[-2:]
    if network.reach is None or max(height, width) <= TILE:
        return padded_call(network, image, extra)
    step = -(-TILE // network.multiple) * network.multiple
    margin = -(-network.reach // network.multiple) * network.multiple
    result = torch.empty_like(image, memory_format=torch.contiguous_format)
    for top in range(0, height, step):
        for left in range(0, width, step):
            first_row, first_column = max(0, top - margin), max(0, left - margin)
            rows, columns = slice(first_row, top + step + margin), slice(first_column, left + step + margin)
            extra_tiles = {name: _crop(value, image, rows, columns) for name, value in extra.items()}
            tile = padded_call(network, image[..., rows, columns], extra_tiles)
            inner = tile[..., top - first_row :, left - first_column :][..., :step, :step]
            result[..., top : top + step, left : left + step] = inner
    return result


def reflect(image: Tensor, below: int, right: int) -> Tensor:
    """Return the image padded by reflection with ``below`` rows and ``right`` columns, as many as you like.

    An image of one row or column is padded by repeating it.

    Example:
        >>> import torch
        >>> reflect(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 0, 4)
        tensor([[[[1., 2., 3., 2., 1., 2., 3.]]]])
    """
    if image.shape[-2] == 1:  # one row has nothing to reflect
        image, below = F.pad(image, (0, 0, 0, below), mode="replicate"), 0
    if image.shape[-1] == 1:
        image, right = F.pad(image, (0, right, 0, 0), mode="replicate"), 0
    while below or right:  # PyTorch reflects less than one image size at a time
        rows, columns = min(below, image.shape[-2] - 1), min(right, image.shape[-1] - 1)
        image = F.pad(image, (0, columns, 0, rows), mode="reflect")
        below, right = below - rows, right - columns
    return image


@functools.cache
def _accepts(network: type[Network], name: str) -> bool:
    parameters = inspect.signature(network.forward).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _missing(size: int, multiple: int, minimum: int) -> int:
    """Return how many pixels a side lacks to the next size that a network takes."""
    return -(-max(size, minimum) // multiple) * multiple - size


def _crop(value: Tensor, image: Tensor, rows: slice, columns: slice) -> Tensor:
    return value[..., rows, columns] if value.shape[-2:] == image.shape[-2:] else value
