"""The HTML report in unusual cases."""

from pathlib import Path

import pytest
from helpers import clipped_noise, result_rows, scene, write_png

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
