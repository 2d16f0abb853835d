"""Small line and point charts as SVG text, which need no script, font or network.

Their marks have classes: a page has styles for them, see ``html_pages``, and a file of its own brings them along.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#00875f", "#b8588f", "#a87400", "#2a8fca", "#7a5195", "#8c564b", "#444444")
"""The colours of series on white paper, wherever they are drawn; in charts, those of the classes ``c0``, ``c1``, ..."""
COLOURS_ON_BLACK = (
    "#4aa3e0", "#ff8a4c", "#2fc79a", "#e59cc5", "#f2b632", "#9fdcff", "#b795d6", "#c9958a", "#c4c9ce",
)  # fmt: skip
"""The same, lighter, for pages in the dark."""
DASHES = ("none", "6 3", "2 2", "8 3 2 3")
"""Patterns of lines, for eyes that do not tell the colours apart; as many as share no divisor with the colours."""
WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 46
LINE, LETTER = 15, 8
"""Height of a line, and about the width of a letter, on narrow screens, where text is largest."""
SWATCH = 24
"""Length of the piece of a line in a legend."""
MAX_DOTS = 40
"""The largest number of points of a line that are marked."""
_STYLE = "".join(
    (
        "text{font:12px sans-serif;fill:#57606a}.name{fill:#1b1f24}",
        ".frame{fill:none;stroke:#d5dae0}.grid{stroke:#eceff2}.line{fill:none;stroke-width:2}",
        *(f".c{number} .line{{stroke:{each}}}.c{number} circle{{fill:{each}}}" for number, each in enumerate(COLOURS)),
    )
)
"""For a file of its own. Without variables, which drawing programs do not know."""


@dataclass(frozen=True)
class Series:
    """Named points ``(x, y)``; ``number`` chooses colour and dashes, so that all drawings agree."""

    name: str
    number: int
    points: Sequence[tuple[float, float]]

    @property
    def colour(self) -> str:
        """The colour on white paper."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def classes(self) -> str:
        """The classes of its marks: one of its own, and one of its colour."""
        return f"s{self.number} c{self.number % len(COLOURS)}"

    @property
    def dashes(self) -> str:
        """The pattern of its lines."""
        return DASHES[self.number % len(DASHES)]

    @property
    def swatch(self) -> str:
        """An SVG of a piece of its line, for a legend."""
        view = f'viewBox="0 0 {SWATCH} 8" aria-hidden="true"'
        return f'<svg class="swatch c{self.number % len(COLOURS)}" {view}>{_swatch(self, 0, 4)}</svg>'


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
    """Return an SVG of a grid of numbers from -1 (red) over 0 (the page) to 1 (blue), the first row at the top.

    Example:
        >>> heat_map([[0.0, 1.0]], "covariance").count("<rect")
        2
    """
    side = 24
    cells = []
    for row, numbers in enumerate(values):
        for column, number in enumerate(numbers):
            colour = f'class="cell {"plus" if number >= 0 else "minus"}" fill-opacity="{min(abs(number), 1):.2f}"'
            place = f'x="{side * column}" y="{side * row}" width="{side}" height="{side}"'
            cells.append(f"<rect {place} {colour}><title>{number:.2f}</title></rect>")
    return _svg(side * len(values[0]), side * len(values), title, cells)


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
    parts = [_frame(x_axis, y_axis, across, up), *(_cloud(each, x_axis, y_axis) for each in behind)]
    parts += _lines(series, x_axis, y_axis) if joined else _named_points(series, x_axis, y_axis)
    return _svg(WIDTH, HEIGHT, _told(series, across, up), parts)


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
    height = len(panels) * HEIGHT
    parts = [f'<style>{_STYLE}</style><rect width="{WIDTH}" height="{height}" fill="white"/>']
    for number, panel in enumerate(panels):
        ys = [y for each in panel.series for _, y in each.points]
        y_axis = Axis.over(ys, HEIGHT - BOTTOM, TOP, panel.log and min(ys) > 0)
        drawing = [_frame(x_axis, y_axis, across, panel.up), *_lines(panel.series, x_axis, y_axis)]
        if len(panel.series) > 1:
            drawing.append(_legend(panel.series))
        parts.append(f'<g transform="translate(0 {number * HEIGHT})">{"".join(drawing)}</g>')
    return _svg(WIDTH, height, ". ".join(_told(panel.series, across, panel.up) for panel in panels), parts)


def _svg(width: int, height: int, label: str, parts: Iterable[str]) -> str:
    view = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}>{"".join(parts)}</svg>'


def _lines(series: Sequence[Series], x_axis: Axis, y_axis: Axis) -> list[str]:
    parts = []
    for each in series:
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in each.points)
        line = f'<polyline points="{path}" class="line" stroke-dasharray="{each.dashes}"/>'
        dots = [_dot(each, point, x_axis, y_axis) for point in each.points] if len(each.points) <= MAX_DOTS else []
        parts.append(f'<g class="{each.classes}">{line}{"".join(dots)}</g>')
    return parts


def _named_points(series: Sequence[Series], x_axis: Axis, y_axis: Axis) -> list[str]:
    parts = []
    taken: list[tuple[float, float, float]] = []
    for each in series:
        drawing = [
            _dot(each, (x, y), x_axis, y_axis) + _label(each, x_axis.place(x), y_axis.place(y), taken)
            for x, y in each.points
        ]
        parts.append(f'<g class="{each.classes}">{"".join(drawing)}</g>')
    return parts


def _dot(series: Series, point: tuple[float, float], x_axis: Axis, y_axis: Axis) -> str:
    place = f'cx="{x_axis.place(point[0]):.1f}" cy="{y_axis.place(point[1]):.1f}" r="3.2"'
    return f"<circle {place}><title>{escape(f'{series.name}: {_point(point)}')}</title></circle>"


def _legend(series: Sequence[Series]) -> str:
    """Return the names of series in the upper right corner, each before a piece of its line."""
    right, parts = WIDTH - RIGHT - 8, []
    for number, each in enumerate(series):
        y = TOP + LINE * (number + 1)
        name = f'<text x="{right - SWATCH - 6}" y="{y + 4}" text-anchor="end" class="name">{escape(each.name)}</text>'
        parts.append(f'<g class="{each.classes}">{name}{_swatch(each, right - SWATCH, y)}</g>')
    return "".join(parts)


def _swatch(series: Series, x: float, y: float) -> str:
    """Return a piece of the line of a series."""
    return f'<path d="M{x} {y}h{SWATCH}" class="line" stroke-dasharray="{series.dashes}"/>'


def _told(series: Sequence[Series], across: str, up: str) -> str:
    """Return a chart in words: where its series begin and end."""
    ends = [f"{each.name}: {' to '.join(map(_point, _ends(each.points)))}" for each in series]
    return "; ".join([f"{up} against {across}", *ends])


def _point(point: tuple[float, float]) -> str:
    """Return a point in words."""
    return f"{point[1]:.4g} at {point[0]:.4g}"


def _ends(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return the first and the last point, or the only one."""
    return (points[0], points[-1]) if len(points) > 1 else points


def _cloud(series: Series, x_axis: Axis, y_axis: Axis) -> str:
    """Return faint points as one path of short strokes, which takes less space than circles."""
    path = "".join(f"M{x_axis.place(x):.1f},{y_axis.place(y):.1f}h0" for x, y in series.points)
    return f'<path d="{path}" class="cloud {series.classes}"><title>{escape(series.name)}</title></path>'


def _label(series: Series, x: float, y: float, taken: list[tuple[float, float, float]]) -> str:
    """Return a point's name beside it, moved up or down until it overlaps no other of those taken."""
    width = LETTER * len(series.name)
    right = WIDTH - RIGHT
    end = x + width > right and x - LEFT > right - x
    left = x - width if end else x
    others = [at for begin, stop, at in taken if left < stop and begin < left + width]
    places = sorted(range(TOP, HEIGHT - BOTTOM), key=lambda place: abs(place - y))
    y = next((place for place in places if all(abs(place - other) >= LINE for other in others)), y)
    taken.append((left, left + width, y))
    anchor, shift = ("end", -6) if end else ("start", 6)
    place = f'x="{x + shift:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}"'
    return f'<text {place} class="name">{escape(series.name)}</text>'


def _frame(x_axis: Axis, y_axis: Axis, across: str, up: str) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}" class="frame"/>']
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (TOP + bottom) / 2
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{escape(up)}</text>')
    return "".join(parts)
