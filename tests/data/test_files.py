"""Reading and writing picture files: paths, the disk, and what is left after a failure."""

import errno
import io
import os
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from helpers import random_pixels, save_picture, stored_pixels

from torchdenoise.data import ArrayPlanes, Axes, files, write_planes
from torchdenoise.data.files import check_output, check_planes_output, read_picture, write_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError


def test_the_content_decides_the_format(tmp_path):
    save_picture(tmp_path / "a.jpg", random_pixels((16, 16)))
    (tmp_path / "a.jpg").rename(tmp_path / "a.PNG")
    assert read_picture(str(tmp_path / "a.PNG")).shape == (16, 16)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", lambda path: None, "no such file; check its name"),
        ("a.png", Path.mkdir, "is a folder, not a picture"),
        ("a.heic", Path.touch, r"\.heic is not supported; use \.png, .*"),
        ("a", Path.touch, "a name without suffix is not supported"),
    ],
)
def test_a_path_that_is_not_a_picture(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize(
    ("error", "message"),
    [(PermissionError(errno.EACCES, "no"), "no permission to read it"), (OSError(errno.EIO, "bad disk"), "bad disk")],
)
def test_what_the_system_refuses_to_read(tmp_path, monkeypatch, error, message):
    def refuse(*_, **__):
        raise error

    path = save_picture(tmp_path / "a.png", random_pixels())
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=rf"a\.png: .*{message}"):
        read_picture(path)


def test_a_folder_without_write_permission_is_reported_before_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PictureError, match=r"a.png: no permission to write in this folder"):
        check_output(tmp_path / "a.png", Picture.from_array(np.zeros((4, 4), np.uint8)))


def test_too_little_memory_is_reported(tmp_path, monkeypatch):
    def too_much(_):
        raise MemoryError

    monkeypatch.setattr(imagecodecs, "png_decode", too_much)
    with pytest.raises(PictureError, match=r"a\.png: does not fit into memory"):
        read_picture(save_picture(tmp_path / "a.png", random_pixels()))


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "message"),
    [
        ("a.png", "float32", (9, 7), r"PNG cannot hold float32; write \.tiff instead"),
        ("a.jpg", "uint16", (9, 7), r"JPEG cannot hold uint16; write \.png or \.tiff instead"),
        ("a.jpg", "float32", (9, 7), r"JPEG cannot hold float32; write \.tiff instead"),
        ("a.JPEG", "uint8", (9, 7, 4), "JPEG cannot hold transparency"),
        ("a.heic", "uint8", (9, 7), r"\.heic is not supported"),
        ("there.png/a.png", "uint8", (9, 7), r"there\.png is a file, not a folder; choose another place"),
        ("there.png", "uint8", (9, 7), "exists already; add --overwrite, or choose another output with -o"),
        ("folder.png", "uint8", (9, 7), "is a folder"),
        ("a" * 300 + ".png", "uint8", (9, 7), "cannot be written"),
    ],
)
def test_outputs_that_are_refused(tmp_path, name, dtype, shape, message):
    (tmp_path / "there.png").write_text("precious")
    (tmp_path / "folder.png").mkdir()
    picture = Picture.from_array(random_pixels(shape, dtype))
    for refuse in (
        lambda: check_output(tmp_path / name, picture),
        lambda: write_picture(tmp_path / name, picture.image, picture),
    ):
        with pytest.raises(PictureError, match=message) as caught:
            refuse()
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "there.png"]
    assert (tmp_path / "there.png").read_text() == "precious"


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError(errno.ENOSPC, "full"), PictureError, "the disk is full"),
        (OSError(errno.EACCES, "no"), PictureError, "no permission"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
    ids=["full", "forbidden", "interrupted"],
)
@pytest.mark.parametrize("stage", ["encode", "write", "replace"])
def test_failures_leave_nothing_behind(tmp_path, monkeypatch, stage, error, raised, message):
    class Half(io.FileIO):
        def write(self, data):
            super().write(data[:9])
            raise error

    def fail(*_):
        raise error

    path = tmp_path / "a.png"
    path.write_text("precious")
    picture = Picture.from_array(random_pixels())
    with monkeypatch.context() as patch:
        if stage == "encode":
            patch.setattr(files.formats, "save", fail)
        elif stage == "write":
            patch.setattr(Path, "open", lambda path, mode: Half(path, mode.removesuffix("b")))
        else:
            patch.setattr(Path, "replace", fail)
        with pytest.raises(raised, match=message):
            write_picture(path, picture.image, picture, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "precious"


@pytest.mark.parametrize(("shape", "dtype", "needed"), [((9, 7), "uint8", 2), ((1000, 1000, 3), "float32", 13)])
def test_a_full_disk_is_reported_before_the_fit(tmp_path, monkeypatch, shape, dtype, needed):
    def usage(folder):
        assert folder == tmp_path
        return shutil._ntuple_diskusage(10**9, 10**9 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    picture = Picture.from_array(random_pixels(shape, dtype))
    free = (needed - 1) * 10**6 - 1
    message = (
        rf"a\.tif: the disk has {needed - 2} MB free and the result may need {needed} MB; "
        "free some space or choose another output with -o"
    )
    with pytest.raises(PictureError, match=message):
        check_output(tmp_path / "a.tif", picture)
    write_picture(tmp_path / "b.tif", picture.image, picture)  # after the fit, writing is tried anyway
    free = needed * 10**6
    check_output(tmp_path / "a.tif", picture)


def test_overwriting_replaces(tmp_path):
    path = save_picture(tmp_path / "a.png", random_pixels())
    picture = read_picture(path)
    write_picture(path, torch.zeros_like(picture.image), picture, overwrite=True)
    assert not stored_pixels(path).any()


def test_a_result_that_is_a_folder_appears_when_it_is_complete(tmp_path):
    pytest.importorskip("zarr")
    picture = Picture.from_array(random_pixels())
    path, left = tmp_path / "a.zarr", tmp_path / ".torchdenoise-left.part"
    (left / "c").mkdir(parents=True)
    os.utime(left, (0, 0))

    def planes(value):
        yield 0, np.full((9, 7), value, np.uint8)
        (partial,) = tmp_path.glob(".torchdenoise-*.part")
        os.utime(partial, (0, 0))
        write_picture(tmp_path / "b.png", picture.image, picture, overwrite=True)  # by another process
        assert partial.is_dir()
        if value == 9:
            raise KeyboardInterrupt

    like = ArrayPlanes(random_pixels((9, 7)), Axes("YX"))
    for value in (3, 5):
        write_planes(path, planes(value), like, overwrite=value == 5)
        assert {each.name for each in tmp_path.iterdir()} == {"a.zarr", "b.png"}
        assert (read_picture(path).image == value / 255).all()
    with pytest.raises(PictureError, match=r"a.zarr: exists already; add --overwrite"):
        write_planes(path, planes(1), like)
    with pytest.raises(KeyboardInterrupt):
        write_planes(path, planes(9), like, overwrite=True)
    assert {each.name for each in tmp_path.iterdir()} == {"a.zarr", "b.png"}
    assert (read_picture(path).image == 5 / 255).all()


def test_only_a_zarr_is_replaced_by_one(tmp_path):
    like = ArrayPlanes(random_pixels((9, 7)), Axes("YX"))
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "precious.txt").touch()
    (tmp_path / "b.zarr").touch()
    for name in ("a.zarr", "b.zarr"):
        with pytest.raises(PictureError, match=rf"{name}: exists and is no Zarr picture; choose another output"):
            check_planes_output(tmp_path / name, like, overwrite=True)


def test_what_killed_processes_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    picture = Picture.from_array(random_pixels())
    left, young = (tmp_path / f".torchdenoise-{name}.part" for name in ("left", "young"))
    for path in (left, young):
        path.touch()
    os.utime(left, (0, 0))
    planes = ArrayPlanes(random_pixels((2, 9, 7)), Axes("TYX"))

    def slow():
        yield 0, planes.plane(0)
        (partial,) = (path for path in tmp_path.iterdir() if path not in (left, young))
        os.utime(partial, (0, 0))
        write_picture(tmp_path / "b.png", picture.image, picture)  # by another process
        assert partial.exists()
        yield 1, planes.plane(1)

    write_planes(tmp_path / "a.npy", slow(), planes)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), planes.array)
    assert {path.name for path in tmp_path.iterdir()} == {"a.npy", "b.png", young.name}
