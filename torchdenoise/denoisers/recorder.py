"""A network as a loss or a readout sees it."""

import functools

import torch
from torch import Tensor

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.denoisers.parts.losses import Denoise


class Recorder:
    """Float32 out, whatever the precision inside: what is around a network is not autocast; keeps the last output.

    Args:
        call: the network, images of any size.
        kind: of device that it is on.
    """

    def __init__(self, call: Denoise, kind: str) -> None:
        self.call = call
        self.kind = kind
        self.output = torch.empty(0)
        self.autocast = torch.is_autocast_enabled(kind)
        self.dtype = torch.get_autocast_dtype(kind)

    @classmethod
    def of(cls, network: Network, kind: str) -> "Recorder":
        """Return a network as a recorder."""
        return cls(functools.partial(_padded, network), kind)

    def __call__(self, image: Tensor, /, **extra: Tensor) -> Tensor:
        """Return the denoised image."""
        with torch.autocast(self.kind, self.dtype, enabled=self.autocast):
            self.output = self.call(image, **extra).float()
        return self.output


def _padded(network: Network, image: Tensor, /, **extra: Tensor) -> Tensor:
    return padded_call(network, image, extra)
