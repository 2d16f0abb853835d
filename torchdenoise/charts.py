"""Small line and point charts as SVG text, which need no script, font or network."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c564b", "#444444", "#2f4b7c",
)  # fmt: skip
DASHES = ("none", "6 3", "2 2", "8 3 2 3")
WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 44
MAX_DOTS = 40
"""The largest number of points of a line that are marked."""


@dataclass(frozen=True)
class Series:
    """Named points ``(x, y)``; ``number`` chooses colour and dashes, so that all charts of a report agree."""

    name: str
    number: int
    points: Sequence[tuple[float, float]]

    @property
    def colour(self) -> str:
        """The colour, as CSS takes it."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def dashes(self) -> str:
        """The pattern that distinguishes series of one colour."""
        return DASHES[self.number // len(COLOURS) % len(DASHES)]


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``, drawn from pixel ``begin`` to pixel ``end``."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float, log: bool = False) -> "Axis":
        """Return an axis that holds all values, with a margin."""
        low, high = min(values), max(values)
        if log:
            return cls(low / 1.3, high * 1.3, begin, end, log)
        margin = 0.06 * (high - low) or 0.5
        return cls(low - margin, high + margin, begin, end)

    def place(self, value: float) -> float:
        """Return the position of a value in pixels."""
        low, high, value = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.begin + (self.end - self.begin) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return round numbers along the axis, at least three."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1) if self.log else ()
        for factors in ((1,), (1, 2, 5), range(1, 10)):
            ticks = self._inside(factor * 10.0**decade for decade in decades for factor in factors)
            if len(ticks) >= 3:
                return ticks
        step = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 7.5)
        numbers = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return self._inside(step * number for number in numbers)

    def _inside(self, ticks: Iterable[float]) -> list[float]:
        return [tick for tick in ticks if self.low <= tick <= self.high]


def heat_map(values: Sequence[Sequence[float]], title: str) -> str:
    """Return an SVG of a grid of numbers from -1 (red) over 0 (white) to 1 (blue), the first row at the top.

    Example:
        >>> heat_map([[0.0, 1.0]], "covariance").count("<rect")
        2
    """
    side = 24
    cells = []
    for row, numbers in enumerate(values):
        for column, number in enumerate(numbers):
            strength = round(255 * (1 - min(abs(number), 1)))
            colour = f"rgb({strength},{strength},255)" if number >= 0 else f"rgb(255,{strength},{strength})"
            place = f'x="{side * column}" y="{side * row}" width="{side}" height="{side}"'
            cells.append(f'<rect {place} fill="{colour}" class="cell"><title>{number:.2f}</title></rect>')
    view = f'viewBox="0 0 {side * len(values[0])} {side * len(values)}" role="img" aria-label="{escape(title)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}>{"".join(cells)}</svg>'


def chart(
    series: Sequence[Series],
    across: str,
    up: str,
    *,
    log: bool = False,
    joined: bool = True,
    floor: float | None = None,
    behind: Sequence[Series] = (),
) -> str:
    """Return an SVG of series as lines, or as points with their names beside them.

    Args:
        series: at least one, each with at least one point.
        across: title of the horizontal axis.
        up: title of the vertical axis.
        log: whether the horizontal axis is logarithmic; its values must then be above 0.
        joined: whether to draw lines, and not points with names.
        floor: a value that the vertical axis includes.
        behind: series drawn as faint points behind the others, such as measurements behind the curve fitted to them.

    Example:
        >>> chart([Series("a", 0, [(1, 2), (3, 4)])], "steps", "PSNR, dB")[:4]
        '<svg'
    """
    xs, ys = zip(*(point for each in (*series, *behind) for point in each.points), strict=True)
    x_axis = Axis.over(xs, LEFT, WIDTH - RIGHT, log)
    y_axis = Axis.over(ys if floor is None else (floor, *ys), HEIGHT - BOTTOM, TOP)
    drawing = [_frame(x_axis, y_axis, across, up), *(_cloud(each, x_axis, y_axis) for each in behind)]
    drawing.append(_lines(series, x_axis, y_axis) if joined else _named_points(series, x_axis, y_axis))
    return _svg(WIDTH, HEIGHT, f"{up} against {across}", *drawing)


@dataclass(frozen=True)
class Panel:
    """A chart of lines among several in one file; logarithmic upwards where all values are above 0, if ``log``."""

    series: Sequence[Series]
    up: str
    log: bool = False


def stacked(panels: Sequence[Panel], across: str) -> str:
    """Return the SVG of a file of its own, with a chart for each panel below the other and the names of its series.

    Example:
        >>> stacked([Panel([Series("loss", 0, [(1, 2), (3, 4)])], "loss")], "steps")[:4]
        '<svg'
    """
    xs = [x for panel in panels for each in panel.series for x, _ in each.points]
    x_axis = Axis.over(xs, LEFT, WIDTH - RIGHT)
    parts = [f'<rect width="{WIDTH}" height="{len(panels) * HEIGHT}" fill="white"/>']
    for number, panel in enumerate(panels):
        ys = [y for each in panel.series for _, y in each.points]
        y_axis = Axis.over(ys, HEIGHT - BOTTOM, TOP, panel.log and min(ys) > 0)
        drawing = _frame(x_axis, y_axis, across, panel.up) + _lines(panel.series, x_axis, y_axis)
        names = _names(panel.series) if len(panel.series) > 1 else ""
        style = 'font-family="sans-serif" font-size="11" fill="#5b6570"'  # a page has its own
        parts.append(f'<g transform="translate(0 {number * HEIGHT})" {style}>{drawing}{names}</g>')
    title = f"{', '.join(panel.up for panel in panels)} against {across}"
    return _svg(WIDTH, len(panels) * HEIGHT, title, *parts)


def _svg(width: int, height: int, title: str, *parts: str) -> str:
    view = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}>{"".join(parts)}</svg>'


def _lines(series: Sequence[Series], x_axis: Axis, y_axis: Axis) -> str:
    parts = []
    for each in series:
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in each.points)
        line = f'fill="none" stroke="{each.colour}" stroke-width="1.8" stroke-dasharray="{each.dashes}"'
        parts.append(f'<polyline points="{path}" {line}/>')
        if len(each.points) <= MAX_DOTS:
            parts += [_dot(each, x, y, x_axis, y_axis) for x, y in each.points]
    return "".join(parts)


def _named_points(series: Sequence[Series], x_axis: Axis, y_axis: Axis) -> str:
    parts = []
    taken: list[tuple[float, float]] = []
    for each in series:
        for x, y in each.points:
            parts += [_dot(each, x, y, x_axis, y_axis), _label(each, x_axis.place(x), y_axis.place(y), taken)]
    return "".join(parts)


def _dot(series: Series, x: float, y: float, x_axis: Axis, y_axis: Axis) -> str:
    hint = escape(f"{series.name}: {y:.4g} at {x:.4g}")
    place = f'cx="{x_axis.place(x):.1f}" cy="{y_axis.place(y):.1f}" r="3.2"'
    return f'<circle {place} fill="{series.colour}"><title>{hint}</title></circle>'


def _names(series: Sequence[Series]) -> str:
    """Return the names of series in their colours, one below the other in the upper right corner."""
    x, parts = WIDTH - RIGHT - 8, []
    for number, each in enumerate(series):
        style = f'text-anchor="end" fill="{each.colour}"'
        parts.append(f'<text x="{x}" y="{TOP + 16 + 14 * number}" {style}>{escape(each.name)}</text>')
    return "".join(parts)


def _cloud(series: Series, x_axis: Axis, y_axis: Axis) -> str:
    """Return faint points as one path of short strokes, which takes less space than circles."""
    path = "".join(f"M{x_axis.place(x):.1f},{y_axis.place(y):.1f}h0" for x, y in series.points)
    style = 'stroke-width="3.5" stroke-linecap="round" stroke-opacity="0.25"'
    return f'<path d="{path}" stroke="{series.colour}" {style}><title>{escape(series.name)}</title></path>'


def _label(series: Series, x: float, y: float, taken: list[tuple[float, float]]) -> str:
    """Return a point's name beside it, moved down until it overlaps no other."""
    end = x > WIDTH - 130
    while any(abs(y - other) < 11 and abs(x - place) < 110 for place, other in taken):
        y += 3
    taken.append((x, y))
    anchor, shift = ("end", -6) if end else ("start", 6)
    style = f'text-anchor="{anchor}" fill="{series.colour}"'
    return f'<text x="{x + shift:.1f}" y="{y + 4:.1f}" {style}>{escape(series.name)}</text>'


def _frame(x_axis: Axis, y_axis: Axis, across: str, up: str) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    frame, grid = 'class="frame" fill="none" stroke="#d9dee3"', 'class="grid" stroke="#eef1f3"'
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}" {frame}/>']
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" {grid}/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" {grid}/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (TOP + bottom) / 2
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{escape(up)}</text>')
    return "".join(parts)
