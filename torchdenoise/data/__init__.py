"""Data: picture files, scaling, and the data modules that feed one picture or a data set."""

from torchdenoise.data.axes import Axes
from torchdenoise.data.base import DenoisingData
from torchdenoise.data.crops import centre_crop
from torchdenoise.data.files import (
    check_output,
    check_planes_output,
    open_planes,
    read_picture,
    scene_names,
    write_picture,
    write_planes,
)
from torchdenoise.data.formats import PictureFormat
from torchdenoise.data.frames import ArrayPlanes, Frames, Planes
from torchdenoise.data.image_folder import ImageFolder
from torchdenoise.data.pairs import PairFolder
from torchdenoise.data.partners import read_partners
from torchdenoise.data.picture import Picture
from torchdenoise.data.scaling import Scaling
from torchdenoise.data.single import SeveralImages, SingleImage
from torchdenoise.deprecation import renamed
from torchdenoise.paths import find_pictures

__all__ = [
    "ArrayPlanes",
    "Axes",
    "DenoisingData",
    "Frames",
    "ImageFolder",
    "PairFolder",
    "Picture",
    "PictureFormat",
    "Planes",
    "Scaling",
    "SeveralImages",
    "SingleImage",
    "centre_crop",
    "check_output",
    "check_planes_output",
    "find_pictures",
    "open_planes",
    "read_partners",
    "read_picture",
    "scene_names",
    "write_picture",
    "write_planes",
]

__getattr__ = renamed(__name__, {"read_alike": "read_partners"}, globals())
