"""The charts: axes with round ticks, and points with their names."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.charts import COLOURS, DASHES, HEIGHT, LINE, WIDTH, Axis, Series, chart

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
    assert 'aria-label="dB against steps; &lt;a&gt;: 2.00 at 1 to 3.00 at 10; b: 2.50 at 5"' in svg


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
    series = [Series(str(number), number, []) for number in range(COLOURS * len(DASHES))]
    assert len({(each.classes.split()[1], each.dashes) for each in series}) == len(series)
    assert len({each.swatch for each in series}) == len(series)


def test_the_drawing_stays_inside_its_width_and_height():
    points = [(0.01 * 3**number, 20 + number) for number in range(9)]
    svg = chart([Series("a method", 0, points)], "s", "dB", log=True, joined=False)
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in svg
    for sizes, limit in ((r'\b(?:c?x|x[12])="([\d.-]+)"', WIDTH), (r'\b(?:c?y|y[12])="([\d.-]+)"', HEIGHT)):
        assert all(0 <= float(size) <= limit for size in re.findall(sizes, svg))
    assert re.findall(r'text-anchor="(\w+)" class="name"', svg) == ["start"] * 7 + ["end"] * 2


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
