"""The report of a comparison: one HTML file that holds everything it shows."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchdenoise.benchmarking.charts import Series, chart
from torchdenoise.benchmarking.jobs import REAL, Job
from torchdenoise.benchmarking.measuring import Curve
from torchdenoise.benchmarking.scoring import Row, as_bytes, images, row_key
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import Line, lines, setting, shown, warned

SCENES = 8
"""So many pictures are shown at most; all of them would make files that no browser likes."""
DETAIL = 128
GAIN = 4
"""How much errors are enlarged before they are shown."""

COLUMNS = (
    ("recipe", "method"),
    ("n", "pictures that all methods of this table have finished"),
    ("PSNR", "dB, mean over these pictures"),
    ("±", "deviation of PSNR between pictures"),
    ("SSIM", "mean over these pictures"),
    ("seconds", "a picture, without imports and warm-up"),
    ("steps", "of optimisation"),
    ("parameters", "of the networks"),
    ("MiB", "by which memory grew at most"),
    ("removed", "deviation of what was taken away, 0-255 scale"),
    ("correlation", "of neighbouring pixels of what was taken away; near 0 if it is nothing but independent noise"),
)


@dataclass(frozen=True)
class Tile:
    """One picture among others: its images as data URLs, one below the other."""

    name: str
    text: str
    images: Sequence[str]


def report(store: Store, jobs: Sequence[Job], command: str) -> str:
    """Return the HTML of a comparison."""
    rows = store.rows_of(jobs)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(job.method.name for job in jobs))}
    curves = store.curves()
    table = lines(rows)
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    done = {row_key(row)[1:] for row in rows if row["status"] == "done"}  # others may be pictures that cannot be read
    seen = [job for job in jobs if job.seed == jobs[0].seed and job.key[1:] in done]
    pictured = list({(job.scene.name, job.noise): job for job in seen}.values())
    page = {
        "title": "Comparison of denoisers",
        "summary": _summary(table),
        "setting": setting(rows),
        "command": command,
        "columns": COLUMNS,
        "parts": [_part(noise, table, rows, curves, numbers) for noise in noises],
        "levels": _levels(table, numbers),
        "legend": [_legend(Series(name, number, [])) for name, number in numbers.items()],
        "warnings": warned(rows),
        "failures": [row for row in rows if row["status"] == "failed"],
        "scenes": [_scene(job, rows, store) for job in pictured[:SCENES]],
        "more": max(0, len(pictured) - SCENES),
        "errors": any(row["psnr"] for row in rows),
        "detail": DETAIL,
        "gain": GAIN,
    }
    template = (files("torchdenoise.benchmarking") / "report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(template).render(page)


def _summary(table: Sequence[Line]) -> str:
    told = []
    for noise in dict.fromkeys(line.noise for line in table):
        ranked = [line for line in table if line.noise == noise and line.psnr is not None]
        if ranked:
            best = ranked[0]
            told.append(f"{noise}: {best.recipe} leads with {shown(best.psnr)} dB in {shown(best.seconds, 1)} s")
    return "; ".join(told) or "No clean pictures: there is nothing to measure against, but much to look at."


def _part(
    noise: str, table: Sequence[Line], rows: Sequence[Row], curves: Mapping[str, Curve], numbers: Mapping[str, int]
) -> dict[str, Any]:
    mine = [line for line in table if line.noise == noise]
    charts = []
    timed = [line for line in mine if _drawable(line.psnr) and line.seconds]
    if timed:
        points = [Series(line.recipe, numbers[line.recipe], [(line.seconds or 0, line.psnr or 0)]) for line in timed]
        charts.append(("PSNR against time", chart(points, "seconds a picture", "PSNR, dB", log=True, joined=False)))
    fits = []
    for line in mine:
        curve = _mean_curve([row for row in rows if (row["recipe"], row["noise"]) == (line.recipe, noise)], curves)
        if curve:
            fits.append(Series(line.recipe, numbers[line.recipe], curve))
    if fits:
        charts.append(("PSNR in the course of the fits, one pass", chart(fits, "steps", "PSNR, dB", log=True)))
    return {"noise": noise, "lines": [_cells(line) for line in mine], "charts": charts}


def _cells(line: Line) -> dict[str, Any]:
    counted = f"{line.shared}" + (f" of {line.done}" if line.done != line.shared else "")
    counted += f", {line.failed} failed" if line.failed else ""
    cells: list[tuple[str, Any]] = [(line.recipe, line.recipe), (counted, line.shared)]
    figures = asdict(line)
    for name, digits in (("psnr", 2), ("spread", 2), ("ssim", 3), ("seconds", 2)):
        cells.append((shown(figures[name], digits), "" if figures[name] is None else figures[name]))
    cells += [(f"{int(text):,}" if text else "-", text) for text in (line.steps, line.parameters)]
    for name, digits in (("memory", 0), ("removed", 2), ("correlation", 2)):
        cells.append((shown(figures[name], digits), "" if figures[name] is None else figures[name]))
    return {"shared": line.shared, "cells": cells}


def _mean_curve(rows: Sequence[Row], curves: Mapping[str, Curve]) -> Curve:
    """Return the mean over pictures at the steps that all their fits have."""
    each = [dict(curves[row["fingerprint"]]) for row in rows if row["fingerprint"] in curves]
    steps = sorted(set.intersection(*(set(curve) for curve in each))) if each else []
    means = [(step, sum(curve[step] for curve in each) / len(each)) for step in steps]
    return [(step, mean) for step, mean in means if _drawable(mean)]


def _drawable(psnr: float | None) -> bool:
    """Return whether there is a place for it on an axis: there is none for a perfect result."""
    return psnr is not None and math.isfinite(psnr)


def _levels(table: Sequence[Line], numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return a chart for each kind of noise that ran at several levels."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in table:
        kind, level = _level(line.noise)
        if level is not None and line.psnr is not None and _drawable(line.psnr):
            found.setdefault(kind, {}).setdefault(line.recipe, []).append((level, line.psnr))
    charts = []
    for kind, series in found.items():
        if len({x for points in series.values() for x, _ in points}) > 1:
            sorted_series = [Series(name, numbers[name], sorted(points)) for name, points in series.items()]
            charts.append((kind, chart(sorted_series, "level", "PSNR, dB", log=True)))
    return charts


def _level(noise: str) -> tuple[str, float | None]:
    """Return the kind of a noise and its level, where it has one number."""
    if noise == REAL:
        return noise, None
    name, *texts = noise.removesuffix(":clip").split(":")
    try:
        (level,) = map(float, texts)
    except ValueError:  # several numbers, a range, a mixture
        return noise, None
    return f"{name} clipped" if noise.endswith(":clip") else name, level or None


def _legend(series: Series) -> tuple[str, str, str]:
    return series.name, series.colour, "solid" if series.dashes == "none" else "dashed"


def _scene(job: Job, rows: Sequence[Row], store: Store) -> dict[str, Any]:
    noisy, clean = images(job)
    top, left, side = _detail(noisy if clean is None else clean)

    def cut(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return array[top : top + side, left : left + side]

    mine = [row for row in rows if (row["image"], row["noise"], row["seed"]) == job.key[1:] and row["status"] == "done"]
    tiles = []
    if clean is not None:
        tiles.append(Tile("clean", "", [_url(cut(as_bytes(clean)))]))
    noisy_psnr = next((f"{float(row['noisy_psnr']):.2f} dB" for row in mine if row["noisy_psnr"]), "")
    tiles.append(Tile("noisy", noisy_psnr, [_url(cut(as_bytes(noisy)))]))
    for row in sorted(mine, key=lambda row: -float(row["psnr"] or 0)):
        if not store.picture_path(row).exists():  # rows can be kept, and passed on, without their pictures
            continue
        picture = store.picture(row)
        shown_images = [cut(picture)]
        if clean is not None:
            error = 128 + GAIN * (picture.astype(np.float32) - 255 * clean[0].permute(1, 2, 0).numpy())
            shown_images.append(cut(error.clip(0, 255).astype(np.uint8)))
        score = f"{float(row['psnr']):.2f} dB, {float(row['seconds']):.1f} s" if row["psnr"] else f"{row['seconds']} s"
        tiles.append(Tile(row["recipe"], score, [_url(array) for array in shown_images]))
    return {"name": f"{job.scene.name}, {job.noise}", "tiles": tiles}


def _detail(image: Tensor) -> tuple[int, int, int]:
    """Return (top, left, side) of the square with most structure: the largest differences after some smoothing."""
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
