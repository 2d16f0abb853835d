"""Data: picture files, scaling, and the data modules that feed one picture or a data set."""

from torchdenoise.data.base import DenoisingData
from torchdenoise.data.crops import centre_crop
from torchdenoise.data.files import check_output, read_picture, write_picture
from torchdenoise.data.formats import PictureFormat
from torchdenoise.data.image_folder import ImageFolder
from torchdenoise.data.pairs import PairFolder
from torchdenoise.data.partners import read_partners
from torchdenoise.data.picture import Picture
from torchdenoise.data.scaling import Scaling
from torchdenoise.data.single import SeveralImages, SingleImage
from torchdenoise.deprecation import renamed
from torchdenoise.paths import find_pictures

__all__ = [
    "DenoisingData",
    "ImageFolder",
    "PairFolder",
    "Picture",
    "PictureFormat",
    "Scaling",
    "SeveralImages",
    "SingleImage",
    "centre_crop",
    "check_output",
    "find_pictures",
    "read_partners",
    "read_picture",
    "write_picture",
]

__getattr__ = renamed(__name__, {"read_alike": "read_partners"}, globals())
