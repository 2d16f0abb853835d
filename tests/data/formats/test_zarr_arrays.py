"""Zarr and OME-Zarr: read and written chunk by chunk, with the same metadata."""

import json
import shutil
import sys

import numpy as np
import pytest
import tifffile
from helpers import copy_planes, copy_with_remark, random_pixels

from torchdenoise.data import Picture, open_planes, read_picture, scene_names, write_picture, write_planes
from torchdenoise.data.formats import zarr_arrays
from torchdenoise.data.headers import Header, header
from torchdenoise.errors import PictureError, UserError

zarr = pytest.importorskip("zarr")

AXES = {
    "T": {"name": "t", "type": "time", "unit": "second"},
    "C": {"name": "c", "type": "channel"},
    "Z": {"name": "z", "type": "space", "unit": "micrometer"},
    "Y": {"name": "y", "type": "space", "unit": "micrometer"},
    "X": {"name": "x", "type": "space", "unit": "micrometer"},
}
STEPS = {"T": 2.5, "C": 1.0, "Z": 0.7, "Y": 0.11, "X": 0.13}


def save(path, array, version=3, **options):
    written = zarr.create_array(path, shape=array.shape, dtype=array.dtype, zarr_format=version, **options)
    written[:] = array
    return path


def ome(path, array, letters, version="0.5", levels=1, **options):
    """Write an OME-Zarr by the rules of the specification."""
    datasets = [
        {
            "path": f"s{level}",
            "coordinateTransformations": [{"type": "scale", "scale": [STEPS[each] * 2**level for each in letters]}],
        }
        for level in range(levels)
    ]
    scales = {"axes": [AXES[each] for each in letters], "datasets": datasets, "name": "night"}
    ours = {"multiscales": [scales]}
    if "C" in letters:
        window = {"min": 0, "max": 4000, "start": 10, "end": 900}
        names = [f"dye {number}" for number in range(array.shape[letters.index("C")])]
        ours["omero"] = {"channels": [{"label": name, "color": "FF0000", "window": window} for name in names]}
    if version == "0.5":
        attributes = {"ome": {"version": version, **ours}, "microscope": "own"}
    else:
        scales["version"] = version
        attributes = {**ours, "microscope": "own"}
    old = version != "0.5"
    group = zarr.create_group(path, zarr_format=2 if old else 3, attributes=attributes)
    for level in range(levels):
        names = {} if old else {"dimension_names": [AXES[each]["name"] for each in letters]}
        stored = group.create_array(f"s{level}", shape=array.shape, dtype=array.dtype, **names, **options)
        stored[:] = array
    return path


def metadata(path):
    """Return the metadata documents of a Zarr, by their place."""
    names = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
    return {
        each.relative_to(path).as_posix(): json.loads(each.read_text())
        for each in path.rglob("*")
        if each.name in names
    }


LAYOUTS = {
    "planes": {"version": 3, "chunks": (1, 16, 16)},
    "volumes": {"version": 3, "chunks": (3, 16, 40), "compressors": zarr.codecs.BloscCodec(cname="lz4")},
    "shards": {"version": 3, "chunks": (2, 8, 8), "shards": (4, 16, 16)},
    "raw": {"version": 3, "chunks": (5, 20, 30), "compressors": None, "fill_value": 7},
    "old": {"version": 2, "chunks": (2, 16, 16), "order": "F"},
    "nested": {"version": 2, "chunks": (1, 20, 30), "chunk_key_encoding": {"name": "v2", "separator": "/"}},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", [1, -1])
def test_an_array_comes_back_as_it_was(tmp_path, layout, order):
    array = random_pixels((5, 20, 30), "uint16").astype(">u2" if layout == "old" else "uint16")
    path = save(tmp_path / "in.zarr", array, **LAYOUTS[layout], attributes={"scope": [1, 2]})
    copy_planes(path, tmp_path / "out.zarr", "TYX", order=order)
    assert metadata(tmp_path / "out.zarr") == metadata(path)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "out.zarr")[:], array)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.zarr", "out.zarr"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("letters", ["TCZYX", "CYX", "YX"])
def test_an_ome_zarr_comes_back_valid_and_as_it_was(tmp_path, version, letters):
    array = random_pixels(tuple({"T": 3, "C": 2, "Z": 4, "Y": 20, "X": 30}[each] for each in letters), "uint16")
    path = ome(tmp_path / "in.ome.zarr", array, letters, version)
    planes = copy_planes(path, tmp_path / "out.ome.zarr")
    assert planes.axes.letters == letters
    assert planes.lost == ()
    assert planes.calibration.steps == {each: STEPS[each] for each in letters if each != "C"}
    assert planes.calibration.channels == (("dye 0", "dye 1") if "C" in letters else ())
    assert metadata(tmp_path / "out.ome.zarr") == metadata(path)
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "out.ome.zarr")["s0"][:], array)
    validate(tmp_path / "out.ome.zarr", version)


def validate(path, version):
    """Check a result with the models of the specification's authors."""
    models = pytest.importorskip("ome_zarr_models")
    image = models.open_ome_zarr(zarr.open_group(path, mode="r"))
    assert image.ome_zarr_version == version
    assert type(image).__name__ == "Image"
    return image


def test_a_pyramid_becomes_its_full_resolution(tmp_path):
    array = random_pixels((2, 20, 30), "uint8")
    path = ome(tmp_path / "in.zarr", array, "CYX", levels=3)
    zarr.open_group(path).create_group("labels")
    planes = copy_planes(path, tmp_path / "out.zarr")
    assert planes.lost == ("the smaller copies of a pyramid", "labels")
    assert sorted(each.name for each in (tmp_path / "out.zarr").iterdir()) == ["s0", "zarr.json"]
    validate(tmp_path / "out.zarr", "0.5")


def test_another_type_keeps_the_rest(tmp_path):
    for version in ("0.4", "0.5"):
        array = random_pixels((3, 20, 30), "uint8")
        target = tmp_path / f"out{version}.zarr"
        copy_planes(
            ome(tmp_path / f"in{version}.zarr", array, "ZYX", version, chunks=(2, 8, 8)), target, dtype=np.float32
        )
        stored = zarr.open_group(target)["s0"]
        assert (stored.dtype, stored.chunks) == (np.float32, (2, 8, 8))
        np.testing.assert_array_equal(stored[:], array)


def test_axes_are_read_from_names(tmp_path):
    array = random_pixels((4, 2, 9, 8))
    named = save(tmp_path / "a.zarr", array, dimension_names=["time", "band", "lat", "lon"])
    with open_planes(named) as planes:
        assert planes.axes.letters == "TCYX"
    xarray = save(tmp_path / "b.zarr", array, 2, attributes={"_ARRAY_DIMENSIONS": ["y", "x", "angle", "t"]})
    with open_planes(xarray) as planes:
        assert planes.axes.letters == "YXQT"
        np.testing.assert_array_equal(planes.plane(9), array[:, :, 1, 1])
    with pytest.raises(PictureError, match=r"c.zarr: shape \(4, 2, 9, 8\) is not one picture .*--axes TCYX"):
        open_planes(save(tmp_path / "c.zarr", array))


def test_chunks_of_several_planes_are_decoded_once(tmp_path, monkeypatch):
    array = random_pixels((2, 6, 20, 30), "uint16")
    path = save(tmp_path / "a.zarr", array, chunks=(1, 3, 20, 30))
    reads = []
    with open_planes(path, "CZYX") as planes:
        plain = type(planes.array).__getitem__
        monkeypatch.setattr(type(planes.array), "__getitem__", lambda one, key: reads.append(key) or plain(one, key))
        for number in (0, 6, 1, 7, 2, 8, 3, 9):  # both channels of a frame, then the next frame
            np.testing.assert_array_equal(planes.plane(number), array.reshape(12, 20, 30)[number])
    assert len(reads) == 4
    monkeypatch.setattr(zarr_arrays, "BLOCK_BYTES", 1300)
    with open_planes(path, "CZYX") as planes:
        np.testing.assert_array_equal(planes.plane(7), array[1, 1])
        assert all(block.shape == (1, 1, 20, 30) for block in planes._blocks.values())


def test_tiff_to_zarr_and_back_keeps_axes_and_sizes(tmp_path):
    array = random_pixels((3, 4, 2, 9, 8), "uint16")
    metadata = {"axes": "TZCYX", "unit": "um", "spacing": 0.3, "finterval": 2.5}
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(10, 5), metadata=metadata)
    steps = {"X": 0.1, "Y": 0.2, "Z": 0.3, "T": 2.5}
    copy_planes(tmp_path / "a.tif", tmp_path / "b.ome.zarr", order=-1)
    validate(tmp_path / "b.ome.zarr", "0.5")
    with open_planes(tmp_path / "b.ome.zarr") as planes:
        assert planes.axes.letters == "TCZYX"  # the order that OME-Zarr demands
        assert planes.calibration.steps == steps
        assert planes.calibration.units == {"T": "second", **dict.fromkeys("ZYX", "micrometer")}
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "b.ome.zarr")["0"][:], array.transpose(0, 2, 1, 3, 4))
    copy_planes(tmp_path / "b.ome.zarr", tmp_path / "c.tif")
    with open_planes(tmp_path / "c.tif") as planes:
        assert planes.series.kind == "ome"
        assert (planes.axes.letters, planes.calibration.steps) == ("TCZYX", steps)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.tif"), array.transpose(0, 2, 1, 3, 4))


def test_channel_names_reach_a_tiff(tmp_path):
    copy_planes(ome(tmp_path / "a.zarr", random_pixels((2, 9, 8)), "CYX"), tmp_path / "b.ome.tif")
    with open_planes(tmp_path / "b.ome.tif") as planes:
        assert planes.calibration.channels == ("dye 0", "dye 1")
        copy_planes(tmp_path / "b.ome.tif", tmp_path / "c.zarr")
    validate(tmp_path / "c.zarr", "0.5")
    channels = zarr.open_group(tmp_path / "c.zarr").attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["dye 0", "dye 1"]


def test_colours_become_channels_and_other_axes_an_array(tmp_path):
    array = random_pixels((2, 9, 8, 3))
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", metadata={"axes": "TYXS"})
    copy_planes(tmp_path / "a.tif", tmp_path / "a.zarr")
    with open_planes(tmp_path / "a.zarr") as planes:
        assert planes.axes.letters == "TCYX"
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "a.zarr")["0"][:], np.moveaxis(array, -1, 1))
    np.save(tmp_path / "b.npy", random_pixels((2, 3, 9, 8)))
    copy_planes(tmp_path / "b.npy", tmp_path / "b.zarr", "RQYX")
    assert zarr.open_array(tmp_path / "b.zarr").metadata.dimension_names == ("r", "q", "y", "x")


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)])
def test_single_pictures(tmp_path, shape):
    array = random_pixels(shape, "uint16")
    path = save(tmp_path / "a.zarr", array)
    picture = read_picture(path)
    assert header(path) == Header.of(picture)
    np.testing.assert_array_equal(picture.restore(picture.image), array)
    write_picture(tmp_path / "b.zarr", picture.image, picture)
    stored = zarr.open_group(tmp_path / "b.zarr")["0"][:]
    np.testing.assert_array_equal(stored if len(shape) == 2 else np.moveaxis(stored, 0, -1), array)
    with pytest.raises(PictureError, match=r"c.zarr: holds 2 planes; split it into single ones first"):
        read_picture(ome(tmp_path / "c.zarr", random_pixels((2, 9, 8)), "CYX"))


def test_the_picture_in_the_layout_of_bioformats2raw(tmp_path):
    zarr.create_group(tmp_path / "a.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    ome(tmp_path / "a.zarr" / "0", random_pixels((2, 9, 8)), "CYX", "0.4")
    planes = copy_planes(tmp_path / "a.zarr", tmp_path / "b.zarr")
    assert planes.lost == ("the layout of bioformats2raw",)
    validate(tmp_path / "b.zarr", "0.4")
    ome(tmp_path / "a.zarr" / "1", random_pixels((2, 9, 8)), "CYX", "0.4")
    with pytest.raises(PictureError, match=r"a.zarr: holds 2 scenes \(1 night, 2 night\); choose one with --scene"):
        open_planes(tmp_path / "a.zarr")


def test_pictures_in_the_layout_of_bioformats2raw_are_scenes(tmp_path):
    zarr.create_group(tmp_path / "a.zarr", attributes={"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
    for number in range(11):
        ome(tmp_path / "a.zarr" / f"{number}", np.full((2, 9, 8), number + 1, "uint8"), "CYX")
    assert scene_names(tmp_path / "a.zarr") == ["night"] * 11
    for number in (1, 3, 11):  # not as texts are sorted: 1, 10, 2
        with open_planes(tmp_path / "a.zarr", scene=number) as planes:
            assert planes.plane(1).max() == number
            write_planes(tmp_path / f"{number}.zarr", ((each, planes.plane(each)) for each in range(2)), planes)
        validate(tmp_path / f"{number}.zarr", "0.5")


LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def changed(**changes):
    def change(path):
        place = path / "zarr.json"
        place.write_text(json.dumps({**json.loads(place.read_text()), **changes}))

    return change


def without_chunks(path):
    shutil.rmtree(path / "c")


def grid(*shape):
    return {"name": "regular", "configuration": {"chunk_shape": shape}}


def garbled(path):
    for chunk in (path / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"nothing of use")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "zarr.json").unlink(), "holds no Zarr (no zarr.json, .zarray or .zgroup)"),
        (lambda path: (path / "zarr.json").write_text("{"), "damaged or cut short"),
        (lambda path: (path / "zarr.json").write_text("{}"), "is a group without multiscales"),
        (lambda path: (path / "zarr.json").write_text("[3]"), "damaged or cut short"),
        (changed(shape=[2, 10**6, 10**6]), "claims 1000000 x 1000000 pixels, more than the limit"),
        (changed(shape=[10**9, 9, 8]), "claims the shape (1000000000, 9, 8), more than 1000000 planes"),
        (changed(shape=[2, 0, 8]), "has no pixels"),
        (changed(shape=[-2, 9, 8]), "damaged or cut short"),
        (changed(chunk_grid=grid(10**6, 10**5, 10)), "has chunks of 1e+03 GB, which do not fit into memory"),
        (changed(data_type="complex64", fill_value=[0, 0], codecs=[LITTLE]), "holds values of type complex64"),
        (changed(data_type="bool", fill_value=False), "holds values of type bool"),
        (changed(codecs=[{"name": "bytes"}, {"name": "secret"}]), "uses a codec that is not installed ("),
        (without_chunks, "holds none of its chunks"),
        (garbled, "damaged or cut short"),
    ],
)
def test_damaged_arrays_are_one_line(tmp_path, damage, message):
    path = save(tmp_path / "a.zarr", random_pixels((2, 9, 8)))
    damage(path)
    with pytest.raises(PictureError) as caught, open_planes(path, "TYX") as planes:
        planes.plane(0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "is a group without multiscales; copy the array to denoise (s0) into a folder of its own, NAME.zarr"),
        ({"ome": {"plate": {}}}, "is a group without multiscales"),
        ({"ome": {"multiscales": [{}, {}]}}, "holds 2 multiscales"),
        ({"ome": {"multiscales": "night"}}, "holds 5 multiscales"),
        ({"ome": {"multiscales": [{"axes": ["y", "x"]}]}}, "damaged or cut short"),
        (
            {"ome": {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "s0"}]}]}},
            "axes YX are 2, but the shape",
        ),
        ({"ome": {"multiscales": [{"axes": list("cyx"), "datasets": [{"path": "s9"}]}]}}, "damaged or cut short"),
        ({"ome": {"multiscales": [{"axes": list("cyx"), "datasets": [{"path": "../b"}]}]}}, "damaged or cut short"),
        (
            {"ome": {"image-label": {}, "multiscales": [{"axes": list("cyx"), "datasets": [{"path": "s0"}]}]}},
            "holds labels, not a picture",
        ),
    ],
)
def test_groups_that_are_no_picture_are_one_line(tmp_path, attributes, message):
    path = ome(tmp_path / "a.zarr", random_pixels((2, 9, 8)), "CYX")
    place = path / "zarr.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "attributes": attributes}))
    with pytest.raises(PictureError) as caught:
        open_planes(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.zarr", random_pixels((2, 9, 8)))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(UserError, match=r"a.zarr: Zarr needs an extra: pip install 'torchdenoise\[zarr\]'$"):
        open_planes(path, "TYX")


@pytest.mark.parametrize("suffix", [".zarr", ".zarr.zip"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_remarks_are_the_history_of_an_ome_zarr(tmp_path, version, suffix):
    path = ome(tmp_path / "0.zarr", random_pixels((3, 9, 8)), "ZYX", version)
    for number, (source, target) in enumerate([(path, f"1{suffix}"), (tmp_path / f"1{suffix}", f"2{suffix}")]):
        copy_with_remark(source, tmp_path / target, f"noise: level {number}")
    store = zarr.storage.ZipStore if suffix == ".zarr.zip" else zarr.storage.LocalStore
    attributes = zarr.open(store(tmp_path / f"2{suffix}"), mode="r").attrs.asdict()
    assert attributes.pop("history") == "torchdenoise: noise: level 0\ntorchdenoise: noise: level 1"
    assert attributes == zarr.open(path).attrs.asdict()


@pytest.mark.parametrize("version", [2, 3])
def test_remarks_are_the_history_of_an_array(tmp_path, version):
    names = {"dimension_names": ["z", "y", "x"]} if version == 3 else {"attributes": {"_ARRAY_DIMENSIONS": list("zyx")}}
    path = save(tmp_path / "0.zarr", random_pixels((3, 9, 8)), version, **names)
    copy_with_remark(path, tmp_path / "1.zarr", "noise: white")
    result = zarr.open(tmp_path / "1.zarr", mode="r")
    assert result.attrs["history"] == "torchdenoise: noise: white"
    np.testing.assert_array_equal(result[:], zarr.open(path)[:])


def test_remarks_are_in_a_new_file_too(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", random_pixels((3, 9, 8)), imagej=True, metadata={"axes": "ZYX"})
    copy_with_remark(tmp_path / "a.tif", tmp_path / "a.ome.zarr", "noise: white")
    attributes = zarr.open(tmp_path / "a.ome.zarr", mode="r").attrs.asdict()
    assert attributes["history"] == "torchdenoise: noise: white"
    assert attributes["ome"]["multiscales"]


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)])
def test_the_remarks_of_a_single_picture_are_its_history(tmp_path, shape):
    picture = Picture.from_array(random_pixels(shape)).with_remarks(["noise: white"])
    write_picture(tmp_path / "a.zarr", picture.image, picture)
    assert zarr.open(tmp_path / "a.zarr", mode="r").attrs["history"] == "torchdenoise: noise: white"
