"""The table and its charts, from rows made by hand."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.benchmarking.charts import Axis, Series, chart
from torchdenoise.benchmarking.columns import columns
from torchdenoise.benchmarking.tables import lines, markdown


def row(recipe, image, psnr, noise="gaussian:25", seed="0", **values):
    status = "done" if psnr else "failed"
    figures = {"psnr": psnr, "ssim": "0.5", "seconds": "2", "steps": "7", "parameters": "100", "workers": "1"}
    named = {"recipe": recipe, "image": image, "noise": noise, "seed": seed, "status": status}
    return dict.fromkeys(columns(), "") | named | (figures if psnr else {"error": "broke"}) | values


def test_methods_are_ranked_by_the_pictures_that_all_have_finished():
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
    # "easy" has finished picture a at seed 0 alone, which is thus all that can be ranked.
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
    assert found[0].spread == pytest.approx(2)
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


def test_a_figure_that_not_all_pictures_have_has_no_mean():
    """As after a metric was added: the mean over fewer pictures would not compare."""
    [line] = lines([row("one", "a", "30", correlation="0.5"), row("one", "b", "34")])
    assert line["correlation"] is None
    assert line["psnr"] == 32


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_linear_axes_hold_all_values_with_a_few_round_ticks(values):
    axis = Axis.over(values, 0, 100)
    assert all(-1e-6 <= axis.place(value) <= 100 + 1e-6 for value in values)
    ticks = axis.ticks()
    assert len(ticks) <= 8
    assert all(axis.low <= tick <= axis.high for tick in ticks)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=5))
def test_logarithmic_axes_too(values):
    axis = Axis.over(values, 0, 100, log=True)
    assert 3 <= len(axis.ticks()) <= 10
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())
    assert all(0 < axis.place(value) < 100 for value in values)
    assert axis.place(axis.low) == pytest.approx(0)
    assert axis.place(math.sqrt(axis.low * axis.high)) == pytest.approx(50)


def test_a_chart_shows_every_point_by_name_and_escapes_it():
    svg = chart([Series("a<b", 0, [(1, 2), (10, 3)]), Series("c", 1, [(5, 2.5)])], "s", "dB", log=True, joined=False)
    assert svg.count("<circle") == 3
    assert svg.count("a&lt;b</text>") == 2
    assert "a<b" not in svg
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', svg)]
    assert heights[0] > heights[2] > heights[1]  # up is more
    curves = chart([Series("a", 0, [(1, 2), (2, 3)]), Series("b", 11, [(1, 1), (2, 2)])], "steps", "dB")
    assert curves.count("<polyline") == 2
    assert 'stroke-dasharray="6 3"' in curves
