"""NumPy's files: stacks on the disk."""

import io
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import random_pixels

from torchdenoise.data import memory, open_planes, read_picture, write_picture, write_planes
from torchdenoise.data.headers import Header, header
from torchdenoise.errors import PictureError


def save(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        np.savez(path, night=array)
    return path


def stored(path):
    loaded = np.load(path)
    return loaded if path.suffix == ".npy" else loaded["night"]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4)])
def test_single_pictures(tmp_path, suffix, shape):
    array = random_pixels(shape, "float32")
    path = save(tmp_path / f"in{suffix}", array)
    assert open_planes(path) is None
    picture = read_picture(path)
    assert header(path) == Header.of(picture)
    write_picture(tmp_path / f"out{suffix}", picture.image, picture)
    np.testing.assert_array_equal(stored(tmp_path / f"out{suffix}"), array)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(("shape", "letters"), [((5, 9, 7), "TYX"), ((9, 7, 5), "YXZ"), ((2, 5, 7, 9), "CTXY")])
@pytest.mark.parametrize("order", ["C", "F"])
def test_stacks_of_any_order_of_axes(tmp_path, suffix, shape, letters, order):
    array = random_pixels(shape, "uint16").astype(">u2", order=order)
    path, target = save(tmp_path / f"in{suffix}", array), tmp_path / f"out{suffix}"
    with open_planes(path, letters) as planes:
        write_planes(target, ((number, planes.plane(number)) for number in range(len(planes))), planes)
    np.testing.assert_array_equal(stored(target), array)
    assert stored(target).flags.f_contiguous == array.flags.f_contiguous
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


def test_an_archive_stays_compressed_or_not(tmp_path):
    array = np.zeros((5, 50, 50))
    for save_archive in (np.savez, np.savez_compressed):
        save_archive(tmp_path / "in.npz", night=array)
        with open_planes(tmp_path / "in.npz", "TYX") as planes:
            write_planes(tmp_path / "out.npz", ((n, planes.plane(n)) for n in range(5)), planes, overwrite=True)
        kinds = [zipfile.ZipFile(tmp_path / name).infolist()[0].compress_type for name in ("in.npz", "out.npz")]
        assert kinds[0] == kinds[1]


def test_an_array_is_mapped_and_not_loaded(tmp_path):
    path = save(tmp_path / "a.npy", random_pixels((5, 9, 7)))
    with open_planes(path, "TYX") as planes:
        assert isinstance(planes.array, np.memmap)


def test_arrays_that_say_too_little_are_refused(tmp_path):
    path = save(tmp_path / "a.npy", random_pixels((5, 9, 7)))
    with pytest.raises(PictureError, match=r"a.npy: shape \(5, 9, 7\) is not one picture .*--axes TYX"):
        open_planes(path)
    np.savez(tmp_path / "b.npz", one=np.zeros((2, 2)), two=np.zeros((2, 2)))
    with pytest.raises(PictureError, match=r"b.npz: holds 2 arrays \(one, two\); save the one to denoise alone"):
        open_planes(tmp_path / "b.npz")
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(PictureError, match=r"a.npy: damaged or cut short"):
        open_planes(path, "TYX")


def write_archive(path, shape, data):
    """An archive with an array whose header tells another length than its data have."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", head.getvalue() + data)


@pytest.mark.parametrize("shape", [(9, 7), (5, 9, 7)])
@pytest.mark.parametrize("size", [50, 10**7])
def test_an_archive_with_too_few_or_far_too_many_values_is_refused_unpacked(tmp_path, shape, size):
    write_archive(tmp_path / "a.npz", shape, bytes(size))
    with pytest.raises(PictureError, match=rf"damaged \({size} bytes of data for {np.prod(shape)} bytes of values\)"):
        open_planes(tmp_path / "a.npz", "TYX"[-len(shape) :])
    with pytest.raises(PictureError, match=r"damaged \("):
        read_picture(tmp_path / "a.npz")


def test_an_archive_is_unpacked_only_where_there_is_room(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", random_pixels((5, 9, 7)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**7))
    with pytest.raises(PictureError, match=r"a.npz: unpacks to .* folder for temporary files has 0.01 GB .* TMPDIR"):
        open_planes(tmp_path / "a.npz", "TYX")


def test_a_picture_in_an_archive_that_does_not_fit_into_memory_is_refused_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", np.zeros((6000, 6000), np.uint8))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**8)
    with pytest.raises(PictureError, match=r"a.npz: 6000 x 6000 pixels need about 0.32 GB of memory"):
        read_picture(tmp_path / "a.npz")
