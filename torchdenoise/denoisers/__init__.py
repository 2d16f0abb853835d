"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser, Stage
from torchdenoise.denoisers.downsamplers import DiagonalDownsampler, Downsampler
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.networks import (
    BatchNormUNet,
    GRDNet,
    N2NUNet,
    NB2NBUNet,
    Network,
    SmallCNN,
    UnshuffleCNN,
)
from torchdenoise.denoisers.readouts import EightTurns, OnePass, Readout
from torchdenoise.denoisers.zsn2n import ZSN2N, ZSN2NLoss

__all__ = [
    "ZSN2N",
    "BatchNormUNet",
    "Denoiser",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Downsampler",
    "EightTurns",
    "GRDNet",
    "N2NUNet",
    "NB2NBUNet",
    "Network",
    "OnePass",
    "Readout",
    "SmallCNN",
    "Stage",
    "UnshuffleCNN",
    "ZSN2NLoss",
]
