"""Network architectures, one file each."""

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.denoisers.networks.blind_spot_net import BlindSpotNet
from torchdenoise.denoisers.networks.n2v_unet import N2VUNet
from torchdenoise.denoisers.networks.noise2fast_net import Noise2FastNet
from torchdenoise.denoisers.networks.partial_unet import PartialUNet
from torchdenoise.denoisers.networks.pretrained_unet import PretrainedUNet
from torchdenoise.denoisers.networks.residual_unet import ResidualUNet
from torchdenoise.denoisers.networks.skip_net import SkipNet
from torchdenoise.denoisers.networks.small_cnn import SigmoidCNN, SmallCNN
from torchdenoise.denoisers.networks.two_scale import TwoScaleCNN
from torchdenoise.denoisers.networks.unet import BatchNormUNet, GRDNet, N2NUNet, NB2NBUNet
from torchdenoise.denoisers.networks.unshuffle_cnn import UnshuffleCNN

__all__ = [
    "BatchNormUNet",
    "BlindSpotNet",
    "GRDNet",
    "N2NUNet",
    "N2VUNet",
    "NB2NBUNet",
    "Network",
    "Noise2FastNet",
    "PartialUNet",
    "PretrainedUNet",
    "ResidualUNet",
    "SigmoidCNN",
    "SkipNet",
    "SmallCNN",
    "TwoScaleCNN",
    "UnshuffleCNN",
]
