"""The table, from rows made by hand."""

import pytest

from tests.benchmarking.made_rows import row
from torchdenoise.benchmarking.tables import lines, markdown


def test_methods_are_ranked_on_the_pictures_that_all_have_finished():
    rows = [
        row("easy", "a", "40"),
        row("all", "a", "31"),
        row("all", "b", "21"),
        row("all", "a", "30", seed="1"),
        row("most", "a", "29"),
        row("most", "a", "28", seed="1"),
        row("most", "b", ""),
        row("none", "a", ""),
    ]
    found = {line.recipe: line for line in lines(rows)}
    # "easy" has finished only picture a at seed 0, so only that one can be ranked.
    assert [line.recipe for line in lines(rows)] == ["easy", "all", "most", "none"]
    assert [(found[name].shared, found[name].done, found[name].failed) for name in ("easy", "all", "most", "none")] == [
        (1, 1, 0),
        (1, 3, 0),
        (1, 2, 1),
        (0, 0, 1),
    ]
    assert (found["all"].psnr, found["most"].psnr, found["none"].psnr) == (31, 29, None)


def test_means_and_deviations_are_over_pictures():
    found = lines([row("one", "a", "30"), row("one", "b", "34"), row("one", "c", "32", seconds="5")])
    assert found[0].psnr == pytest.approx(32)
    assert found[0].spreads["psnr"] == pytest.approx(2)
    assert found[0].spreads["ssim"] == 0
    assert found[0]["seconds"] == pytest.approx(3)


def test_each_noise_has_a_table_and_failures_are_listed():
    text = markdown([row("x", "a", "30"), row("x", "a", "", noise="poisson:9")], "the command")
    assert text.count("| recipe |") == 2
    head, _, line = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][:3]
    cells = dict(zip(head, line, strict=True))
    assert cells == cells | {"PSNR": "30.00", "SSIM": "0.500", "seconds": "2.00", "steps": "7", "parameters": "100"}
    assert cells["MiB"] == "-"
    assert "- x on a, poisson:9: broke" in text
    assert "contended" not in text
    assert "contended" in markdown([row("x", "a", "30", workers="2")], "")


def test_the_noisy_pictures_are_scored_over_the_same_pictures_as_the_methods():
    rows = [
        row("x", "a", "30", noisy_psnr="20", noisy_ssim="0.1"),
        row("x", "b", "30", noisy_psnr="24", noisy_ssim="0.3"),
        row("x", "c", "30", noisy_psnr="90", noisy_ssim="0.9"),
        row("y", "a", "28", noisy_psnr="20", noisy_ssim="0.1"),
        row("y", "b", "28", noisy_psnr="24", noisy_ssim="0.3"),
        row("y", "c", "", noisy_psnr="", noisy_ssim=""),
    ]
    shown = [line for line in markdown(rows, "").splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0] for line in shown] == ["| noisy", "| x", "| y"]
    assert shown[0].split(" | ")[1:4] == ["2", "22.00 ± 2.83", "0.200"]
    assert "| noisy |" not in markdown([row("x", "a", "30")], "")


def test_a_figure_that_some_pictures_lack_has_no_mean():
    """This happens after a metric was added; a mean over fewer pictures would not be comparable."""
    [line] = lines([row("one", "a", "30", correlation="0.5"), row("one", "b", "34")])
    assert line["correlation"] is None
    assert line["psnr"] == 32


def test_names_of_strangers_are_text_in_the_page():
    evil = "<img src=x onerror=alert(1)>|\x1b[31m"
    text = markdown([row(evil, evil, "30", noise=evil), row("b", "a", "", noise=evil, error=evil)], f"compare {evil}")
    assert "<img" not in text
    assert "\x1b" not in text
    assert r"&lt;img src=x onerror=alert(1)>\|\x1b[31m" in text


def test_methods_with_trained_weights_are_named_apart():
    rows = [row("pure", "a", "30"), row("ready", "a", "31", weights="1a2b3c4d 5e6f7a8b")]
    text = markdown(rows, "compare")
    assert (
        "With weights trained on other pictures: ready (1a2b3c4d 5e6f7a8b). The others see one picture alone." in text
    )
    assert "trained on other pictures" not in markdown(rows[:1], "compare")
