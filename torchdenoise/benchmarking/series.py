"""The points of charts and figures: PSNR against time and against noise level."""

import math
from collections.abc import Mapping, Sequence

from torchdenoise.benchmarking.jobs import REAL, Job
from torchdenoise.benchmarking.tables import Line
from torchdenoise.charts import Series


def numbered(jobs: Sequence[Job]) -> dict[str, int]:
    """Return method -> the number that chooses its colour, wherever it is drawn."""
    return {name: number for number, name in enumerate(dict.fromkeys(job.method.name for job in jobs))}


def against_time(table: Sequence[Line], numbers: Mapping[str, int]) -> list[Series]:
    """Return a point (seconds, PSNR) for each line of one noise that has both."""
    timed = [line for line in table if is_finite(line.psnr) and line["seconds"]]
    return [Series(line.recipe, numbers[line.recipe], [(line["seconds"] or 0, line.psnr or 0)]) for line in timed]


def against_level(table: Sequence[Line], numbers: Mapping[str, int]) -> dict[str, list[Series]]:
    """Return kind of noise -> points (level, PSNR) of each method, for kinds with several levels."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in table:
        kind, level = kind_and_level(line.noise)
        if level is not None and line.psnr is not None and is_finite(line.psnr):
            found.setdefault(kind, {}).setdefault(line.recipe, []).append((level, line.psnr))
    return {
        kind: [Series(name, numbers[name], sorted(points)) for name, points in methods.items()]
        for kind, methods in found.items()
        if len({x for points in methods.values() for x, _ in points}) > 1
    }


def is_finite(psnr: float | None) -> bool:
    """Return whether a PSNR is a number that an axis can show: a perfect result's is infinite."""
    return psnr is not None and math.isfinite(psnr)


def kind_and_level(noise: str) -> tuple[str, float | None]:
    """Return the kind of a noise and its level, if that is one number.

    Example:
        >>> kind_and_level("gaussian:25:clip"), kind_and_level("gaussian:0-55")
        (('gaussian clipped', 25.0), ('gaussian:0-55', None))
    """
    if noise == REAL:
        return noise, None
    name, *texts = noise.removesuffix(":clip").split(":")
    try:
        (level,) = map(float, texts)
    except ValueError:  # several numbers, a range, a mixture
        return noise, None
    return f"{name} clipped" if noise.endswith(":clip") else name, level or None
