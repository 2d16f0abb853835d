"""A format that is like PGM, as a user would add it: the one file that a new format needs."""

import re

import numpy as np

from torchdenoise.data import PictureFormat
from torchdenoise.errors import PictureError


class Graymap(PictureFormat, source="https://netpbm.sourceforge.net/doc/pgm.html"):
    """Grey, 8 and 16 bits, uncompressed."""

    suffixes = (".gray", ".graymap")
    magic = (b"G5",)

    def read(self, file):
        data = file.read()
        header = re.match(rb"G5\s+(\d+)\s+(\d+)\s+(\d+)\s", data)
        width, height, white = (int(number) for number in header.groups())
        array = np.frombuffer(data, ">u2" if white > 255 else "u1", width * height, header.end())
        return array.reshape(height, width).astype(np.uint16 if white > 255 else np.uint8), {"extra": {"white": white}}

    def write(self, array, like):
        white = like.extra.get("white", np.iinfo(array.dtype).max)
        height, width = array.shape[:2]
        pixels = np.minimum(array, white).astype(array.dtype.newbyteorder(">"))
        return b"G5 %d %d %d\n" % (width, height, white) + pixels.tobytes()

    def check(self, like):
        if like.shape[2:] not in ((), (1,)) or like.scaling.dtype not in (np.uint8, np.uint16):
            raise PictureError("Graymap holds grey pictures of 8 and 16 bits; write .tiff instead")
