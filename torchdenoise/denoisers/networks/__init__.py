"""Networks by name."""

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.denoisers.networks.small_cnn import SmallCNN
from torchdenoise.denoisers.networks.unet import BatchNormUNet, GRDNet, N2NUNet, NB2NBUNet
from torchdenoise.denoisers.networks.unshuffle_cnn import UnshuffleCNN

__all__ = ["BatchNormUNet", "GRDNet", "N2NUNet", "NB2NBUNet", "Network", "SmallCNN", "UnshuffleCNN"]
