"""CZI: read from files that are written here, by the published layout of segments; needs the czifile of Python 3.12."""

import struct

import numpy as np
import pytest
from helpers import copy_planes, random_pixels

from torchdenoise.data import open_planes, scene_names
from torchdenoise.errors import PictureError, UserError

czifile = pytest.importorskip("czifile")

KINDS = {"uint8": 0, "uint16": 1}
XML = """<ImageDocument><Metadata>
<Information><Image><Dimensions><Channels>
<Channel Id="Channel:0" Name="DAPI"/><Channel Id="Channel:1" Name="GFP"/>
</Channels><S><Scenes><Scene Index="0" Name="P1"/><Scene Index="1" Name="P2"/></Scenes></S>
</Dimensions></Image></Information>
<Scaling><Items>
<Distance Id="X"><Value>1e-07</Value></Distance><Distance Id="Y"><Value>2e-07</Value></Distance>
<Distance Id="Z"><Value>5e-07</Value></Distance>
</Items></Scaling></Metadata></ImageDocument>"""


def segment(name, data):
    size = len(data) + -len(data) % 32
    return struct.pack("<16sqq", name, size, len(data)) + data.ljust(size, b"\0")


def entry(place, plane, at, scene):
    """Return how a directory and a part describe a part of a plane that begins at a column."""
    sizes = [(b"X", at, plane.shape[1]), (b"Y", 0, plane.shape[0])]
    sizes += [(letter.encode(), number + 2, 1) for letter, number in reversed(place.items())]  # from 2 on
    sizes += [(b"M", int(at > 0), 1), (b"S", scene, 1)]
    dimensions = [struct.pack("<4siifi", name, start, size, 0.0, size) for name, start, size in sizes]
    return b"DV" + struct.pack("<i", KINDS[plane.dtype.name]), struct.pack("<iiB5xi", 0, 0, 0, len(sizes)) + b"".join(
        dimensions
    )


def save(path, array, letters, scenes=1):
    """Write planes of two tiles each; the values of a scene are larger by its number."""
    outer = letters.removesuffix("YX")
    parts, entries = [], []
    position = 32 + 512
    for scene in range(scenes):
        for index in np.ndindex(*array.shape[:-2]):
            place = dict(zip(outer, index, strict=True))
            for at, tile in ((0, array[index][:, :5]), (5, array[index][:, 5:])):
                begin, end = entry(place, tile, at + 1000 * scene, scene)
                described = begin + struct.pack("<q", position) + end
                head = struct.pack("<iiq", 0, 0, tile.nbytes) + described
                parts.append(segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + (tile + scene).tobytes()))
                entries.append(described)
                position += len(parts[-1])
    directory = segment(b"ZISRAWDIRECTORY", struct.pack("<i124x", len(entries)) + b"".join(entries))
    metadata = segment(b"ZISRAWMETADATA", struct.pack("<ii248x", len(XML), 0) + XML.encode())
    header = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, b"", b"", 0, position, position + len(directory), 0, 0)
    path.write_bytes(segment(b"ZISRAWFILE", header.ljust(512, b"\0")) + b"".join(parts) + directory + metadata)
    return path


@pytest.fixture
def new_library():
    if not hasattr(czifile.CziFile, "scenes"):
        pytest.skip("this czifile is too old")


@pytest.mark.usefixtures("new_library")
@pytest.mark.parametrize("letters", ["YX", "CZYX", "TCYX"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_picture_becomes_an_ome_tiff(tmp_path, letters, dtype):
    array = random_pixels(tuple({"T": 3, "Z": 4, "C": 2, "Y": 9, "X": 8}[letter] for letter in letters), dtype)
    planes = copy_planes(save(tmp_path / "a.czi", array, letters), tmp_path / "a.ome.tif")
    assert (planes.axes.letters, planes.dtype) == (letters, dtype)
    steps = {"X": 0.1, "Y": 0.2, "Z": 0.5}
    expected = pytest.approx({letter: steps[letter] for letter in letters if letter in steps})
    with open_planes(tmp_path / "a.ome.tif", letters) as written:
        assert written.calibration.steps == expected
        assert written.calibration.channels == (("DAPI", "GFP") if "C" in letters else ())
        found = np.stack([written.plane(number) for number in range(len(written))])
    np.testing.assert_array_equal(found.reshape(array.shape), array)


@pytest.mark.usefixtures("new_library")
def test_scenes(tmp_path):
    array = random_pixels((9, 8), "uint16") // 2
    path = save(tmp_path / "a.czi", array, "YX", scenes=2)
    assert scene_names(path) == ["P1", "P2"]
    for scene, more in (("P1", 0), (2, 1)):
        with open_planes(path, scene=scene) as planes:
            np.testing.assert_array_equal(planes.plane(0), array + more)


@pytest.mark.usefixtures("new_library")
def test_what_is_refused(tmp_path):
    array = random_pixels((9, 8))
    with pytest.raises(PictureError, match=r"a.czi: holds 2 scenes \(1 P1, 2 P2\); choose one with --scene"):
        open_planes(save(tmp_path / "a.czi", array, "YX", scenes=2))
    path = save(tmp_path / "b.czi", array, "YX")
    for data in (path.read_bytes()[:99], path.read_bytes()[:700], b"ZISRAWFILE" + bytes(999)):
        (tmp_path / "c.czi").write_bytes(data)
        with (
            pytest.raises(PictureError, match="damaged or cut short") as caught,
            open_planes(tmp_path / "c.czi") as planes,
        ):
            planes.plane(0)
        assert "\n" not in str(caught.value)


def test_an_old_library_is_named(tmp_path, monkeypatch):
    monkeypatch.delattr(czifile.CziFile, "scenes", raising=False)
    with pytest.raises(UserError, match=r"a.czi: CZI needs an extra, and Python 3.12 or newer: pip install"):
        open_planes(save(tmp_path / "a.czi", random_pixels((9, 8)), "YX"))
