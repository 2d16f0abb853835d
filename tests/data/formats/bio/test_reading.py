"""Planes from a library: CZI and ND2, whose files cannot be written here, by objects with the libraries' interface."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import random_pixels

from torchdenoise.data import read_picture
from torchdenoise.data.formats.bio.czi import czi_planes
from torchdenoise.data.formats.bio.nd2 import ND2
from torchdenoise.data.formats.bio.reading import LibraryPlanes
from torchdenoise.errors import PictureError


class CziImage:
    """An image as czifile gives it: places are absolute, and begin at 5 along each axis."""

    FIRST = 5

    def __init__(self, array, letters):
        self.array, self.letters = array, letters
        self.sizes = dict(zip(letters, array.shape, strict=True))
        self.dims, self.dtype = tuple(letters), array.dtype
        self.start = tuple(self.FIRST for _ in letters)
        self.coord_scales = {"X": 1e-7, "Y": 2e-7, "Z": 5e-7, "T": 1.5, "C": 100.0}
        self.coord_units = {"X": "meter", "Y": "meter", "Z": "meter", "T": "second", "C": "nanometer"}
        self.channels = {"DAPI": {}, "GFP": {}}

    def __call__(self, **at):
        index = tuple(at[each] - self.FIRST if each in at else slice(None) for each in self.letters)
        return CziImage(self.array[index], "".join(each for each in self.letters if each not in at))

    def asarray(self):
        return self.array


@pytest.mark.parametrize("letters", ["YX", "TCZYX", "HCYX", "ZYXS"])
def test_czi(letters):
    sizes = {"T": 2, "C": 2, "Z": 3, "H": 4, "Y": 9, "X": 8, "S": 3}
    array = random_pixels(tuple(sizes[letter] for letter in letters), "uint16")
    planes = czi_planes(CziImage(array, letters), None)
    assert planes.axes.letters == letters
    for number in range(len(planes)):
        np.testing.assert_array_equal(planes.plane(number), planes.axes.plane(array, number))
    assert planes.calibration.steps == pytest.approx({"T": 1.5, "Z": 0.5, "Y": 0.2, "X": 0.1})
    assert planes.calibration.units["Z"] == "micrometer"
    assert planes.calibration.channels == (("DAPI", "GFP") if "C" in letters else ())


class Nd2File:
    """A file as nd2 opens it: a frame holds all channels."""

    def __init__(self, array, letters):
        self.sizes = dict(zip(letters, array.shape, strict=True))
        self.dtype = array.dtype
        inner = [letter for letter in letters if letter in "CYXS"]
        self.frames = array.reshape(-1, *(self.sizes[letter] for letter in inner))
        self.reads = []
        self.experiment = [SimpleNamespace(type="TimeLoop", parameters=SimpleNamespace(periodMs=2500.0))]
        channels = [SimpleNamespace(channel=SimpleNamespace(name=name)) for name in ("DAPI", "GFP")]
        self.metadata = SimpleNamespace(channels=channels)

    def read_frame(self, number):
        self.reads.append(number)
        return self.frames[number]

    def voxel_size(self):
        return SimpleNamespace(x=0.1, y=0.2, z=0.5)


@pytest.mark.parametrize("letters", ["YX", "TZCYX", "ZCYX", "TYXS"])
def test_nd2(letters):
    sizes = {"T": 2, "Z": 2, "C": 2, "Y": 9, "X": 8, "S": 3}
    array = random_pixels(tuple(sizes[letter] for letter in letters), "uint16")
    file = Nd2File(array, letters)
    (scene,) = ND2().scenes_of(file)
    planes = scene.planes(None)
    assert planes.axes.letters == letters
    for number in range(len(planes)):
        np.testing.assert_array_equal(planes.plane(number), planes.axes.plane(array, number))
    assert file.reads == list(range(len(file.frames)))  # each once, for all its channels
    assert planes.calibration.steps["T"] == 2.5
    assert planes.calibration.channels == ("DAPI", "GFP")


@pytest.mark.parametrize("names", [["A1", None, "A2"], ["A1"], []])
def test_positions_of_nd2_are_scenes(names):
    array = random_pixels((2, 3, 2, 2, 9, 8), "uint16")
    file = Nd2File(array, "TPZCYX")
    points = [SimpleNamespace(name=name) for name in names]
    file.experiment.append(SimpleNamespace(type="XYPosLoop", parameters=SimpleNamespace(points=points)))
    scenes = ND2().scenes_of(file)
    assert [scene.name for scene in scenes] == (["A1", "", "A2"] if len(names) == 3 else [""] * 3)
    for position, scene in enumerate(scenes):
        planes = scene.planes(None)
        assert planes.axes.letters == "TZCYX"
        for number in range(len(planes)):
            np.testing.assert_array_equal(planes.plane(number), planes.axes.plane(array[:, position], number))


def test_a_file_that_claims_millions_of_positions_is_refused():
    file = Nd2File(random_pixels((9, 8)), "YX")
    file.sizes["P"] = 10**9
    with pytest.raises(PictureError, match="claims 1000000000 positions: damaged"):
        ND2().scenes_of(file)


def test_jpeg_2000_under_another_name_is_no_old_nd2(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    array = random_pixels((16, 16))
    (tmp_path / "a.png").write_bytes(imagecodecs.jpeg2k_encode(array, level=0, reversible=True, codecformat="jp2"))
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.restore(picture.image), array)


def test_axes_that_do_not_fit():
    sizes = {"T": 2, "Y": 9, "X": 8}
    assert LibraryPlanes(sizes, "uint8", None, "ZYX").axes.letters == "ZYX"
    with pytest.raises(PictureError, match="axes YXT: the last ones must be YX"):
        LibraryPlanes(sizes, "uint8", None, "YXT")
    with pytest.raises(PictureError, match="each letter once, Y and X among them"):
        LibraryPlanes({"Z": 9, "X": 8}, "uint8", None, None)  # a section
    assert LibraryPlanes({"Z": 9, "X": 8}, "uint8", None, "YX").axes.letters == "YX"
