import errno
import os
from pathlib import Path

import pytest

from torchdenoise.errors import UserError
from torchdenoise.paths import check_input, default_output, find_pictures, read_errors, visible_files, write_errors


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, by names as a user types them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pictures_of_a_folder(folder):
    touch("b.TIF", "a.png", "c.jpeg", ".hidden.png", "notes.txt", "below/d.png")
    Path("folder.png").mkdir()
    assert [path.name for path in find_pictures(folder)] == ["a.png", "b.TIF", "c.jpeg"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "no PNG, .* picture in this folder"),
        ("missing", "no such folder; check its name"),
        ("a.png", "no such folder; check its name"),
        ("n" * 300, "cannot be read"),
    ],
)
def test_folders_without_pictures(folder, name, message):
    Path("empty").mkdir()
    touch("a.png")
    with pytest.raises(UserError, match=f"^{name}: {message}"):
        find_pictures(name)


@pytest.mark.parametrize(
    ("name", "output"),
    [("x/a.png", "x/a_denoised.png"), ("b.c.TIF", "b.c_denoised.TIF"), ("a.JPG", "a_denoised.png")],
)
def test_default_output_stands_beside_the_input(name, output):
    assert default_output(Path(name)) == Path(output)


@pytest.mark.parametrize("context", [read_errors, write_errors])
def test_failures_begin_with_the_path(context):
    for error in (UserError("why"), OSError(errno.EIO, "why"), PermissionError(errno.EACCES, "why")):
        with pytest.raises(UserError, match=r"^a\.png: ") as caught, context(Path("a.png")):
            raise error
        assert caught.value.__cause__ is error


@pytest.mark.parametrize("length", [243, 244, 255])
def test_the_longest_names_have_results_of_the_same_length(folder, length):
    for character in ("n", "é"):
        name = character * ((length - 4) // len(character.encode())) + ".png"
        touch(name)
        result = default_output(Path(name))
        assert len(os.fsencode(result.name)) <= 255
        assert result.name.endswith("_denoised.png")
        result.touch()


def test_names_that_steer_a_terminal_are_escaped(folder):
    with pytest.raises(UserError) as caught:
        find_pictures("a\x1b[31m\nb\u202ec")
    assert str(caught.value) == "a\\x1b[31m\\nb\\u202ec: no such folder; check its name"


@pytest.mark.parametrize(
    ("name", "output"),
    [("x/a.ome.zarr", "x/a_denoised.ome.zarr"), ("a.b.zarr", "a.b_denoised.zarr"), ("a.NII.GZ", "a_denoised.NII.GZ")],
)
def test_suffixes_of_two_parts(name, output):
    assert default_output(Path(name)) == Path(output)


def test_folders_that_are_pictures(folder):
    touch("b.png", "a.zarr/zarr.json", "a.zarr/b.png", "c.zarr", "below/d.ome.zarr/zarr.json", "below/e.png")
    assert [path.name for path in find_pictures(folder)] == ["a.zarr", "b.png", "c.zarr"]
    found = visible_files(folder, recursive=True)
    assert [path.relative_to(folder).as_posix() for path in found] == [
        "a.zarr", "b.png", "below/d.ome.zarr", "below/e.png", "c.zarr",
    ]  # fmt: skip
    check_input(Path("a.zarr"))
    with pytest.raises(UserError, match=r"is a file, but a Zarr is a folder; copy it again"):
        check_input(Path("c.zarr"))
