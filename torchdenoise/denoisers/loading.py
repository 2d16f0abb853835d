"""Trained networks as plain modules."""

from pathlib import Path

from torch import nn

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks.calling import PaddedNetwork
from torchdenoise.denoisers.weight_files import shipped_weights
from torchdenoise.paths import SHIPPED


def load(name: str | Path) -> nn.Module:
    """Return a trained network as a module in evaluation mode, for loops of your own such as plug-and-play.

    It maps images ``(B, C, H, W)`` in 0..1 of any size to denoised ones. Only the network is used: no domain, no
    readout, and nothing is measured. Gradients flow through it.

    Args:
        name: of weights that come with the package, ``colour`` or ``grey``; or the path of a checkpoint or of a
            safetensors file that this package wrote.

    Raises:
        CheckpointError: no such weights, or damaged ones.

    Example:
        >>> denoise = load("colour")
        >>> denoise(torch.rand(1, 3, 33, 47)).shape
        torch.Size([1, 3, 33, 47])
    """
    shipped = f"{SHIPPED}{name}"
    return PaddedNetwork(Denoiser.load(shipped if shipped in shipped_weights() else name).result_network).eval()
