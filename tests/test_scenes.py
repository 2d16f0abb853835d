"""Scenes by number and by name."""

import pytest

from torchdenoise.errors import PictureError
from torchdenoise.scenes import find_scene, scene_labels


def test_a_name_comes_before_a_number():
    assert find_scene(["2", "1"], "1") == 1
    assert find_scene(["2", "1"], 1) == 0
    assert find_scene(["night"], None) == 0


def test_a_scene_is_found_by_what_its_result_is_called():
    names = ["Plate 1/A1", "Plate 1/A2"]
    assert [find_scene(names, label) for label in scene_labels(names)] == [0, 1]
    names = ["dusk", "dusk"]
    assert [find_scene(names, label) for label in scene_labels(names)] == [0, 1]


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        ([], None, "holds no picture: damaged or cut short"),
        (["a", "b"], None, r"^holds 2 scenes \(1 a, 2 b\); choose one with --scene \(scene=\)"),
        (["a", "b"], "0", r"^holds no scene 0, but 2 scenes \(1 a, 2 b\)$"),
        (["a", ""], "3", r"^holds no scene 3, but 2 scenes \(1 a, 2\)$"),
        ([""], "night", r"^holds no scene night, but 1 scene \(1\)$"),
        (["a", "b", "a"], "a", r"^holds 2 scenes called a; give the number of one: 1, 3$"),
        ([str(number) for number in range(99)], "x", r"99 scenes \(1 0, .*, 10 9, \.\.\.\)$"),
    ],
)
def test_scenes_that_are_not_found(names, wanted, message):
    with pytest.raises(PictureError, match=message):
        find_scene(names, wanted)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["dusk", "Dusk"], ["1_dusk", "2_Dusk"]),  # one file on a disk that ignores case
        (["../../x", "a b\x1b[31m"], ["x", "a_b_31m"]),
        (["", "1"], ["1", "2_1"]),
        (["Größe 1", "日本"], ["Größe_1", "日本"]),
        (["日" * 99], ["日" * 33]),
    ],
)
def test_labels_are_different_and_fit_into_a_file_name(names, labels):
    assert scene_labels(names) == labels
