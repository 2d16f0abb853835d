"""LIF: read from files that are written here, after the published layout: a header in XML, then blocks of pixels."""

import struct

import numpy as np
import pytest
from helpers import copy_planes, random_pixels

from torchdenoise.data import check_planes_output, open_planes, read_picture, scene_names
from torchdenoise.errors import PictureError
from torchdenoise.fitting import denoise

liffile = pytest.importorskip("liffile")

IDS = {"X": 1, "Y": 2, "Z": 3, "T": 4}


def block(kind, *parts):
    data = b"".join(parts)
    return struct.pack("<II", 0x70, len(data)) + kind + data


def element(name, array, letters):
    """Return the XML of a picture, and the block with its pixels; axes run from the slowest to the fastest."""
    strides = dict(zip(letters, array.strides, strict=True))
    channels = array.shape[letters.index("C")] if "C" in letters else 1
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * array.itemsize}" Min="0" Max="1" Unit="" '
        'LUTName="Gray" IsLUTInverted="0" NameOfMeasuredQuantity="" BitInc="0" '
        f'BytesInc="{number * strides.get("C", 0)}"/>'
        for number in range(channels)
    )
    lengths = {"X": 1e-6, "Y": 2e-6, "Z": 3e-6, "T": 10.0}
    dimensions = "".join(
        f'<DimensionDescription DimID="{IDS[letter]}" NumberOfElements="{size}" Origin="0" '
        f'Length="{lengths[letter]}" Unit="{"s" if letter == "T" else "m"}" BitInc="0" BytesInc="{strides[letter]}"/>'
        for letter, size in reversed(list(zip(letters, array.shape, strict=True)))
        if letter != "C"
    )
    image = (
        f"<ImageDescription><Channels>{described}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>"
    )
    xml = (
        f'<Element Name="{name}" Visibility="1" UniqueID="{name}">'
        f'<Data><Image TextDescription="">{image}</Image></Data>'
        f'<Memory Size="{array.nbytes}" MemoryBlockID="Mem{name}"/><Children/></Element>'
    )
    text = f"Mem{name}".encode("utf-16-le")
    head = struct.pack("<Q", array.nbytes) + b"\x2a" + struct.pack("<I", len(text) // 2) + text
    return xml, block(b"\x2a", head) + array.tobytes()


def save(path, letters, **pictures):
    """Write pictures of the same axes; a pair of axes and array has its own."""
    own = {name: each if isinstance(each, tuple) else (letters, each) for name, each in pictures.items()}
    parts = [element(name, array, axes) for name, (axes, array) in own.items()]
    children = "".join(xml for xml, _ in parts)
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="night" Visibility="1" UniqueID="root"><Data>'
        f'<Experiment Path="night.lif"/></Data><Memory Size="0" MemoryBlockID="Mem"/><Children>{children}</Children>'
        "</Element></LMSDataContainerHeader>"
    )
    text = xml.encode("utf-16-le")
    head = struct.pack("<II", 0x70, len(text) + 5) + b"\x2a" + struct.pack("<I", len(text) // 2) + text
    path.write_bytes(head + b"".join(data for _, data in parts))
    return path


@pytest.mark.parametrize("letters", ["YX", "ZYX", "TZYX", "TCYX", "CYX"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_picture_becomes_an_ome_tiff(tmp_path, letters, dtype):
    array = random_pixels(tuple({"T": 3, "Z": 4, "C": 2, "Y": 9, "X": 8}[letter] for letter in letters), dtype)
    path = save(tmp_path / "a.lif", letters, one=array)
    steps = {"X": 1 / 7, "Y": 2 / 8, "Z": 3 / 3, "T": 10 / 2}
    expected = pytest.approx({letter: steps[letter] for letter in letters if letter != "C"})
    planes = copy_planes(path, tmp_path / "a.ome.tif")
    assert (planes.axes.letters, planes.dtype) == (letters, dtype)
    assert planes.calibration.steps == expected
    with open_planes(tmp_path / "a.ome.tif", letters) as written:
        assert written.calibration.steps == expected
        assert written.series.kind == "ome"
        found = np.stack([written.plane(number) for number in range(len(written))])
    np.testing.assert_array_equal(found.reshape(array.shape), array)


def test_what_is_refused(tmp_path):
    path = save(tmp_path / "a.lif", "YX", one=random_pixels((9, 8)), two=random_pixels((9, 8)))
    with pytest.raises(PictureError, match=r"a.lif: holds 2 scenes \(1 one, 2 two\); choose one with --scene"):
        open_planes(path)
    with pytest.raises(PictureError, match=r"a.lif, scene three: holds no scene three, but 2 scenes \(1 one, 2 two\)"):
        open_planes(path, scene="three")
    path = save(tmp_path / "b.lif", "YX", one=random_pixels((9, 8)))
    assert read_picture(path).shape == (9, 8)
    with open_planes(path) as planes, pytest.raises(PictureError, match=r"LIF can only be read; write .ome.tif"):
        check_planes_output(tmp_path / "c.lif", planes)
    for data in (path.read_bytes()[:99], path.read_bytes()[:-20], b"p\0\0\0" + bytes(99)):
        (tmp_path / "d.lif").write_bytes(data)
        with pytest.raises(PictureError, match="damaged or cut short") as caught:
            read_picture(tmp_path / "d.lif")
        assert "\n" not in str(caught.value)


def test_the_command_writes_an_ome_tiff(run, tmp_path):
    path = save(tmp_path / "a.lif", "TYX", one=random_pixels((3, 9, 8)))
    outcome = run("denoise", path, "--strength", "0", "--device", "cpu")
    assert outcome.code == 0
    assert f"warning: {path}: not kept in .ome.tif: the metadata of the LIF" in outcome.out
    with open_planes(tmp_path / "a_denoised.ome.tif") as planes:
        assert planes.axes.letters == "TYX"


def test_each_picture_is_a_scene(run, tmp_path):
    dusk, dawn = random_pixels((9, 8)), random_pixels((3, 9, 8))[1:]
    path = save(tmp_path / "a.lif", "", dusk=("YX", dusk), dawn=("ZYX", dawn))
    assert scene_names(path) == ["dusk", "dawn"]
    with open_planes(path, scene="dawn") as planes:
        assert planes.axes.letters == "ZYX"
        np.testing.assert_array_equal(planes.plane(1), dawn[1])
    np.testing.assert_array_equal(denoise(path, scene=2, strength=0, max_steps=1, device="cpu"), dawn)
    outcome = run("denoise", path, "--strength", "0", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert f"{path}, scene dawn -> {tmp_path / 'a_dawn_denoised.ome.tif'}" in outcome.out
    for name, array in (("dusk", dusk), ("dawn", dawn)):
        with open_planes(tmp_path / f"a_{name}_denoised.ome.tif", "ZYX"[-array.ndim :]) as planes:
            assert planes.calibration.units["X"] == "micrometer"
            np.testing.assert_array_equal(planes.plane(0), array.reshape(-1, 9, 8)[0])
