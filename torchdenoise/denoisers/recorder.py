"""A network as a loss or a readout sees it."""

import torch
from torch import Tensor

from torchdenoise.denoisers.parts.losses import Denoise


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
