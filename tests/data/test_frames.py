"""Frames of planes, and planes in order."""

import numpy as np
import pytest
from helpers import random_pixels

from torchdenoise.data.axes import Axes
from torchdenoise.data.frames import ArrayPlanes, Frames, in_order
from torchdenoise.errors import PictureError


@pytest.mark.parametrize("letters", ["TCYX", "CTYX", "YXTC"])
def test_frames_split_into_the_planes_they_were_made_of(letters):
    array = random_pixels(tuple({"T": 3, "C": 2, "Y": 4, "X": 5}[letter] for letter in letters))
    planes = ArrayPlanes(array, Axes(letters))
    frames = Frames.together(planes)
    as_tyxc = array.transpose([letters.index(letter) for letter in "TYXC"])
    copy = np.zeros_like(array)
    for number in range(len(frames)):
        np.testing.assert_array_equal(frames[number], as_tyxc[number])
        for place, plane in frames.split(number, frames[number]):
            planes.axes.put(copy, place, plane)
    np.testing.assert_array_equal(copy, array)
    for channel, alone in enumerate(Frames.apart(planes)):
        np.testing.assert_array_equal([alone[number] for number in range(3)], as_tyxc[..., channel])
        assert alone.values == 3 * 4 * 5


def test_transparency_is_the_last_of_two_or_four_samples():
    frames = Frames.together(ArrayPlanes(random_pixels((3, 4, 5, 4)), Axes("TYXS")))
    assert frames.alpha
    assert frames.values == 3 * 4 * 5 * 3
    assert not Frames.together(ArrayPlanes(random_pixels((3, 4, 5, 4)), Axes("TYXC"))).alpha


def test_a_part_of_the_frames_is_not_read(monkeypatch):
    monkeypatch.setattr(ArrayPlanes, "read", None)
    frames = Frames.together(ArrayPlanes(random_pixels((6, 4, 5)), Axes("TYX")))
    assert len(frames[2:4]) == 2


def test_planes_in_any_order_come_out_in_order(tmp_path):
    planes = random_pixels((24, 3, 4), "uint16")
    order = np.random.default_rng(0).permutation(24).tolist()
    given = ((number, planes[number].T) for number in order)  # not contiguous
    for number, plane in enumerate(in_order(given, tmp_path)):
        np.testing.assert_array_equal(plane, planes[number].T)
        assert not list(tmp_path.iterdir())
    assert number == 23


def test_a_missing_plane_is_an_error(tmp_path):
    with pytest.raises(PictureError, match="plane 1 is missing"):
        list(in_order([(0, np.zeros((2, 2))), (2, np.zeros((2, 2)))], tmp_path))
