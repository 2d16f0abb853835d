"""Denoising methods and what they are made of."""

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.exporting import Exported, export
from torchdenoise.denoisers.loading import load
from torchdenoise.denoisers.methods.bm3d import BM3D, AnscombeBM3D, BM3DOracle
from torchdenoise.denoisers.methods.bm3d_correlated import BM3DCorrelated
from torchdenoise.denoisers.methods.classical import Classical
from torchdenoise.denoisers.methods.deep_image_prior import DeepImagePrior, DeepImagePriorLoss
from torchdenoise.denoisers.methods.mash import MASH
from torchdenoise.denoisers.methods.neighbor2neighbor import (
    Neighbor2Neighbor,
    Neighbor2NeighborLoss,
    NeighborDownsampler,
)
from torchdenoise.denoisers.methods.nl_ridge import NLRidge
from torchdenoise.denoisers.methods.nlr import NLR, NLRReal, RefillLoss, RefillMean
from torchdenoise.denoisers.methods.noise2fast import ChequerboardDownsampler, Noise2Fast, Noise2FastLoss
from torchdenoise.denoisers.methods.noise2noise import Noise2Clean, Noise2Noise, PSNRLoss, TargetLoss
from torchdenoise.denoisers.methods.noise2void import Noise2Void, Noise2VoidLoss
from torchdenoise.denoisers.methods.pixel2pixel import Pixel2Pixel, PixelBankLoss
from torchdenoise.denoisers.methods.pretrained import Pretrained
from torchdenoise.denoisers.methods.recorrupted import Recorrupted, RecorruptedLoss
from torchdenoise.denoisers.methods.scikit_image import Baseline, NLMeans, TotalVariation, Wavelet
from torchdenoise.denoisers.methods.self2self import Self2Self, Self2SelfLoss, Self2SelfMean
from torchdenoise.denoisers.methods.zsn2m import ZSN2M, GRDLoss, ZSN2MLoss, ZSN2MStar
from torchdenoise.denoisers.methods.zsn2n import ZSN2N, ZSN2NLoss
from torchdenoise.denoisers.networks import (
    BatchNormUNet,
    BlindSpotNet,
    GRDNet,
    N2NUNet,
    N2VUNet,
    NB2NBUNet,
    Network,
    Noise2FastNet,
    PartialUNet,
    PretrainedUNet,
    ResidualUNet,
    SigmoidCNN,
    SkipNet,
    SmallCNN,
    TwoScaleCNN,
    UnshuffleCNN,
)
from torchdenoise.denoisers.parts.accumulating import LastMean, RunningMean
from torchdenoise.denoisers.parts.capped_removal import CappedRemoval
from torchdenoise.denoisers.parts.crops import OnCrops
from torchdenoise.denoisers.parts.domains import Domain, IdentityDomain, Stabilized
from torchdenoise.denoisers.parts.downsamplers import DiagonalDownsampler, Downsampler, RandomMaskDownsampler
from torchdenoise.denoisers.parts.first_step import FirstStep, WithFirstStep
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.masking import MaskedLoss, MaskedMean, MaskingRatio
from torchdenoise.denoisers.parts.muon import Muon
from torchdenoise.denoisers.parts.nonlocal_ridge import NonLocalRidge
from torchdenoise.denoisers.parts.readouts import EightTurns, OnePass, Readout, WrappedReadout
from torchdenoise.denoisers.parts.schedules import RampDown, WarmDown
from torchdenoise.denoisers.parts.shuffles import CellShuffle, LocalShuffle, TileShuffle
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.denoisers.stack import Stack, stacking_obstacle
from torchdenoise.denoisers.stages import Stage
from torchdenoise.deprecation import renamed

__all__ = [
    "BM3D",
    "MASH",
    "NLR",
    "ZSN2M",
    "ZSN2N",
    "AnscombeBM3D",
    "BM3DCorrelated",
    "BM3DOracle",
    "Baseline",
    "BatchNormUNet",
    "BlindSpotNet",
    "CappedRemoval",
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
    "Exported",
    "FirstStep",
    "GRDLoss",
    "GRDNet",
    "IdentityDomain",
    "LastMean",
    "LocalShuffle",
    "MaskedLoss",
    "MaskedMean",
    "MaskingRatio",
    "MethodDefaults",
    "Muon",
    "N2NUNet",
    "N2VUNet",
    "NB2NBUNet",
    "NLMeans",
    "NLRReal",
    "NLRidge",
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
    "PSNRLoss",
    "PartialUNet",
    "Pixel2Pixel",
    "PixelBankLoss",
    "Pretrained",
    "PretrainedUNet",
    "RampDown",
    "RandomMaskDownsampler",
    "Readout",
    "Recorrupted",
    "RecorruptedLoss",
    "RefillLoss",
    "RefillMean",
    "ResidualUNet",
    "RunningMean",
    "Self2Self",
    "Self2SelfLoss",
    "Self2SelfMean",
    "SigmoidCNN",
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
    "WithFirstStep",
    "WrappedReadout",
    "ZSN2MLoss",
    "ZSN2MStar",
    "ZSN2NLoss",
    "export",
    "load",
    "stacking_obstacle",
]

__getattr__ = renamed(
    __name__,
    {
        "AsIs": "IdentityDomain",
        "Following": "WrappedReadout",
        "Limited": "CappedRemoval",
        "OwnParts": "MethodDefaults",
        "why_not": "stacking_obstacle",
    },
    globals(),
)
