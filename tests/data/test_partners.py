"""Partners: pictures of one scene, matched by name and compared."""

from pathlib import Path

import numpy as np
import pytest
from helpers import save_picture, scene, write_png

from torchdenoise.data import read_partners, read_picture
from torchdenoise.data.partners import by_name, check_partners, match_by_name
from torchdenoise.errors import DataError


def paths(*names):
    return [Path(name) for name in names]


def test_scenes_have_the_order_of_the_first_side():
    scenes = match_by_name([paths("a/y.png", "a/x.png"), paths("b/x.tif", "b/y.TIF"), paths("c/y.jpg", "c/x.jpg")])
    assert list(scenes) == ["y", "x"]
    assert scenes["x"] == tuple(paths("a/x.png", "b/x.tif", "c/x.jpg"))


def test_pictures_without_partner_are_listed_with_the_options():
    first, second = paths("a/x.png", "a/1.png", "a/2.png"), paths("b/x.png", *(f"b/{n}.png" for n in range(3, 8)))
    with pytest.raises(DataError) as caught:
        match_by_name([first, second], "--noisy, --clean")
    examples = "a/1.png, a/2.png, b/3.png, b/4.png, b/5.png and 2 more (--noisy, --clean)"
    assert str(caught.value) == f"no picture of the same name for {examples}: rename or remove them"


def test_two_files_of_one_name(tmp_path):
    for name in ("x.png", "x.tif"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"x\.png and .*x\.tif have the same name: rename one"):
        by_name([tmp_path / "x.png", tmp_path / "x.tif"])
    assert by_name([tmp_path / "x.png", tmp_path / "." / "x.png"]) == {"x": tmp_path / "x.png"}


@pytest.mark.parametrize(
    ("picture", "depth", "message"),
    [
        (scene(20, 25), 8, r"a\.png has 24x20 pixels, .*b\.png 25x20: crop them to one size"),
        (scene(20, 24), 16, r"a\.png holds uint8, .*b\.png uint16: write both with the same type and range"),
        (scene(20, 24, channels=1), 8, r"a\.png is colour, .*b\.png is grey: convert one of them"),
    ],
    ids=["size", "type", "channels"],
)
def test_partners_that_do_not_fit_together(tmp_path, picture, depth, message):
    pair = [write_png(tmp_path / "a.png", scene(20, 24)), write_png(tmp_path / "b.png", picture, depth)]
    with pytest.raises(DataError, match=message):
        check_partners(pair, same_channels=True)
    if picture.shape[-1] == 3:
        with pytest.raises(DataError, match=message):
            read_partners(pair)
    else:
        check_partners(pair)  # a data module may convert them


def test_partners_share_the_widest_scaling(tmp_path):
    dim = save_picture(tmp_path / "dim.png", np.full((8, 9), 900, dtype=np.uint16))
    bright = save_picture(tmp_path / "bright.png", np.full((8, 9), 1300, dtype=np.uint16))
    assert read_picture(dim).scaling.high == 1023
    pictures = read_partners([dim, bright])
    assert [picture.scaling.high for picture in pictures] == [4095, 4095]
    assert [picture.image.max().item() for picture in pictures] == pytest.approx([900 / 4095, 1300 / 4095])
