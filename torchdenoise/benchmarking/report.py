"""The report of a comparison: one HTML file without links to others."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchdenoise.benchmarking.columns import Column, Row, row_key, shown
from torchdenoise.benchmarking.jobs import REAL, Job
from torchdenoise.benchmarking.measuring import Curve
from torchdenoise.benchmarking.scoring import as_bytes, read_images
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import HINTS, Line, lines, pretrained_line, setting, table_columns, warning_lines
from torchdenoise.charts import Series, chart
from torchdenoise.html_pages import html_page

MAX_SCENES = 8
"""The largest number of pictures that a report shows; browsers are slow with hundreds."""
DETAIL = 128
"""Side of the shown square of each picture."""
ERROR_GAIN = 4
"""Factor by which errors are enlarged."""


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
    numbers = {name: number for number, name in enumerate(dict.fromkeys(job.method.name for job in jobs))}
    curves = store.curves()
    table = lines(rows)
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    done = {row_key(row)[1:] for row in rows if row["status"] == "done"}  # others may have an unreadable picture
    seen = [job for job in jobs if job.seed == jobs[0].seed and job.key[1:] in done]
    pictured = list({(job.scene.name, job.noise): job for job in seen}.values())
    page = {
        "title": "Comparison of denoisers",
        "summary": _summary(table),
        "setting": setting(rows).replace("**", ""),  # Markdown
        "pretrained": pretrained_line(rows),
        "command": command,
        "columns": [*HINTS.items(), *((column.heading, column.hint) for column in table_columns())],
        "parts": [_part(noise, table, rows, curves, numbers) for noise in noises],
        "levels": _levels(table, numbers),
        "methods": [Series(name, number, []) for name, number in numbers.items()],
        "warnings": warning_lines(rows),
        "failures": [row for row in rows if row["status"] == "failed"],
        "scenes": [_scene(job, rows, store, numbers) for job in pictured[:MAX_SCENES]],
        "more": max(0, len(pictured) - MAX_SCENES),
        "errors": any(row["psnr"] for row in rows),
        "detail": DETAIL,
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
    return leaders or ["There are no clean pictures to compare with: judge the results by eye."]


def _part(
    noise: str, table: Sequence[Line], rows: Sequence[Row], curves: Mapping[str, Curve], numbers: Mapping[str, int]
) -> dict[str, Any]:
    mine = [line for line in table if line.noise == noise]
    charts = []
    timed = [line for line in mine if _finite(line.psnr) and line["seconds"]]
    if timed:
        points = [Series(line.recipe, numbers[line.recipe], [(line["seconds"] or 0, line.psnr or 0)]) for line in timed]
        charts.append(("PSNR against time", chart(points, "seconds a picture", "PSNR, dB", log=True, joined=False)))
    fits = []
    for line in mine:
        curve = _mean_curve([row for row in rows if (row["recipe"], row["noise"]) == (line.recipe, noise)], curves)
        if curve:
            fits.append(Series(line.recipe, numbers[line.recipe], curve))
    if fits:
        charts.append(("PSNR during the fits, one pass", chart(fits, "steps", "PSNR, dB", log=True)))
    return {"noise": noise, "lines": _table(mine), "charts": charts}


def _table(table: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the cells of each line: text, and whether it is the best of its column."""
    found = []
    for line in table:
        figures = [(line.cell(each), _is_best(line[each.name], each, table)) for each in table_columns()]
        found.append({"recipe": line.recipe, "shared": line.shared, "cells": [(line.count(), False), *figures]})
    return found


def _is_best(value: float | None, column: Column, table: Sequence[Line]) -> bool:
    values = [each for each in (line[column.name] for line in table) if each is not None]
    if column.higher_is_better is None or value is None or len(values) < 2:
        return False
    return value == (max(values) if column.higher_is_better else min(values))


def _mean_curve(rows: Sequence[Row], curves: Mapping[str, Curve]) -> Curve:
    """Return the mean over pictures, at the steps that all their curves have."""
    each = [dict(curves[row["fingerprint"]]) for row in rows if row["fingerprint"] in curves]
    steps = sorted(set.intersection(*(set(curve) for curve in each))) if each else []
    means = [(step, sum(curve[step] for curve in each) / len(each)) for step in steps]
    return [(step, mean) for step, mean in means if _finite(mean)]


def _finite(psnr: float | None) -> bool:
    """Return whether a PSNR is a number that an axis can show: a perfect result's is infinite."""
    return psnr is not None and math.isfinite(psnr)


def _levels(table: Sequence[Line], numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return a chart for each kind of noise with several levels."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in table:
        kind, level = _level(line.noise)
        if level is not None and line.psnr is not None and _finite(line.psnr):
            found.setdefault(kind, {}).setdefault(line.recipe, []).append((level, line.psnr))
    charts = []
    for kind, series in found.items():
        if len({x for points in series.values() for x, _ in points}) > 1:
            sorted_series = [Series(name, numbers[name], sorted(points)) for name, points in series.items()]
            charts.append((kind, chart(sorted_series, "level", "PSNR, dB", log=True)))
    return charts


def _level(noise: str) -> tuple[str, float | None]:
    """Return the kind of a noise and its level, if that is one number."""
    if noise == REAL:
        return noise, None
    name, *texts = noise.removesuffix(":clip").split(":")
    try:
        (level,) = map(float, texts)
    except ValueError:  # several numbers, a range, a mixture
        return noise, None
    return f"{name} clipped" if noise.endswith(":clip") else name, level or None


def _scene(job: Job, rows: Sequence[Row], store: Store, numbers: Mapping[str, int]) -> dict[str, Any]:
    pair = read_images(job)
    noisy, clean = pair.noisy, pair.clean
    top, left, side = _detail(noisy if clean is None else clean)

    def cut(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return array[top : top + side, left : left + side]

    mine = [row for row in rows if (row["image"], row["noise"], row["seed"]) == job.key[1:] and row["status"] == "done"]
    sources, results = [], []
    if clean is not None:
        sources.append(Tile("clean", "", "clean", [("Clean picture", _url(cut(as_bytes(clean))))]))
    noisy_psnr = next((f"{float(row['noisy_psnr']):.2f} dB" for row in mine if row["noisy_psnr"]), "")
    sources.append(Tile("noisy", noisy_psnr, "noisy", [("Noisy picture", _url(cut(as_bytes(noisy))))]))
    for row in sorted(mine, key=lambda row: -float(row["psnr"] or 0)):
        if not store.picture_path(row).is_file():  # rows may be kept without their pictures
            continue
        picture = store.picture(row)
        images = [(f"Result of {row['recipe']}", _url(cut(picture)))]
        if clean is not None:
            error = 128 + ERROR_GAIN * (picture.astype(np.float32) - 255 * clean[0].permute(1, 2, 0).numpy())
            images.append((f"Error of {row['recipe']}", _url(cut(error.clip(0, 255).astype(np.uint8)))))
        figures = (row["psnr"], ".2f", "dB"), (row["seconds"], ".1f", "s")
        score = ", ".join(f"{float(cell):{form}} {unit}" for cell, form, unit in figures if cell)
        results.append(Tile(row["recipe"], score, f"result s{numbers[row['recipe']]}", images))
    return {"name": f"{job.scene.name}, {job.noise}", "sources": sources, "results": results}


def _detail(image: Tensor) -> tuple[int, int, int]:
    """Return (top, left, side) of the square with most structure: the largest differences after smoothing."""
    side = min(DETAIL, *image.shape[-2:])
    if side < 4:
        return 0, 0, side
    grey = torch.nn.functional.avg_pool2d(image.mean(1, keepdim=True), 4)
    structure = torch.zeros_like(grey)
    structure[..., 1:, :] += grey.diff(dim=-2).abs()
    structure[..., 1:] += grey.diff(dim=-1).abs()
    sums = torch.nn.functional.avg_pool2d(structure, min(DETAIL // 4, *grey.shape[-2:]), stride=1)
    place = int(sums.argmax())
    top, left = divmod(place, sums.shape[-1])
    return 4 * top, 4 * left, side


def _url(array: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    image = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    image.save(file, "WEBP", quality=88, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
