"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.baselines import Baseline, NLMeans, TotalVariation, Wavelet
from torchdenoise.denoisers.bm3d import BM3D, AnscombeBM3D, BM3DOracle
from torchdenoise.denoisers.classical import Classical
from torchdenoise.denoisers.crops import OnCrops
from torchdenoise.denoisers.deep_image_prior import DeepImagePrior, DeepImagePriorLoss
from torchdenoise.denoisers.defaults import OwnParts
from torchdenoise.denoisers.domains import AsIs, Domain, Stabilized
from torchdenoise.denoisers.downsamplers import DiagonalDownsampler, Downsampler, RandomMaskDownsampler
from torchdenoise.denoisers.gathered import LastMean, RunningMean
from torchdenoise.denoisers.limited import Limited
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.mash import MASH
from torchdenoise.denoisers.masking import MaskedLoss, MaskedMean, MaskingRatio
from torchdenoise.denoisers.neighbor2neighbor import Neighbor2Neighbor, Neighbor2NeighborLoss, NeighborDownsampler
from torchdenoise.denoisers.networks import (
    BatchNormUNet,
    GRDNet,
    N2NUNet,
    N2VUNet,
    NB2NBUNet,
    Network,
    Noise2FastNet,
    PartialUNet,
    SkipNet,
    SmallCNN,
    TwoScaleCNN,
    UnshuffleCNN,
)
from torchdenoise.denoisers.noise2clean import Noise2Clean
from torchdenoise.denoisers.noise2fast import ChequerboardDownsampler, Noise2Fast, Noise2FastLoss
from torchdenoise.denoisers.noise2noise import Noise2Noise, TargetLoss
from torchdenoise.denoisers.noise2void import Noise2Void, Noise2VoidLoss
from torchdenoise.denoisers.optimizers import Muon
from torchdenoise.denoisers.readouts import EightTurns, Following, OnePass, Readout
from torchdenoise.denoisers.recorrupted import Recorrupted, RecorruptedLoss
from torchdenoise.denoisers.ridge import NonLocalRidge
from torchdenoise.denoisers.schedules import RampDown, WarmDown
from torchdenoise.denoisers.self2self import Self2Self, Self2SelfLoss, Self2SelfMean
from torchdenoise.denoisers.shuffles import CellShuffle, LocalShuffle, TileShuffle
from torchdenoise.denoisers.single_stage import SingleStage
from torchdenoise.denoisers.stack import Stack, why_not
from torchdenoise.denoisers.stages import Stage
from torchdenoise.denoisers.zsn2m import ZSN2M, ZSN2MStar
from torchdenoise.denoisers.zsn2m_losses import GRDLoss, ZSN2MLoss
from torchdenoise.denoisers.zsn2n import ZSN2N, ZSN2NLoss

__all__ = [
    "BM3D",
    "MASH",
    "ZSN2M",
    "ZSN2N",
    "AnscombeBM3D",
    "AsIs",
    "BM3DOracle",
    "Baseline",
    "BatchNormUNet",
    "CellShuffle",
    "ChequerboardDownsampler",
    "Classical",
    "DeepImagePrior",
    "DeepImagePriorLoss",
    "Denoiser",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Domain",
    "Downsampler",
    "EightTurns",
    "Following",
    "GRDLoss",
    "GRDNet",
    "LastMean",
    "Limited",
    "LocalShuffle",
    "MaskedLoss",
    "MaskedMean",
    "MaskingRatio",
    "Muon",
    "N2NUNet",
    "N2VUNet",
    "NB2NBUNet",
    "NLMeans",
    "Neighbor2Neighbor",
    "Neighbor2NeighborLoss",
    "NeighborDownsampler",
    "Network",
    "Noise2Clean",
    "Noise2Fast",
    "Noise2FastLoss",
    "Noise2FastNet",
    "Noise2Noise",
    "Noise2Void",
    "Noise2VoidLoss",
    "NonLocalRidge",
    "OnCrops",
    "OnePass",
    "OwnParts",
    "PartialUNet",
    "RampDown",
    "RandomMaskDownsampler",
    "Readout",
    "Recorrupted",
    "RecorruptedLoss",
    "RunningMean",
    "Self2Self",
    "Self2SelfLoss",
    "Self2SelfMean",
    "SingleStage",
    "SkipNet",
    "SmallCNN",
    "Stabilized",
    "Stack",
    "Stage",
    "TargetLoss",
    "TileShuffle",
    "TotalVariation",
    "TwoScaleCNN",
    "UnshuffleCNN",
    "WarmDown",
    "Wavelet",
    "ZSN2MLoss",
    "ZSN2MStar",
    "ZSN2NLoss",
    "why_not",
]
