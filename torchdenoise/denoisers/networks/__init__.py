"""Networks by name."""

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.denoisers.networks.small_cnn import SmallCNN

__all__ = ["Network", "SmallCNN"]
