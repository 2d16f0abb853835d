"""Folders of pictures: what is looked at, and what is said at the end."""

import re

from helpers import noisy_scene, write_png

FEW = ("--max-steps", "2", "--device", "cpu")


def test_a_tree_of_folders(run, tmp_path):
    for name in ("in/a.png", "in/below/b.png", "in/below/c.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / name, noisy_scene())  # the content decides
    (tmp_path / "in/a_denoised.png").write_bytes((tmp_path / "in/a.png").read_bytes())
    (tmp_path / "in/notes.txt").write_text("two")
    outcome = run("denoise", "in", "-o", "out", "-r", "--pattern", "*.p*", *FEW)
    assert outcome.code == 0, outcome.err
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")) == [
        "a.png",
        "below/b.png",
    ]
    assert "1 picture(s) left out, named like an earlier result: in/a_denoised.png" in outcome.out
    assert re.search(r"^2 done, 0 skipped, 0 failed; \d+\.\d s a picture$", outcome.out, re.MULTILINE)

    (tmp_path / "in/below/broken.png").write_text("no picture")
    outcome = run("denoise", "in", "-o", "out", "-r", *FEW)
    assert outcome.code == 2
    assert "1 file(s) left out, not a supported picture: in/notes.txt" in outcome.out
    assert re.search(r"^1 done, 2 skipped, 1 failed; ", outcome.out, re.MULTILINE)


def test_one_picture_has_no_summary(run, noisy_png):
    outcome = run("denoise", "noisy.png", *FEW)
    assert outcome.code == 0
    assert "1 done" not in outcome.out
    assert run("denoise", "noisy.png", "--pattern", "*.tif", "--overwrite", *FEW).code == 0  # a file that is named
