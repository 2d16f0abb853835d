"""The report of a comparison: one HTML file without links to others."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from torchdenoise.benchmarking.columns import Column, Row, shown
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.measuring import Curve
from torchdenoise.benchmarking.pictured import MAX_PICTURES, Pictured, busiest_square, chosen, pictured
from torchdenoise.benchmarking.series import against_level, against_time, is_finite, numbered
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import (
    HINTS,
    Line,
    has_best,
    lines,
    noisy_lines,
    pretrained_line,
    setting,
    table_columns,
    warning_lines,
)
from torchdenoise.charts import Series, chart
from torchdenoise.html_pages import html_page
from torchdenoise.metrics import MEASURED_LEVEL

DETAIL = 128
"""Side of the shown square of each picture, unless the picture is smaller."""
ERROR_GAIN = 4
"""Factor by which errors are enlarged."""
FIGURES = {
    "psnr": ("{} dB", 2),
    "removed_share": ("removed {} of the noise level", 2),
    "mean_shift": ("mean shift {}", 3),
    "seconds": ("{} s", 1),
}
"""What is written below a result: text and decimals."""


@dataclass(frozen=True)
class Tile:
    """A picture; one of a result has its error below it."""

    name: str
    text: str
    classes: str
    images: Sequence[tuple[str, str]]
    """What each shows, and its data URL."""


def report(store: Store, jobs: Sequence[Job], command: str) -> str:
    """Return the HTML of a comparison."""
    rows = store.rows_of(jobs)
    numbers = numbered(jobs)
    curves = store.curves()
    table = lines(rows)
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    seen = chosen(jobs, rows)
    scenes = [_scene(pictured(job, rows, store), numbers) for job in seen[:MAX_PICTURES]]
    page = {
        "title": "Comparison of denoisers",
        "summary": _summary(table),
        "setting": setting(rows).replace("**", ""),  # Markdown
        "pretrained": pretrained_line(rows),
        "command": command,
        "columns": [*HINTS.items(), *((column.heading, column.hint) for column in table_columns(table))],
        "ranked": any(line.psnr is not None for line in table),
        "marked": any(has_best(column, table) for column in table_columns(table)),
        "parts": [_part(noise, table, rows, curves, numbers) for noise in noises],
        "levels": [
            (kind, chart(series, "level", "PSNR, dB", log=True))
            for kind, series in against_level(table, numbers).items()
        ],
        "methods": [Series(name, number, []) for name, number in numbers.items()],
        "warnings": warning_lines(rows),
        "failures": [row for row in rows if row["status"] == "failed"],
        "scenes": scenes,
        "more": max(0, len(seen) - MAX_PICTURES),
        "errors": any(row["psnr"] for row in rows),
        "detail": _sizes({scene["side"] for scene in scenes}),
        "gain": ERROR_GAIN,
    }
    return html_page("torchdenoise.benchmarking", "report.html.jinja", **page)


def _summary(table: Sequence[Line]) -> list[str]:
    leaders = []
    for noise in dict.fromkeys(line.noise for line in table):
        ranked = [line for line in table if line.noise == noise and line.psnr is not None]
        if ranked:
            best = ranked[0]
            leaders.append(f"{noise}: {best.recipe} leads with {shown(best.psnr)} dB in {shown(best['seconds'], 1)} s")
    return leaders or [
        "There are no clean pictures to compare with, so no method is the best by a number. One that removes all noise "
        "and nothing else has 1 in removed / noise and 0 in mean shift, and keeps all details of the pictures below."
    ]


def _part(
    noise: str, table: Sequence[Line], rows: Sequence[Row], curves: Mapping[str, Curve], numbers: Mapping[str, int]
) -> dict[str, Any]:
    mine = [line for line in table if line.noise == noise]
    charts = []
    points = against_time(mine, numbers)
    if points:
        charts.append(("PSNR against time", chart(points, "seconds a picture", "PSNR, dB", log=True, joined=False)))
    fits = []
    for line in mine:
        curve = _mean_curve([row for row in rows if (row["recipe"], row["noise"]) == (line.recipe, noise)], curves)
        if curve:
            fits.append(Series(line.recipe, numbers[line.recipe], curve))
    if fits:
        charts.append(("PSNR during the fits, one pass", chart(fits, "steps", "PSNR, dB", log=True)))
    columns = table_columns(table)
    noisy = _table(noisy_lines(rows, noise), columns, ranked=())
    return {"noise": noise, "noisy": noisy, "lines": _table(mine, columns, ranked=mine), "charts": charts}


def _table(table: Sequence[Line], columns: Sequence[Column], ranked: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the cells of each line: text, and whether it is the best of its column among the ranked lines."""
    found = []
    for line in table:
        figures = [(line.cell(each), _is_best(line[each.name], each, ranked)) for each in columns]
        found.append({"recipe": line.recipe, "shared": line.shared, "cells": [(line.count(), False), *figures]})
    return found


def _is_best(value: float | None, column: Column, table: Sequence[Line]) -> bool:
    values = [each for each in (line[column.name] for line in table) if each is not None]
    if value is None or len(values) < 2 or not has_best(column, table):
        return False
    return value == (max(values) if column.higher_is_better else min(values))


def _mean_curve(rows: Sequence[Row], curves: Mapping[str, Curve]) -> Curve:
    """Return the mean over pictures, at the steps that all their curves have."""
    each = [dict(curves[row["fingerprint"]]) for row in rows if row["fingerprint"] in curves]
    steps = sorted(set.intersection(*(set(curve) for curve in each))) if each else []
    means = [(step, sum(curve[step] for curve in each) / len(each)) for step in steps]
    return [(step, mean) for step, mean in means if is_finite(mean)]


def _scene(seen: Pictured, numbers: Mapping[str, int]) -> dict[str, Any]:
    noisy, clean = seen.as_bytes(seen.pair.noisy), None if seen.pair.clean is None else seen.as_bytes(seen.pair.clean)
    top, left, side = busiest_square(seen.shown, DETAIL)

    def cut(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return array[top : top + side, left : left + side]

    sources, results = [], []
    if clean is not None:
        sources.append(Tile("clean", "", "clean", [("Clean picture", _url(cut(clean)))]))
    noisy_psnr = f"{float(seen.noisy_psnr):.2f} dB" if seen.noisy_psnr else ""
    sources.append(Tile("noisy", noisy_psnr, "noisy", [("Noisy picture", _url(cut(noisy)))]))
    for row, image in seen.results:
        picture = seen.as_bytes(image)
        images = [(f"Result of {row['recipe']}", _url(cut(picture)))]
        if clean is not None:
            error = 128 + ERROR_GAIN * (picture.astype(np.float32) - clean)
            images.append((f"Error of {row['recipe']}", _url(cut(error.clip(0, 255).astype(np.uint8)))))
        figures = (
            text.format(shown(float(row[name]), digits)) for name, (text, digits) in FIGURES.items() if row.get(name)
        )
        score = ", ".join(figures)
        results.append(Tile(row["recipe"], score, f"result s{numbers[row['recipe']]}", images))
    title = f"{seen.name}, {seen.noise}"
    return {"name": title, "remarks": _remarks(seen), "side": side, "sources": sources, "results": results}


def _remarks(seen: Pictured) -> str:
    """Return sentences about how a picture is shown, and what its noise is."""
    level = next((row[MEASURED_LEVEL] for row, _ in seen.results if row.get(MEASURED_LEVEL)), "")
    noise = f"Measured noise level {float(level):.2f} of 255" if level else ""
    measured = seen.pair.like.scaling.values.beside(noise)
    return " ".join(filter(None, [measured and f"{measured}.", seen.stretched]))


def _sizes(sides: Collection[int]) -> str:
    """Return the size of squares, or the smallest and the largest size."""
    ends = sorted({min(sides), max(sides)}) if sides else []
    return " to ".join(f"{side}x{side}" for side in ends)


def _url(array: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    image = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    image.save(file, "WEBP", quality=88, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
