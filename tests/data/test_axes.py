"""Axes: letters, planes and frames."""

import itertools

import numpy as np
import pytest

from torchdenoise.data.axes import Axes
from torchdenoise.errors import PictureError


@pytest.mark.parametrize("letters", ["YX", "YXS", "TYX", "XYZ", "TZCYX", "CTYX", "YXC", "SYX", "YTXS", "TCYXS", "QXRY"])
def test_planes_are_those_of_plain_indexing_and_go_back(letters):
    sizes = {"T": 2, "Z": 3, "C": 2, "Y": 4, "X": 5, "S": 3, "Q": 2, "R": 3}
    shape = tuple(sizes[letter] for letter in letters)
    array = np.arange(np.prod(shape)).reshape(shape)
    axes, copy = Axes(letters), np.zeros_like(array)
    outer = [letter for letter in letters if letter not in "YXS"]
    places = list(itertools.product(*(range(sizes[letter]) for letter in outer)))
    assert axes.planes(shape) == len(places)
    for number, place in enumerate(places):
        plane = axes.plane(array, number)
        assert axes.place(number, shape) == dict(zip(outer, place, strict=True))
        for y, x, s in np.ndindex(4, 5, 3 if "S" in letters else 1):
            at = {"Y": y, "X": x, "S": s, **axes.place(number, shape)}
            value = plane[y, x, s] if "S" in letters else plane[y, x]
            assert value == array[tuple(at[letter] for letter in letters)]
        axes.put(copy, number, plane)
    np.testing.assert_array_equal(copy, array)


def test_frames_hold_the_channels_of_one_place():
    axes, shape = Axes("ZCTYX"), (2, 3, 2, 4, 4)
    for frame in axes.frames(shape):
        places = [axes.place(number, shape) for number in frame]
        assert [place["C"] for place in places] == [0, 1, 2]
        assert len({(place["Z"], place["T"]) for place in places}) == 1
    assert axes.frames(shape, together=False) == [(number,) for number in range(12)]
    apart = axes.channels(shape)
    assert sorted(number for channel in apart for (number,) in channel) == list(range(12))
    assert {axes.place(number, shape)["C"] for (number,) in apart[1]} == {1}
    # RGB pictures of several channels stay one by one.
    assert Axes("CYXS").frames((2, 4, 4, 3)) == [(0,), (1,)]


@pytest.mark.parametrize(
    ("shape", "channel_axis", "letters"),
    [((5, 9, 8), 0, "CYX"), ((9, 8, 5), -1, "YXC"), ((4, 9, 5, 8), 2, "TYCX"), ((4, 5, 9, 8), -3, "TCYX")],
)
def test_channel_axis(shape, channel_axis, letters):
    assert Axes.of(shape, channel_axis=channel_axis).letters == letters


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((6, 9, 8), {}, r"shape \(6, 9, 8\) is not one picture .*: give axes='TYX' \(--axes TYX\)"),
        ((2, 6, 9, 8), {}, r"shape \(2, 6, 9, 8\) is not one picture .*: give axes='TCYX' \(--axes TCYX\)"),
        ((6, 9, 8), {"letters": "YX"}, "axes YX are 2, but the shape .* has 3"),
        ((6, 9, 8), {"letters": "YYX"}, "axes 'YYX': each letter once, Y and X among them"),
        ((6, 9, 8), {"letters": "TZX"}, "each letter once"),
        ((6, 9, 8), {"letters": "T-X"}, "each letter once"),
        ((6, 9, 8), {"letters": "TYX", "channel_axis": 0}, "give one of them"),
        ((6, 9, 8), {"channel_axis": 3}, "channel_axis=3 does not fit an array of 3 axes"),
        ((9, 8), {"channel_axis": 0}, "does not fit an array of 2 axes"),
        ((0, 9, 8), {"letters": "TYX"}, r"shape \(0, 9, 8\) has no pixels"),
    ],
)
def test_axes_that_do_not_fit_are_refused(shape, options, message):
    with pytest.raises(PictureError, match=message):
        Axes.of(shape, **options)


def test_small_letters_count_as_capitals():
    assert Axes.of((6, 9, 8), "tyx") == Axes("TYX")
