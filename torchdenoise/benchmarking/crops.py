"""The figure for papers that shows a picture, and one detail of it in every result."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from torchdenoise.benchmarking.pictured import Pictured, busiest_square
from torchdenoise.benchmarking.printed import DPI, TWO_COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP, CAPTION = 0.06, 0.29
"""Inches between pictures, and of the two lines of text below each."""
MAX_HEIGHT = 4.5
"""Inches of figures with several lines of details."""
TEXT_SIZE, LINE = 7.0, 0.115
"""Points of the text, and inches from one line to the next."""
BOX_COLOUR = "#d55e00"
SHARE, SMALLEST, LARGEST = 4, 32, 128
"""The side of the detail: this part of the picture's shorter side, but so many pixels at least and at most."""


class _Tile(NamedTuple):
    name: str
    picture: NDArray[np.uint8]
    psnr: float | None = None


class _Place(NamedTuple):
    """A rectangle, in inches from the top left corner of the figure."""

    left: float
    top: float
    width: float
    height: float


def crops_figure(seen: Pictured) -> "Figure":
    """Return a figure of two columns: the picture with a box, and beside it what every method made of the box."""
    from matplotlib.figure import Figure

    whole, tiles = seen.as_bytes(seen.shown), _tiles(seen)
    top, left, side = busiest_square(seen.shown, min(LARGEST, max(SMALLEST, min(whole.shape[:2]) // SHARE)))
    ratio = whole.shape[1] / whole.shape[0]
    rows, columns, size = _grid(len(tiles), ratio)
    height = _height(rows, size)
    figure = Figure((TWO_COLUMNS, height + CAPTION))
    place = _Place(0, 0, ratio * height, height)
    _add_picture(figure, whole, place)
    _add_box(figure, place, height / whole.shape[0], (top, left, side))
    _add_caption(figure, place, [seen.name, seen.noise])
    best = max((tile.psnr for tile in tiles if tile.psnr is not None), default=None)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        square = _Place(place.width + GAP + column * (size + GAP), row * (size + CAPTION + GAP), size, size)
        _add_picture(figure, tile.picture[top : top + side, left : left + side], square)
        score = "" if tile.psnr is None else f"{tile.psnr:.2f} dB"
        _add_caption(figure, square, [tile.name, score], bold=tile.psnr is not None and tile.psnr == best)
    return figure


def _tiles(seen: Pictured) -> list[_Tile]:
    """Return what is shown beside the picture: clean, noisy, and the results."""
    clean = [] if seen.pair.clean is None else [_Tile("clean", seen.as_bytes(seen.pair.clean))]
    noisy = _Tile("noisy", seen.as_bytes(seen.pair.noisy), _number(seen.noisy_psnr))
    results = (_Tile(row["recipe"], seen.as_bytes(image), _number(row["psnr"])) for row, image in seen.results)
    return [*clean, noisy, *results]


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _grid(count: int, ratio: float) -> tuple[int, int, float]:
    """Return rows, columns and side in inches of squares, as large as they can be beside a picture of their height."""
    found = []
    for rows in range(1, count + 1):
        columns = math.ceil(count / rows)
        size = (TWO_COLUMNS - columns * GAP - ratio * _height(rows, 0)) / (columns + ratio * rows)
        if rows == 1 or _height(rows, size) <= MAX_HEIGHT:
            found.append((rows, columns, size))
    return max(found, key=lambda each: each[2])


def _height(rows: int, size: float) -> float:
    """Return the inches from the top of the first row of squares to the bottom of the last."""
    return rows * size + (rows - 1) * (CAPTION + GAP)


def _add_picture(figure: "Figure", picture: NDArray[np.uint8], place: _Place) -> None:
    width, height = figure.get_size_inches()
    bounds = (place.left / width, 1 - (place.top + place.height) / height, place.width / width, place.height / height)
    axes = figure.add_axes(bounds)
    axes.set_axis_off()
    axes.imshow(_in_print(picture, place.width), interpolation="none", aspect="auto")


def _in_print(picture: NDArray[np.uint8], inches: float) -> NDArray[np.uint8]:
    """Return a picture in RGB with the pixels that print needs: each one repeated, or many in one."""
    height, width, channels = picture.shape
    image = Image.fromarray(picture[..., 0] if channels == 1 else picture).convert("RGB")
    factor = math.ceil(DPI * inches / width)
    if factor > 1:  # else a viewer might smooth them
        image = image.resize((factor * width, factor * height), Image.Resampling.NEAREST)
    elif width > 2 * DPI * inches:
        image = image.reduce(int(width / (DPI * inches)))
    return np.asarray(image)


def _add_box(figure: "Figure", place: _Place, scale: float, square: tuple[int, int, int]) -> None:
    """Draw where the detail is; ``scale`` is in inches a pixel."""
    from matplotlib.patches import Rectangle

    top, left, side = (scale * each for each in square)
    corner = (place.left + left, figure.get_figheight() - place.top - top - side)
    box = Rectangle(corner, side, side, fill=False, edgecolor=BOX_COLOUR, linewidth=1.2, joinstyle="miter")
    box.set_transform(figure.dpi_scale_trans)
    figure.add_artist(box)


def _add_caption(figure: "Figure", place: _Place, lines: Sequence[str], bold: bool = False) -> None:
    """Write lines below a picture, in smaller letters if they were wider than it."""
    middle, top = place.left + place.width / 2, figure.get_figheight() - place.top - place.height - 0.03
    for number, line in enumerate(lines):
        text = figure.text(
            middle, top - number * LINE, line, transform=figure.dpi_scale_trans, horizontalalignment="center",
            verticalalignment="top", fontsize=TEXT_SIZE, fontweight="bold" if bold else "normal",
        )  # fmt: skip
        text.set_fontsize(TEXT_SIZE * min(1, place.width / max(text.get_window_extent().width / figure.dpi, 1e-6)))
