"""The images of all scales, each made from the result at the coarser one."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.pyramid import Pyramid
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.noise import NoiseProfile

Read = Callable[[Network, Tensor, NoiseProfile], Tensor]
"""Returns the result at a scale from its network, its image ``(1, C, H, W)`` and the noise of that."""


class CoarseToFine:
    """The images of a pyramid's scales, kept with the source of the results that they were made from.

    A fit reads each coarser scale once, when the next stage begins. The prediction after it uses the same results, but
    not if weights, readout or seed have changed since. It compares the weights themselves, because a callback may have
    replaced them.

    Args:
        pyramid: of the image.
    """

    def __init__(self, pyramid: Pyramid) -> None:
        self.pyramid = pyramid
        self._levels = [pyramid.level(0, None)]
        self._sources: list[_Source] = []

    def level(
        self, number: int, networks: Sequence[Network], readout: Readout, seed: int, read: Read
    ) -> tuple[Tensor, NoiseProfile]:
        """Return the image to denoise at a scale, and its noise.

        Args:
            number: of the scale, 0 for the coarsest.
            networks: of all scales.
            readout: that ``read`` uses.
            seed: of its random draws.
            read: returns the result at a coarser scale.
        """
        for coarser, network in enumerate(networks[:number]):
            if coarser < len(self._sources) and self._sources[coarser].matches(network, readout, seed):
                continue
            del self._sources[coarser:], self._levels[coarser + 1 :]
            result = read(network, *self._levels[coarser])
            self._sources.append(_Source(network, readout, seed))
            self._levels.append(self.pyramid.level(coarser + 1, result))
        return self._levels[number]


class _Source:
    """What a result was read from; it holds a copy of the weights."""

    def __init__(self, network: Network, readout: Readout, seed: int) -> None:
        self._weights = [each.detach().clone() for each in _weights(network)]
        self._readout = readout
        self._seed = seed

    def matches(self, network: Network, readout: Readout, seed: int) -> bool:
        """Return whether a network has the same weights, and readout and seed are the same."""
        weights = _weights(network)
        return (
            self._readout is readout
            and self._seed == seed
            and len(weights) == len(self._weights)
            and all(_equal(*pair) for pair in zip(weights, self._weights, strict=True))
        )


def _weights(network: Network) -> list[Tensor]:
    return list(itertools.chain(network.parameters(), network.buffers()))


def _equal(first: Tensor, second: Tensor) -> bool:
    return (first.dtype, first.device) == (second.dtype, second.device) and torch.equal(first, second)
