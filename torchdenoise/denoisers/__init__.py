"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.defaults import OwnParts
from torchdenoise.denoisers.downsamplers import DiagonalDownsampler, Downsampler, RandomMaskDownsampler
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.neighbor2neighbor import Neighbor2Neighbor, Neighbor2NeighborLoss, NeighborDownsampler
from torchdenoise.denoisers.networks import (
    BatchNormUNet,
    GRDNet,
    N2NUNet,
    NB2NBUNet,
    Network,
    SmallCNN,
    UnshuffleCNN,
)
from torchdenoise.denoisers.noise2clean import Noise2Clean
from torchdenoise.denoisers.noise2noise import Noise2Noise, TargetLoss
from torchdenoise.denoisers.optimizers import Muon
from torchdenoise.denoisers.readouts import EightTurns, OnePass, Readout
from torchdenoise.denoisers.schedules import RampDown
from torchdenoise.denoisers.single_stage import SingleStage
from torchdenoise.denoisers.stages import Stage
from torchdenoise.denoisers.zsn2m import ZSN2M, ZSN2MStar
from torchdenoise.denoisers.zsn2m_losses import GRDLoss, ZSN2MLoss
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
    "Muon",
    "N2NUNet",
    "NB2NBUNet",
    "Neighbor2Neighbor",
    "Neighbor2NeighborLoss",
    "NeighborDownsampler",
    "Network",
    "Noise2Clean",
    "Noise2Noise",
    "OnePass",
    "OwnParts",
    "RampDown",
    "RandomMaskDownsampler",
    "Readout",
    "SingleStage",
    "SmallCNN",
    "Stage",
    "TargetLoss",
    "UnshuffleCNN",
    "ZSN2MLoss",
    "ZSN2MStar",
    "ZSN2NLoss",
]
