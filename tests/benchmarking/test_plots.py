"""Figures for papers: PSNR against time and against level."""

import pytest

from torchdenoise.benchmarking.plots import HEIGHT, MARKERS, level_plot, time_plot
from torchdenoise.benchmarking.printed import ONE_COLUMN
from torchdenoise.charts import COLOURS, Series


def names_of_legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_method_has_its_colour_and_mark_wherever_it_is_drawn():
    time = time_plot([Series("b", 1, [(2, 30)]), Series("a", 0, [(0.1, 29)])], "seconds")
    level = level_plot([Series("a", 0, [(25, 29), (50, 26)]), Series("b", 1, [(25, 30), (50, 27)])], "sigma")
    looks = [
        {line.get_label(): (line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
        for figure in (time, level)
    ]
    assert looks[0] == looks[1] == {"a": (COLOURS[0], MARKERS[0]), "b": (COLOURS[1], MARKERS[1])}
    assert (names_of_legend(time), names_of_legend(level)) == (["b", "a"], ["a", "b"])


def test_colour_and_mark_together_are_never_the_same():
    count = len(COLOURS) * len(MARKERS)
    assert len({(number % len(COLOURS), number % len(MARKERS)) for number in range(count)}) == count


@pytest.mark.parametrize(
    ("levels", "ticks"), [((15, 25, 50), [15, 25, 50]), (range(1, 10), [1, 2, 5, 10])], ids=["few", "many"]
)
def test_few_levels_are_all_named(levels, ticks):
    axes = level_plot([Series("a", 0, [(level, 30) for level in levels])], "sigma").axes[0]
    assert list(axes.get_xticks()) == ticks
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{tick:g}" for tick in ticks]
    low, high = axes.get_xlim()
    assert low < min(levels)
    assert high > max(levels)


@pytest.mark.parametrize("name", ["m", "a-method-with-a-rather-long-name"])
def test_the_legend_fits_below_the_plot(name):
    figure = time_plot([Series(f"{name}-{number}", number, [(1 + number, 30)]) for number in range(12)], "seconds")
    legend, plot = figure.legends[0].get_window_extent(), figure.axes[0]
    assert legend.width <= figure.bbox.width
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().y1 <= plot.get_tightbbox().y0 + 1
    assert figure.get_figwidth() == ONE_COLUMN
    assert plot.get_window_extent().height / figure.dpi > 0.6 * HEIGHT
