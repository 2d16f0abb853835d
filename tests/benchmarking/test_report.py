"""The HTML report in unusual cases."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import clipped_noise, result_rows, scene, write_png
from PIL import Image

SHORT = ("--max-steps", "3", "--threads", "1")


def test_infinite_psnr_has_a_report(run, tmp_path):
    (tmp_path / "black").mkdir()
    for name in "ab":
        write_png(tmp_path / "black" / f"{name}.png", 0 * scene())
    outcome = run(
        "compare", "--recipes", "zsn2n", "--data", "black", "--noise", "poisson:25,poisson:50", *SHORT, "-o", "res"
    )
    assert outcome.code == 0, outcome.err
    assert {row["noisy_psnr"] for row in result_rows(Path("res"))} == {"inf"}
    assert "PSNR" in Path("res/report.html").read_text()


def test_a_crop_of_three_pixels_has_a_report(run, clean):
    words = ("--recipes", "zsn2n", "--data", clean, "--noise", "gaussian:25", *SHORT, "--crop", "3", "-o", "res")
    assert run("compare", *words).code == 0
    assert Path("res/report.html").exists()


@pytest.mark.parametrize(
    ("sides", "text"),
    [((40, 40), "40x40 pixels"), ((40, 24), "24x24 to 40x40 pixels"), ((140, 150), "128x128 pixels")],
)
def test_the_size_of_the_shown_squares(run, tmp_path, sides, text):
    (tmp_path / "clean").mkdir()
    for number, side in enumerate(sides):
        write_png(tmp_path / "clean" / f"{number}.png", scene(side, side + 5))
    words = ("--recipes", "tv", "--data", "clean", "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    assert run("compare", *words).code == 0
    assert f"The {text} of each picture with most structure" in Path("res/report.html").read_text()


def test_assumption_warnings_are_in_row_table_and_report(run, tmp_path):
    (tmp_path / "noisy").mkdir()
    write_png(tmp_path / "noisy" / "x.png", clipped_noise())
    outcome = run("compare", "--recipes", "fast,zsn2n", "--noisy", "noisy", *SHORT, "-o", "res")
    assert outcome.code == 0, outcome.err
    [fast, zsn2n] = result_rows(Path("res"))
    assert fast["warning"].endswith("falling back to a loss that needs no noise level")
    assert zsn2n["warning"] == ""
    assert outcome.err == ""
    assert f"## Warnings\n\n- fast, real, 1 of 1: {fast['warning']}" in Path("res/table.md").read_text()
    assert fast["warning"] in Path("res/report.html").read_text()


def test_no_character_of_a_table_steers_a_browser(run, clean):
    words = ("compare", "--recipes", "tv", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    assert run(*words).code == 0
    path, odd = Path("res/results.csv"), "\x1b[2J\u202e"
    version = result_rows(Path("res"))[0]["torch"]
    path.write_text(path.read_text().replace(version, odd))
    assert run(*words).code == 0
    page = Path("res/report.html").read_text()
    assert "\\x1b[2J\\u202e" in page
    assert not set(odd[::5]) & set(page)


@pytest.fixture
def dim(tmp_path):
    """Return a folder of one dim picture in 16 bits: about 300 to 560 of 4095, but for a hot pixel, noise level 10."""
    rng = np.random.default_rng(0)
    values = 300 + 260 * scene(96, 100, 1)[..., 0] + rng.normal(0, 10, (96, 100))
    values[20, 20] = 4000
    (tmp_path / "dim").mkdir()
    resolution = {"resolution": (25000, 25000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "dim/cells.tif", values.round().astype(np.uint16), description="dish 3", **resolution)
    return tmp_path / "dim"


def shown_pictures(page):
    """Return text -> pixels of the pictures in a report."""
    found = re.findall(r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]+)"', page)
    return {text: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data, text in found}


def test_a_dim_picture_is_shown_with_one_contrast_for_all_and_results_are_stored_as_the_input(run, dim):
    outcome = run("compare", "--recipes", "tv,wavelet", "--noisy", dim, "--threads", "1", "-o", "res")
    assert outcome.code == 0, outcome.err
    page = Path("res/report.html").read_text()
    pictures = shown_pictures(page)
    assert set(pictures) == {"Noisy picture", "Result of tv", "Result of wavelet"}
    black, white = map(int, re.search(r"the same in all: (\d+) is shown as black, (\d+) as white", page).groups())
    assert (black, white) == (pytest.approx(330, abs=20), pytest.approx(535, abs=40))
    noisy = tifffile.imread(dim / "cells.tif")
    for name, text in {"tv": "Result of tv", "wavelet": "Result of wavelet", None: "Noisy picture"}.items():
        path = dim / "cells.tif" if name is None else Path(f"res/pictures/cells_real_0/{name}.tif")
        with tifffile.TiffFile(path) as file:
            stored, tags = file.asarray(), file.pages[0].tags
        assert (stored.dtype, stored.shape) == (np.uint16, noisy.shape)
        assert (tags["XResolution"].value, tags["ImageDescription"].value) == ((25000, 1), "dish 3")
        assert len(np.unique(stored)) > 100
        expected = 255 * ((stored.astype(float) - black) / (white - black)).clip(0, 1)
        shown = pictures[text][..., 0] if pictures[text].ndim == 3 else pictures[text]
        assert shown.std() > 40
        assert shown.mean() == pytest.approx(expected.mean(), abs=2)
    assert "255 stands for 4095" in page


def test_a_picture_that_fills_its_range_is_shown_as_it_is(run, clean):
    words = ("--recipes", "tv", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    assert run("compare", *words).code == 0
    assert "is shown as black" not in Path("res/report.html").read_text()


def test_without_clean_pictures_no_method_is_marked_as_the_best(run, dim):
    words = ("compare", "--recipes", "zsn2n,wavelet", "--noisy", dim, *SHORT, "-o", "res")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    page, table = Path("res/report.html").read_text(), Path("res/table.md").read_text()
    assert "so no method is the best by a number" in page
    assert not re.search(r"<strong>|class=\"best\"|best first|The best of a column", page)
    assert r"\textbf" not in Path("res/table.tex").read_text()
    head = next(line for line in table.splitlines() if line.startswith("| recipe"))
    assert head == "| recipe | n | removed / noise | mean shift | correlation | seconds | steps | parameters | MiB |"
    for row in result_rows(Path("res")):
        level = float(row["measured_level"])
        assert level == pytest.approx(255 * 10 / 4095, rel=0.2)
        assert float(row["removed_share"]) == pytest.approx(float(row["removed"]) / level, abs=0.01)
        assert f"removed {float(row['removed_share']):.2f} of the noise level, mean shift" in page


def test_with_clean_pictures_nothing_is_measured_and_the_best_is_marked(run, clean):
    words = ("--recipes", "tv,wavelet", "--data", clean, "--noise", "gaussian:25", "--threads", "1", "-o", "res")
    assert run("compare", *words).code == 0
    rows = result_rows(Path("res"))
    assert {row["measured_level"] + row["removed_share"] + row["mean_shift"] for row in rows} == {""}
    assert "removed / noise" not in Path("res/table.md").read_text()
    page = Path("res/report.html").read_text()
    assert page.count('class="best"') == 1
    assert page.count("<strong>") >= 3


def table_rows(page):
    """Return the cells of each row of the tables in a report."""
    rows = re.findall(r"<tr([^>]*)>(.*?)</tr>", page.partition("<tbody>")[2])
    return [[name, *re.findall(r"<t[hd][^>]*>(?:<span>)?(.*?)(?:</span>)?</t[hd]>", cells)] for name, cells in rows]


def test_the_table_begins_with_the_noisy_pictures_which_are_not_ranked(run, clean):
    words = ("--recipes", "tv,wavelet", "--data", clean, "--noise", "gaussian:1", "--threads", "1", "-o", "res")
    assert run("compare", *words).code == 0
    page = Path("res/report.html").read_text()
    table = [line for line in Path("res/table.md").read_text().splitlines() if line.startswith("| noisy")]
    (mark, *cells), (first, *_), (second, *_) = table_rows(page)
    assert (mark, first, second) == ("", ' class="best"', "")
    assert [f"| {' | '.join(cells)} |"] == table
    assert float(cells[2].partition(" ")[0]) > 48  # no method comes near with so little noise
    assert "The row noisy is the noisy pictures themselves." in page


def test_without_clean_pictures_the_table_has_no_row_of_the_noisy_ones(run, dim):
    assert run("compare", "--recipes", "tv", "--noisy", dim, "--threads", "1", "-o", "res").code == 0
    page = Path("res/report.html").read_text()
    assert [cells[1] for cells in table_rows(page)] == ["tv"]
    assert "The row noisy" not in page
