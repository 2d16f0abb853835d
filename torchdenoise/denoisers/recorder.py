"""A network as a loss or a readout sees it."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.denoisers.parts.losses import Denoise


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


class Recorder:
    """Calls a network under the autocast of where it was created, returns float32 and keeps the last output.

    Losses and readouts run outside autocast; only the network inside them runs in lower precision.

    Args:
        call: the network, for images of any size.
        device_type: where it runs, such as ``"cpu"``.
    """

    def __init__(self, call: Denoise, device_type: str) -> None:
        self.call = call
        self.device_type = device_type
        self.output = torch.empty(0)
        self.autocast = torch.is_autocast_enabled(device_type)
        self.dtype = torch.get_autocast_dtype(device_type)

    def __call__(self, image: Tensor, /, **extra: Tensor) -> Tensor:
        """Return the denoised image."""
        with torch.autocast(self.device_type, self.dtype, enabled=self.autocast):
            self.output = self.call(image, **extra).float()
        return self.output
