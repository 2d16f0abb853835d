"""The charts: axes with round ticks, and points with their names."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.charts import (
    COLOURS,
    COLOURS_ON_BLACK,
    DASHES,
    HEIGHT,
    LINE,
    MAX_DOTS,
    WIDTH,
    Axis,
    Panel,
    Series,
    chart,
    stacked,
)

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_linear_axes_hold_all_values_with_a_few_round_ticks(values):
    axis = Axis.over(values, 0, 100)
    assert all(-1e-6 <= axis.place(value) <= 100 + 1e-6 for value in values)
    ticks = axis.ticks()
    assert len(ticks) <= 8
    assert all(axis.low <= tick <= axis.high for tick in ticks)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=5))
def test_logarithmic_axes_hold_all_values_with_a_few_round_ticks(values):
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
    curves = chart([Series("a", 0, [(1, 2), (2, 3)]), Series("b", 10, [(1, 1), (2, 2)])], "steps", "dB")
    assert curves.count("<polyline") == 2
    assert '<g class="s10 c1">' in curves
    assert 'stroke-dasharray="2 2"' in curves


def test_a_chart_says_where_its_series_begin_and_end():
    svg = chart([Series("<a>", 0, [(1, 2), (5, 9), (10, 3)]), Series("b", 1, [(5, 2.5)])], "steps", "dB")
    assert 'aria-label="dB against steps; &lt;a&gt;: 2 at 1 to 3 at 10; b: 2.5 at 5"' in svg


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 1000, [1, 10, 100, 1000]),
        (3, 70, [5, 10, 20, 50]),
        (2.5, 6, [3, 4, 5, 6]),
        (1.05, 1.3, [1.05, 1.1, 1.15, 1.2, 1.25, 1.3]),
    ],
)
def test_the_narrower_a_logarithmic_axis_the_finer_its_ticks(low, high, ticks):
    assert Axis(low, high, 0, 100, log=True).ticks() == pytest.approx(ticks)


def test_colours_and_dashes_distinguish_series():
    series = [Series(str(number), number, []) for number in range(len(COLOURS) * len(DASHES))]
    assert len({(each.colour, each.dashes) for each in series}) == len(series)
    assert len({each.swatch for each in series}) == len(series)
    assert len(COLOURS) == len(set(COLOURS)) == len(set(COLOURS_ON_BLACK)) == len(COLOURS_ON_BLACK)


def test_the_drawing_stays_inside_its_width_and_height():
    points = [(0.01 * 3**number, 20 + number) for number in range(9)]
    svg = chart([Series("a method", 0, points)], "s", "dB", log=True, joined=False)
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in svg
    for sizes, limit in ((r'\b(?:c?x|x[12])="([\d.-]+)"', WIDTH), (r'\b(?:c?y|y[12])="([\d.-]+)"', HEIGHT)):
        assert all(0 <= float(size) <= limit for size in re.findall(sizes, svg))
    assert re.findall(r'text-anchor="(\w+)" class="name"', svg) == ["start"] * 7 + ["end"] * 2


def test_only_lines_of_few_points_are_marked_at_each():
    short, long = ([(x, x) for x in range(1, 1 + count)] for count in (MAX_DOTS, MAX_DOTS + 1))
    assert chart([Series("a", 0, short)], "x", "y").count("<circle") == MAX_DOTS
    assert chart([Series("a", 0, long)], "x", "y").count("<circle") == 0
    assert chart([Series("a", 0, long)], "x", "y", joined=False).count("<circle") == MAX_DOTS + 1


def test_panels_of_a_file_share_the_horizontal_axis_and_name_what_they_must():
    panels = [
        Panel([Series("a<b", 0, [(0, 1), (10, 100)]), Series("c", 1, [(10, 10)])], "up", log=True),
        Panel([Series("alone", 0, [(5, 0), (10, 1)])], "score", log=True),
    ]
    svg = stacked(panels, "steps")
    root = ElementTree.fromstring(svg)
    first, second = root.findall("{*}g")
    assert root.get("viewBox") == f"0 0 {WIDTH} {2 * HEIGHT}"
    (begin, end), (middle, same_end) = (
        [float(dot.get("cx")) for dot in panel.findall("{*}g/{*}circle")][:2] for panel in (first, second)
    )
    assert same_end == end
    assert middle == pytest.approx((begin + end) / 2)
    heights = [float(dot.get("cy")) for dot in first.findall("{*}g/{*}circle")]
    assert heights[2] == pytest.approx((heights[0] + heights[1]) / 2, abs=0.1)  # logarithmic
    assert [text.text for text in first.findall("{*}g/{*}text")] == ["a<b", "c"]
    assert second.findall("{*}g/{*}text") == []
    assert (
        root.get("aria-label")
        == "up against steps; a<b: 1 at 0 to 100 at 10; c: 10 at 10. score against steps; alone: 0 at 5 to 1 at 10"
    )


def test_a_file_brings_the_styles_of_its_marks_along():
    series = [Series(str(number), number, [(0, number), (1, number)]) for number in range(len(COLOURS))]
    root = ElementTree.fromstring(stacked([Panel(series, "y")], "x"))
    style = dict(re.findall(r"([^{}]+){([^{}]+)}", root.findtext("{*}style")))
    for number, colour in enumerate(COLOURS):
        assert style[f".c{number} .line"] == f"stroke:{colour}"
        assert style[f".c{number} circle"] == f"fill:{colour}"
    used = {each for mark in root.iter() for each in mark.get("class", "").split() if each[0] != "s"}
    assert all(any(f".{each}" in selector for selector in style) for each in used), used
    assert "var(" not in "".join(style.values())


def test_a_panel_with_a_zero_is_not_logarithmic():
    root = ElementTree.fromstring(stacked([Panel([Series("a", 0, [(0, 0), (1, 1), (2, 2)])], "y", log=True)], "x"))
    low, middle, high = (float(dot.get("cy")) for dot in root.findall(".//{*}circle"))
    assert middle == pytest.approx((low + high) / 2, abs=0.1)


def test_names_of_close_points_do_not_overlap():
    svg = chart([Series(name, 0, [(1, 2)]) for name in "abc"], "s", "dB", joined=False)
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start"', svg))
    assert heights[1] - heights[0] >= LINE
    assert heights[2] - heights[1] >= LINE


def test_measurements_lie_behind_the_curve_and_within_the_axes():
    svg = chart([Series("curve", 0, [(0, 1), (1, 1)])], "x", "y", behind=[Series("a<b", 1, [(0.5, 9.0), (2, 0.5)])])
    cloud, line = re.search(r'<path d="([^"]*)"', svg), svg.index("<polyline")
    assert cloud.start() < line
    places = [tuple(map(float, place.split(","))) for place in re.findall(r"M([-\d.,]+)h0", cloud[1])]
    assert len(places) == 2
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    assert places[0][1] < places[1][1]  # up is more
    assert "a&lt;b" in svg
