"""Figures for papers that plot PSNR: against time, and against the level of the noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torchdenoise.benchmarking.printed import ONE_COLUMN
from torchdenoise.charts import DASHES, Axis, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
"""For eyes that do not tell the colours apart; their number and that of the colours share no divisor."""
HEIGHT = 2.1
"""Inches of the plot, without the legend below it."""
MAX_TICKS = 8
"""The largest number of noise levels that are all named."""


def time_plot(points: Sequence[Series], across: str) -> "Figure":
    """Return a figure of one point for each method.

    Args:
        points: seconds and PSNR, best first, as in the legend.
        across: title of the horizontal axis.
    """
    axis = Axis.over([x for each in points for x, _ in each.points], 0, 1, log=True)
    return _plot(points, across, axis, axis.ticks(), joined=False)


def level_plot(lines: Sequence[Series], across: str) -> "Figure":
    """Return a figure of a line for each method.

    Args:
        lines: levels and PSNR, in the order of the legend.
        across: title of the horizontal axis.
    """
    levels = sorted({x for each in lines for x, _ in each.points})
    axis = Axis.over(levels, 0, 1, log=True)
    return _plot(lines, across, axis, levels if len(levels) <= MAX_TICKS else axis.ticks(), joined=True)


def _plot(series: Sequence[Series], across: str, axis: Axis, ticks: Sequence[float], joined: bool) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure((ONE_COLUMN, HEIGHT), layout="constrained")
    axes = figure.subplots()
    for each in series:
        marker = MARKERS[each.number % len(MARKERS)]
        line = axes.plot(*zip(*each.points, strict=True), marker, label=each.name, color=each.colour, clip_on=False)[0]
        line.set(linestyle=_dashes(each) if joined else "none", markeredgecolor="white", markeredgewidth=0.4)
    _logarithmic(axes, axis, ticks)
    axes.set_xlabel(across)
    axes.set_ylabel("PSNR (dB)")
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    _add_legend(figure, len(series))
    return figure


def _dashes(series: Series) -> Any:
    return "-" if series.dashes == DASHES[0] else (0, tuple(map(float, series.dashes.split())))


def _logarithmic(axes: "Axes", axis: Axis, ticks: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(axis.low, axis.high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _add_legend(figure: "Figure", count: int) -> None:
    """Add the names below the plot, in as many columns as the width holds, and make the figure as much taller."""
    for rows in range(1, count + 1):
        columns = -(-count // rows)
        legend = figure.legend(loc="outside lower center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            figure.set_size_inches(ONE_COLUMN, HEIGHT + legend.get_window_extent().height / figure.dpi)
            return
        legend.remove()
