"""Zarr in a zip file."""

import struct
import zipfile

import numpy as np
import pytest
import tifffile
from helpers import copy_planes, random_pixels

from torchdenoise.data import open_planes, read_picture, scene_names, write_picture, write_planes
from torchdenoise.data.formats import zarr_zip
from torchdenoise.errors import PictureError

zarr = pytest.importorskip("zarr")


def save(path, array, compression=zipfile.ZIP_STORED, **options):
    """Write an array with names of axes by zarr alone."""
    with zarr.storage.ZipStore(path, mode="w", compression=compression) as store:
        written = zarr.create_array(store, shape=array.shape, dtype=array.dtype, **options)
        written[:] = array
    return path


def values(path):
    with zarr.storage.ZipStore(path, mode="r") as store:
        return zarr.open_array(store)[:]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("chunks", [(1, 9, 8), (2, 4, 8)])
def test_an_array_comes_back_as_it_was(tmp_path, version, compression, chunks):
    array = random_pixels((3, 9, 8), "uint16")
    names = (
        {"dimension_names": ["t", "y", "x"]} if version == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["t", "y", "x"]}}
    )
    path = save(tmp_path / "a.zarr.zip", array, compression, chunks=chunks, zarr_format=version, **names)
    planes = copy_planes(path, tmp_path / "b.zarr.zip")
    assert planes.axes.letters == "TYX"
    np.testing.assert_array_equal(values(tmp_path / "b.zarr.zip"), array)
    with zipfile.ZipFile(tmp_path / "b.zarr.zip") as archive:
        assert archive.namelist()[0] == ("zarr.json" if version == 3 else ".zarray")
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
    copy_planes(path, tmp_path / "c.zarr.zip")
    assert (tmp_path / "b.zarr.zip").read_bytes() == (tmp_path / "c.zarr.zip").read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("suffix", [".ome.zarr.zip", ".zarr.zip", ".ozx"])
def test_a_stack_becomes_a_valid_ome_zarr_in_a_zip_and_comes_back(run, tmp_path, suffix):
    validation = pytest.importorskip("ome_zarr_models.v05.image")
    array = random_pixels((3, 9, 8), "uint16")
    scale = {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeZ": 2.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", array, photometric="minisblack", metadata=scale)
    words = ("--strength", "0", "--device", "cpu")
    outcome = run("denoise", "a.ome.tif", "-o", f"b{suffix}", *words)
    assert outcome.code == 0, outcome.err
    with zarr.storage.ZipStore(tmp_path / f"b{suffix}", mode="r") as store:
        validation.Image.from_zarr(zarr.open_group(store, mode="r"))
    assert run("denoise", f"b{suffix}", *words).code == 0
    with open_planes(tmp_path / f"b_denoised{suffix}") as planes:
        assert (planes.axes.letters, planes.calibration.steps) == ("ZYX", {"Z": 2.0, "X": 0.25})
        np.testing.assert_array_equal(planes.plane(2), array[2])
    assert run("inspect", f"b{suffix}").code == 0
    refused = run("denoise", "a.ome.tif", "-o", f"b{suffix}", *words)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "exists already" in refused.err
    assert run("denoise", "a.ome.tif", "-o", f"b{suffix}", *words, "--overwrite").code == 0


def test_a_single_picture(tmp_path):
    picture = read_picture(save(tmp_path / "a.zarr.zip", random_pixels((9, 8)), chunks=(4, 4)))
    write_picture(tmp_path / "b.zarr.zip", picture.image, picture)
    assert read_picture(tmp_path / "b.zarr.zip").image.equal(picture.image)


def test_scenes(tmp_path):
    path = tmp_path / "a.zarr.zip"
    with zarr.storage.ZipStore(path, mode="w") as store:
        zarr.create_group(store, attributes={"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
        for number in range(2):
            axes, datasets = [{"name": "y"}, {"name": "x"}], [{"path": "s0"}]
            ours = {"multiscales": [{"axes": axes, "datasets": datasets, "name": f"well {number}"}]}
            group = zarr.create_group(store, path=f"{number}", attributes={"ome": ours})
            group.create_array("s0", shape=(9, 8), dtype="uint8")[:] = number + 3
    assert scene_names(path) == ["well 0", "well 1"]
    with open_planes(path, scene="well 1") as planes:
        assert planes.plane(0).max() == 4


def test_an_unfinished_result_leaves_nothing(tmp_path):
    path = save(tmp_path / "a.zarr.zip", random_pixels((3, 9, 8)), dimension_names=["t", "y", "x"])

    def failing():
        yield 0, random_pixels((9, 8))
        raise PictureError("stop")

    with open_planes(path) as planes, pytest.raises(PictureError, match="stop"):
        write_planes(tmp_path / "b.zarr.zip", failing(), planes)
    assert [each.name for each in tmp_path.iterdir()] == ["a.zarr.zip"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def folder_inside(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.zarr/zarr.json", "{}")


def without_chunks(path):
    with zipfile.ZipFile(path) as archive:
        kept = archive.read("zarr.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", kept)


def bomb(member):
    """Return what adds zeros that are 1000 times smaller packed."""

    def add(path):
        with zipfile.ZipFile(path) as archive:
            kept = {name: archive.read(name) for name in archive.namelist() if name != member}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in kept.items():
                archive.writestr(name, content)
            with archive.open(member, "w") as file:
                for _ in range(zarr_zip.MAX_METADATA // (1 << 20) + 1):
                    file.write(bytes(1 << 20))

    return add


def lie(path):
    """Claim fewer bytes for a chunk than there are."""
    bomb("c/1/0/0")(path)
    content = path.read_bytes()
    size = struct.pack("<I", zarr_zip.MAX_METADATA + (1 << 20))
    assert size in content
    path.write_bytes(content.replace(size, struct.pack("<I", 100)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "damaged or cut short"),
        (folder_inside, "zip what is in the folder, not the folder: cd x.zarr && zip -0r ../x.zarr.zip ."),
        (without_chunks, "holds none of its chunks"),
        (bomb("c/1/0/0"), "damaged (c/1/0/0 claims 17825792 bytes, more than 65680)"),
        (bomb("zarr.json"), "damaged (zarr.json claims 17825792 bytes, more than 16777216)"),
        (bomb("b/zarr.json"), "damaged (b/zarr.json claims 17825792 bytes, more than 16777216)"),
        (lie, "damaged or cut short"),
        (lambda path: path.write_bytes(b"PK\3\4" + bytes(99)), "damaged or cut short"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, monkeypatch, damage, message):
    names = ["t", "y", "x"]
    path = save(tmp_path / "a.zarr.zip", random_pixels((3, 9, 8)), dimension_names=names, chunks=(1, 9, 8))
    damage(path)
    sizes = []
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *words: sizes.append(len(found := read(*words))) or found)
    with pytest.raises(PictureError) as caught, open_planes(path) as planes:
        [planes.plane(number) for number in range(3)]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert max(sizes, default=0) < 1 << 16
