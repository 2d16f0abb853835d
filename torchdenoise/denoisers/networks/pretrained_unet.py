"""The networks whose weights come with the package."""

import hashlib

from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.denoisers.networks.residual_unet import ResidualUNet
from torchdenoise.denoisers.weight_files import KEY, located, read_weights, shipped_weights
from torchdenoise.errors import CheckpointError
from torchdenoise.paths import SHIPPED
from torchdenoise.stored_recipes import build

COLOUR = 3
"""Channels of the images that the colour network takes; others go through the grey one, each channel alone."""
PREFIX = "network."
"""Of a network's weights among those of its denoiser."""


class PretrainedUNet(Network, source="this project: docs/results/pretrained.md"):
    """A blind ``ResidualUNet`` with the weights that come with the package, for any noise it was trained on.

    RGB images go through the colour network; of other images each channel goes through the grey one.

    Args:
        channels: of the images; None takes them from the data.

    Raises:
        CheckpointError: the weights are missing or damaged.

    Example:
        >>> network, flat = PretrainedUNet(1).eval(), torch.full((1, 1, 64, 64), 0.5)
        >>> noisy = flat + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> (network(noisy) - flat).std() < 0.2 * noisy.std()
        tensor(True)
    """

    multiple = ResidualUNet.multiple

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.channels = channels or COLOUR
        path = located(f"{SHIPPED}{'colour' if self.channels == COLOUR else 'grey'}")
        stored = read_weights(path)
        weights = {name.removeprefix(PREFIX): value for name, value in stored["state_dict"].items()}
        try:
            self.inner: Network = build(stored[KEY]["recipe"]["init_args"]["network"])
            self.inner.load_state_dict(weights)
        except (RuntimeError, TypeError, KeyError) as error:
            raise CheckpointError(f"{path}: damaged ({type(error).__name__}): install torchdenoise again") from error
        self.reach = self.inner.reach

    @classmethod
    @override
    def state(cls) -> str:
        """Return the digests of all shipped weights."""
        files = (path.read_bytes() for path in shipped_weights().values())
        return " ".join([cls.__name__, *(hashlib.sha256(file).hexdigest() for file in files)])

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image; sides are multiples of ``multiple``."""
        if self.channels == self.inner.channels:
            result: Tensor = self.inner(image)
            return result
        apart: Tensor = self.inner(image.flatten(0, 1)[:, None])
        return apart.view_as(image)
