"""What commands work on and where results go."""

import errno
import os
import sys
from pathlib import Path

import pytest

from torchdenoise.errors import UserError
from torchdenoise.paths import default_output
from torchdenoise.plans import Search, check_folders, plan, plan_outputs
from torchdenoise.scenes import Source


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


def tree():
    return sorted(path.as_posix() for path in Path().rglob("*"))


def planned(*inputs, output=None):
    pairs = plan_outputs([Path(name) for name in inputs], None if output is None else Path(output))
    return {picture.as_posix(): result.as_posix() for picture, result in pairs}


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that may not be read")
def test_a_locked_folder(folder):
    Path("locked").mkdir(mode=0)
    with pytest.raises(UserError, match="locked: no permission to read it"):
        planned("locked")


def test_a_folder_the_system_does_not_let_in(folder, monkeypatch):
    def refuse(_):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"^\.: no permission to read it"):
        planned(".")


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["a.png"], None, {"a.png": "a_denoised.png"}),
        (["in/b.jpg"], None, {"in/b.jpg": "in/b_denoised.png"}),
        (["a.png"], "new.tif", {"a.png": "new.tif"}),
        (["a.png"], "old.png", {"a.png": "old.png"}),
        (["in/b.jpg"], "out", {"in/b.jpg": "out/b.png"}),
        (["a.png"], "fresh/deep/new.tif", {"a.png": "fresh/deep/new.tif"}),
        (["in/b.jpg"], "", {"in/b.jpg": "b.png"}),
        (["in"], None, {"in/b.jpg": "in/b_denoised.png", "in/c.TIFF": "in/c_denoised.TIFF"}),
        (["in"], "out", {"in/b.jpg": "out/b.png", "in/c.TIFF": "out/c.TIFF"}),
        (["in"], "fresh/deep", {"in/b.jpg": "fresh/deep/b.png", "in/c.TIFF": "fresh/deep/c.TIFF"}),
        (["one"], "fresh", {"one/d.png": "fresh/d.png"}),
        (["a.png", "in/b.jpg"], None, {"a.png": "a_denoised.png", "in/b.jpg": "in/b_denoised.png"}),
        (["a.png", "one"], "fresh.v2", {"a.png": "fresh.v2/a.png", "one/d.png": "fresh.v2/d.png"}),
        (["one", "one/d.png"], "fresh", {"one/d.png": "fresh/d.png"}),
    ],
)
def test_where_results_go(folder, inputs, output, expected):
    touch("a.png", "old.png", "in/b.jpg", "in/c.TIFF", "in/notes.txt", "one/d.png", "out/e.png")
    before = tree()
    assert planned(*inputs, output=output) == expected
    assert tree() == before
    check_folders([(Path(source), Path(result)) for source, result in expected.items()])
    assert tree() == before


def test_a_picture_that_is_a_folder(folder):
    touch("a.zarr/zarr.json", "in/b.ome.zarr/0/c.png", "in/d.png", "out/e.zarr/zarr.json")
    assert planned("a.zarr") == {"a.zarr": "a_denoised.zarr"}
    assert planned("a.zarr", output="out") == {"a.zarr": "out/a.zarr"}
    assert planned("a.zarr", output="out/e.zarr") == {"a.zarr": "out/e.zarr"}
    assert planned("in/d.png", output="out/e.zarr") == {"in/d.png": "out/e.zarr"}
    plans = plan([Path("in")], None, "", Search(recursive=True)).pairs
    assert [result.as_posix() for _, result in plans] == ["in/b_denoised.ome.zarr", "in/d_denoised.png"]
    with pytest.raises(UserError, match=r"^in/../a.zarr: the output is an input"):
        planned("a.zarr", output="in/../a.zarr")
    with pytest.raises(UserError, match=r"^in/b.ome.zarr: the output is an input"):
        planned("in/b.ome.zarr/0/c.png", output="in/b.ome.zarr")
    with pytest.raises(UserError, match=r"^a.zarr: is a file; several pictures need a folder"):
        planned("in", output="a.zarr")


def test_a_folder_that_cannot_be_made(folder):
    touch("notes.txt")
    with pytest.raises(UserError, match=r"^notes\.txt/out: notes\.txt is a file, not a folder; choose another place"):
        check_folders([(Path("a.png"), Path("notes.txt/out/a.png"))])


def test_earlier_results_are_not_denoised_again(folder):
    touch("a.png", "in/b.jpg", "in/b_denoised.png", "in/b_denoised_denoised.png", "in/c_denoised.png")
    rest = {"in/c_denoised.png": "in/c_denoised_denoised.png"}  # not one of ours: there is no c
    assert planned("in") == {"in/b.jpg": "in/b_denoised.png"} | rest
    assert planned("in", output="out") == {"in/b.jpg": "out/b.png", "in/c_denoised.png": "out/c_denoised.png"}
    assert planned("in/b.jpg", "in/b_denoised.png", "a.png") == {
        "in/b.jpg": "in/b_denoised.png",
        "a.png": "a_denoised.png",
    }
    assert planned("in/b_denoised.png") == {"in/b_denoised.png": "in/b_denoised_denoised.png"}
    assert "in/b_denoised.png" in planned("in", "in/b_denoised.png", output="out")  # named itself


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["missing.png"], None, r"^missing\.png: no such file"),
        (["in", "missing"], "fresh", r"^missing: no such file"),
        (["n" * 300 + ".png"], None, "cannot be read"),
        (["folder.png"], None, r"^folder\.png: is a folder, not a picture"),
        (["a.png", "folder.png"], "fresh", r"^folder\.png: is a folder, not a picture"),
        (["empty"], "fresh", "^empty: no PNG, .* picture in this folder"),
        (["notes.txt"], None, r"^notes\.txt: \.txt is not supported"),
        (["broken.png"], None, r"^broken\.png: no such file"),
        (["a.png"], "a.png/b.png", r"^a\.png/b\.png: a\.png is a file, not a folder; choose another place"),
        (["a.png"], "notes.txt/new/b.png", r"notes\.txt is a file, not a folder"),
        (["a.png"], "broken.png/b.png", r"broken\.png is a file, not a folder"),
        (["a.png"], "missing", "^missing: is neither a folder nor a name with"),
        (["a.png"], "b.heic", r"^b\.heic: is neither a folder nor a name with"),
        (["a.png"], "n" * 300 + ".png/x.png", "cannot be written"),
        (["a.png"], "n" * 300, "cannot be written"),
        (["in"], "n" * 300, "cannot be written"),
        (["in"], "notes.txt", r"^notes\.txt: is a file; several pictures need a folder"),
        (["a.png", "in/b.jpg"], "new.png", r"^new\.png: is a file; several pictures need a folder"),
        (["a.png"], "a.png", r"^a\.png: the output is an input"),
        (["a.png"], "in/../a.png", "the output is an input"),
        (["a.png"], "link.png", r"^link\.png: the output is an input"),
        (["link.png"], "a.png", "the output is an input"),
        (["a.png"], "linked", r"^linked/a\.png: the output is an input"),
        (["a.png", "in/b.jpg"], ".", r"^a\.png: the output is an input"),
        (["in"], "in", r"^in/c\.png: the output is an input"),
        (["in", "one"], "fresh", r"^in/c\.png and one/c\.png would both become fresh/c\.png"),
        (["both"], None, r"^both/e\.jpg and both/e\.png would both become both/e_denoised\.png"),
        (["both/e.jpg", "both/../both/e.png"], None, "would both become"),
    ],
)
def test_every_bad_plan_is_one_line_and_makes_nothing(folder, inputs, output, message):
    touch("a.png", "notes.txt", "in/b.jpg", "in/c.png", "one/c.png", "both/e.jpg", "both/e.png")
    for name in ("empty", "folder.png"):
        Path(name).mkdir()
    Path("link.png").symlink_to("a.png")
    Path("broken.png").symlink_to("nowhere.png")
    Path("linked").symlink_to(".")
    before = tree()
    with pytest.raises(UserError, match=message) as caught:
        planned(*inputs, output=output)
    assert "\n" not in str(caught.value)
    assert tree() == before


def test_results_in_floating_point_are_tiffs(tmp_path):
    names = {
        "a.png": "a_denoised.tif",
        "a.jpg": "a_denoised.tif",
        "a.tiff": "a_denoised.tiff",
        "a.TIF": "a_denoised.TIF",
    }
    assert {name: default_output(Path(name), ".tif").name for name in names} == names
    for name in ("a.png", "b.tiff", "a_denoised.tif"):
        (tmp_path / name).touch()
    pairs = plan_outputs([tmp_path], tmp_path / "out", ".tif")
    assert [result.name for _, result in pairs] == ["a.tif", "b.tiff"]
    assert [source.name for source, _ in plan_outputs([tmp_path], None)] == ["a.png", "b.tiff"]


def test_folders_within_folders_keep_their_tree(folder):
    touch("in/a.png", "in/below/b.tif", "in/below/deep/c.jpg", "in/.hidden/d.png", "in/clean/e.png")
    Path("in/link").symlink_to(".")
    found = plan([Path("in")], Path("in/clean"), search=Search(recursive=True))
    assert {source.path.as_posix(): result.as_posix() for source, result in found.pairs} == {
        "in/a.png": "in/clean/a.png",
        "in/below/b.tif": "in/clean/below/b.tif",
        "in/below/deep/c.jpg": "in/clean/below/deep/c.png",
    }
    assert planned("in") == {"in/a.png": "in/a_denoised.png"}


def test_a_pattern_chooses_files_of_folders(folder):
    touch("in/a.png", "in/b.tif", "in/notes.txt", "in/below/c.tif", "d.png")
    found = plan([Path("in"), Path("d.png")], None, search=Search(recursive=True, pattern="*.tif"))
    assert [source.path.name for source, _ in found.pairs] == ["b.tif", "c.tif", "d.png"]
    assert not found.remarks()
    with pytest.raises(UserError, match=r"^in: no PNG, .* picture that fits \*\.jp2 in this folder"):
        plan([Path("in")], None, search=Search(pattern="*.jp2"))


def test_files_that_are_left_out_are_named(folder):
    touch("in/a.png", "in/a_denoised.png", "in/.DS_Store", *(f"in/{number}.csv" for number in range(5)))
    found = plan([Path("in")], Path("out"))
    assert found.remarks() == [
        "5 file(s) left out, not a supported picture: in/0.csv, in/1.csv, in/2.csv and 2 more",
        "1 picture(s) left out, named like an earlier result: in/a_denoised.png; "
        "name such a file itself, and an output folder with -o, to denoise it",
    ]
    assert not plan([Path("in"), Path("in/a_denoised.png")], Path("out")).earlier


def test_the_mask_is_left_out_of_its_folder(folder):
    touch("in/a.png", "in/mask.tif", "in/b.png")
    found = plan([Path("in")], Path("out"), search=Search(mask=Path("in/../in/mask.tif")))
    assert [source.path.name for source, _ in found.pairs] == ["a.png", "b.png"]
    assert found.remarks() == ["in/mask.tif: left out, because it is the mask"]
    assert len(plan([Path("in")], Path("out"), search=Search(mask=Path("mask.tif"))).pairs) == 3
    assert plan([Path("in/mask.tif")], Path("out.tif"), search=Search(mask=Path("in/mask.tif"))).pairs


def two_in_each_lif(path):
    labels = ["dusk", "dawn"] if path.suffix == ".lif" else [""]
    return [Source(path, number, label) for number, label in enumerate(labels, 1)]


def planned_scenes(*inputs, output=None):
    pairs = plan([Path(name) for name in inputs], output, scenes=two_in_each_lif).pairs
    return {str(source): result.as_posix() for source, result in pairs}


def test_each_scene_has_a_result_of_its_own(folder):
    touch("in/a.lif", "in/b.png")
    scenes = ["in/a.lif, scene dusk", "in/a.lif, scene dawn"]
    ends = ["dusk_denoised.ome.tif", "dawn_denoised.ome.tif"]
    assert planned_scenes("in/a.lif") == {scene: f"in/a_{end}" for scene, end in zip(scenes, ends, strict=True)}
    assert list(planned_scenes("in", output=Path("out")).values()) == [
        "out/a_dusk.ome.tif",
        "out/a_dawn.ome.tif",
        "out/b.png",
    ]
    touch("in/a_dawn_denoised.ome.tif", "in/a_noon_denoised.ome.tif")
    found = plan([Path("in")], None, scenes=two_in_each_lif)
    assert found.earlier == [Path("in/a_dawn_denoised.ome.tif")]
    assert len(found.pairs) == 4


def test_one_file_for_several_scenes_is_refused(folder):
    touch("a.lif")
    with pytest.raises(UserError) as caught:
        planned_scenes("a.lif", output=Path("b.ome.tif"))
    assert str(caught.value) == "a.lif: holds 2 scenes (1 dusk, 2 dawn); choose one with --scene, or a folder with -o"


def test_the_name_of_a_scene_is_kept_where_a_long_name_is_cut(folder):
    end = "_dawn_denoised.ome.tif"
    assert default_output(Path(f"{'n' * 250}.lif"), label="dawn").name == "n" * (255 - len(end)) + end
