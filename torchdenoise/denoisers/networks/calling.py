"""Calling a network on images of any size: padding for those that take only some sizes, tiles for large images."""

import functools
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError


def padded_call(network: Network, image: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """Return ``network(image, **extra)`` for images ``(B, C, H, W)`` of any size.

    The image, and every extra tensor of its height and width, is padded at the bottom and on the right by reflection
    to what the network takes, and the result is cropped back.

    Raises:
        UserError: the network does not take one of the extra tensors.
    """
    for name in extra:
        if not _takes(type(network), name):
            raise UserError(
                f"{type(network).__name__} takes no {name}, which the loss or the readout hands to the network: "
                f"leave the network to the method, or choose one whose forward takes {name}="
            )
    height, width = image.shape[-2:]
    below, right = (_missing(size, network.multiple, network.minimum) for size in (height, width))
    if not below and not right:
        result: Tensor = network(image, **extra)
        return result
    grown = {
        name: reflect(value, below, right) if value.shape[-2:] == image.shape[-2:] else value
        for name, value in extra.items()
    }
    result = network(reflect(image, below, right), **grown)
    return result[..., :height, :width]


def reflect(image: Tensor, below: int, right: int) -> Tensor:
    """Return the image with ``below`` more rows and ``right`` more columns, reflected as often as it takes.

    A single line is repeated.

    Example:
        >>> import torch
        >>> reflect(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 0, 4)
        tensor([[[[1., 2., 3., 2., 1., 2., 3.]]]])
    """
    if image.shape[-2] == 1:  # one line has nothing to reflect
        image, below = F.pad(image, (0, 0, 0, below), mode="replicate"), 0
    if image.shape[-1] == 1:
        image, right = F.pad(image, (0, right, 0, 0), mode="replicate"), 0
    while below or right:
        rows, columns = min(below, image.shape[-2] - 1), min(right, image.shape[-1] - 1)
        image = F.pad(image, (0, columns, 0, rows), mode="reflect")
        below, right = below - rows, right - columns
    return image


@functools.cache
def _takes(network: type[Network], name: str) -> bool:
    parameters = inspect.signature(network.forward).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _missing(size: int, multiple: int, minimum: int) -> int:
    target = max(size, minimum)
    return -(-target // multiple) * multiple - size


TILE = 512
"""Side of a tile, without its margin."""


def tiled_call(network: Network, image: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """Return ``padded_call(network, image, extra)``, computed tile by tile where that saves memory.

    Each tile is computed with a margin as wide as the network's ``reach``, which is then cut off: no seam, and the same
    result. A network that does not know its reach is called once.
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
            parts = {name: _cut(value, image, rows, columns) for name, value in extra.items()}
            tile = padded_call(network, image[..., rows, columns], parts)
            inner = tile[..., top - first_row :, left - first_column :][..., :step, :step]
            result[..., top : top + step, left : left + step] = inner
    return result


def _cut(value: Tensor, image: Tensor, rows: slice, columns: slice) -> Tensor:
    return value[..., rows, columns] if value.shape[-2:] == image.shape[-2:] else value
