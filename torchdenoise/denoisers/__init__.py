"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser, Stage
from torchdenoise.denoisers.downsamplers import DiagonalDownsampler, Downsampler
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.networks import Network, SmallCNN
from torchdenoise.denoisers.readouts import EightTurns, OnePass, Readout
from torchdenoise.denoisers.zsn2n import ZSN2N, ZSN2NLoss

__all__ = [
    "ZSN2N",
    "Denoiser",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Downsampler",
    "EightTurns",
    "Network",
    "OnePass",
    "Readout",
    "SmallCNN",
    "Stage",
    "ZSN2NLoss",
]
