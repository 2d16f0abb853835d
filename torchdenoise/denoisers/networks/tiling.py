"""Pictures too large for a network in one piece."""

from collections.abc import Mapping

import torch
from torch import Tensor

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.denoisers.networks.padding import padded_call

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
