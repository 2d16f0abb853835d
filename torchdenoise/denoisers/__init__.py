"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser, SingleStage, Stage
from torchdenoise.denoisers.downsamplers import DiagonalDownsampler, Downsampler, RandomMaskDownsampler
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
from torchdenoise.denoisers.zsn2m import ZSN2M, GRDLoss, ZSN2MLoss, ZSN2MStar
from torchdenoise.denoisers.zsn2n import ZSN2N, ZSN2NLoss

__all__ = [
    "ZSN2M",
    "ZSN2N",
    "BatchNormUNet",
    "Denoiser",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Downsampler",
    "EightTurns",
    "GRDLoss",
    "GRDNet",
    "N2NUNet",
    "NB2NBUNet",
    "Network",
    "OnePass",
    "RandomMaskDownsampler",
    "Readout",
    "SingleStage",
    "SmallCNN",
    "Stage",
    "UnshuffleCNN",
    "ZSN2MLoss",
    "ZSN2MStar",
    "ZSN2NLoss",
]
