"""Any picture in, the same kind of picture out: all types, axes and containers, without any change of the pixels."""

import gzip
import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from torchdenoise.data import open_planes, write_planes
from torchdenoise.fitting.frames import denoise_frames, frame_groups
from torchdenoise.fitting.single import Fitted

INTEGERS = ("uint8", "uint16", "int16", "uint32", "int32")
DTYPES = (*INTEGERS, "float16", "float32", "float64")
LETTERS = ("TYX", "ZYX", "CYX", "TCYX", "CZYX", "TZCYX", "TYXS", "TZYXS")
CHANNELS = ("together", "apart")
CONTAINERS = ("imagej", "ome", "tiff", "bigtiff", "tiled", "npy", "npz")
IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
SUFFIXES = {"npy": ".npy", "npz": ".npz"}


def unchanged(noise):
    """Return what makes a restore that gives every image back, as strength 0 does."""
    return lambda images, neighbours: [Fitted(image) for image in images]


def save(path, array, letters, container):
    if container == "npy":
        np.save(path, array)
    elif container == "npz":
        np.savez_compressed(path, stack=array)
    else:
        options = {
            "imagej": {"imagej": True, "metadata": {"axes": letters, "unit": "um", "spacing": 0.3, "Info": "a\nb"}},
            "ome": {"ome": True, "metadata": {"axes": letters, "PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "nm"}},
            "tiff": {"metadata": {"axes": letters}, "compression": "zlib", "predictor": True},
            "bigtiff": {"metadata": {"axes": letters}, "bigtiff": True, "byteorder": ">"},
            "tiled": {"metadata": {"axes": letters}, "tile": (16, 32)},
        }[container]
        options["photometric"] = "rgb" if "S" in letters else "minisblack"
        tifffile.imwrite(path, array, resolution=(3.5, 7.25), **options)


def facts(path):
    """Return what the field's reader says about a TIFF; OME's identity of a file is its own."""
    with tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.pages[0]
        ome = tifffile.xml2dict(tiff.ome_metadata)["OME"] if tiff.ome_metadata else None
        return (
            *(series.axes, series.shape, series.dtype, series.kind, tiff.byteorder, tiff.is_bigtiff),
            *(tiff.imagej_metadata, tiff.shaped_metadata, ome),
            *(page.resolution, page.compression, page.predictor, page.is_tiled, page.photometric, page.planarconfig),
        )


@pytest.mark.parametrize("container", CONTAINERS)
@given(data=st.data())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_a_stack_without_any_change_comes_back_as_it_was(tmp_path_factory, container, data):
    letters = data.draw(st.sampled_from(LETTERS), "axes")
    if container == "imagej":
        dtype = data.draw(st.sampled_from(("uint8",) if "S" in letters else IMAGEJ_DTYPES), "type")
        letters = letters.replace("CZ", "ZC")  # the order that ImageJ demands
    else:  # OME has no floats of 16 bits
        known = [each for each in DTYPES if container != "ome" or each != "float16"]
        dtype = data.draw(st.sampled_from(known), "type")
    sizes = {letter: data.draw(st.integers(2, 4), letter) for letter in letters if letter not in "YXS"}
    sizes |= {"Y": data.draw(st.integers(6, 40), "Y"), "X": data.draw(st.integers(6, 40), "X"), "S": 3}
    random = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    values = random.normal(3e3, 900, tuple(sizes[letter] for letter in letters))
    array = np.clip(values / (20 if dtype == "uint8" else 1), 0, 6e4).astype(dtype)
    folder = tmp_path_factory.mktemp("stacks")
    suffix = SUFFIXES.get(container, ".tif")
    path, target = folder / f"in{suffix}", folder / f"out{suffix}"
    save(path, array, letters, container)
    channels = data.draw(st.sampled_from(CHANNELS), "channels")
    with open_planes(path, letters if container in SUFFIXES else None) as planes:
        assert planes.axes.letters == letters
        assert planes.lost == ()
        write_planes(target, denoise_frames(frame_groups(planes, channels), unchanged), planes)
    if suffix == ".tif":
        assert facts(target) == facts(path)
        np.testing.assert_array_equal(tifffile.imread(target), array)
    else:
        stored = np.load(target) if container == "npy" else np.load(target)["stack"]
        assert stored.dtype == array.dtype
        np.testing.assert_array_equal(stored, array)


def draw_array(data, letters, dtype, least):
    """Return a stack of any size, at least so many frames along each axis; every type holds its values."""
    sizes = {letter: data.draw(st.integers(least, 4), letter) for letter in letters if letter not in "YX"}
    sizes |= {letter: data.draw(st.integers(6, 40), letter) for letter in "YX"}
    random = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    return np.clip(random.normal(60, 20, tuple(sizes[letter] for letter in letters)), 0, 120).astype(dtype)


def save_zarr(path, array, letters, data, version):
    zarr = pytest.importorskip("zarr")
    chunks = tuple(data.draw(st.integers(1, size), "chunk") for size in array.shape)
    zarr.create_array(path, data=array, chunks=chunks, zarr_format=version, attributes={"night": [1, 2]})


def save_ome_zarr(path, array, letters, data):
    zarr = pytest.importorskip("zarr")
    kinds = {"T": "time", "C": "channel"}
    axes = [{"name": each.lower(), "type": kinds.get(each, "space")} for each in letters]
    scale = [{"type": "scale", "scale": [0.5 + number for number in range(len(letters))]}]
    scales = [{"axes": axes, "datasets": [{"path": "full", "coordinateTransformations": scale}]}]
    group = zarr.create_group(path, attributes={"ome": {"version": "0.5", "multiscales": scales}})
    group.create_array("full", data=array, dimension_names=[each.lower() for each in letters])


def save_nifti(path, array, letters, data):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(array, np.diag([0.5, 0.7, 2, 1])), path)


def save_mrc(path, array, letters, data):
    mrcfile = pytest.importorskip("mrcfile")
    with mrcfile.new(path, array) as file:
        file.voxel_size = 1.5
        if letters == "TYX":
            file.set_image_stack()


def save_fits(path, array, letters, data):
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(array, fits.Header([("OBJECT", "M 31")])).writeto(path)


def zarr_facts(path):
    documents = [each for each in sorted(path.rglob("*")) if each.suffix == ".json" or each.name[:2] == ".z"]
    return [json.loads(each.read_text()) for each in documents]


def mrc_facts(path):
    header = pytest.importorskip("mrcfile").open(path, header_only=True).header
    return [header[name].tobytes() for name in header.dtype.names if name not in ("dmean", "rms")]


OTHERS = {  # suffix, writer, axes, types, facts about a file
    "zarr2": (".zarr", lambda *words: save_zarr(*words, 2), LETTERS[:6], DTYPES, zarr_facts),
    "zarr3": (".zarr", lambda *words: save_zarr(*words, 3), LETTERS[:6], DTYPES, zarr_facts),
    "ome-zarr": (".ome.zarr", save_ome_zarr, ("TYX", "CYX", "TCYX", "TCZYX"), DTYPES, zarr_facts),
    "nifti": (".nii", save_nifti, ("XYZ", "XYZT"), DTYPES[:5], lambda path: path.read_bytes()),
    "packed": (".nii.gz", save_nifti, ("XYZ", "XYZT"), DTYPES[6:], lambda path: gzip.decompress(path.read_bytes())),
    "mrc": (".mrc", save_mrc, ("TYX", "ZYX"), ("int8", "int16", "uint16", "float16", "float32"), mrc_facts),
    "fits": (".fits", save_fits, LETTERS[:6], (*INTEGERS, "float32", "float64"), lambda path: path.read_bytes()),
}


@pytest.mark.parametrize("container", OTHERS)
@given(data=st.data())
@settings(max_examples=5, deadline=None, derandomize=True)
def test_a_stack_of_another_container_comes_back_as_it_was(tmp_path_factory, container, data):
    suffix, save_file, axes, types, found = OTHERS[container]
    letters = data.draw(st.sampled_from(axes), "axes")
    least = 2 if container == "mrc" else 1  # a stack of one is a picture there
    array = draw_array(data, letters, data.draw(st.sampled_from(types), "type"), least)
    folder = tmp_path_factory.mktemp("stacks")
    path, target = folder / f"in{suffix}", folder / f"out{suffix}"
    save_file(path, array, letters, data)
    channels = data.draw(st.sampled_from(CHANNELS), "channels")
    with open_planes(path, letters if container in ("zarr2", "zarr3", "fits") else None) as planes:
        assert (planes.axes.letters, planes.shape, planes.dtype) == (letters, array.shape, array.dtype)
        assert planes.lost == ()
        write_planes(target, denoise_frames(frame_groups(planes, channels), unchanged), planes)
        with open_planes(target, letters) as result:
            for number in range(len(planes)):
                np.testing.assert_array_equal(result.plane(number), planes.axes.plane(array, number))
    assert found(target) == found(path)
