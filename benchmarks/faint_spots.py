"""What denoising leaves of faint spots, such as stars or molecules: writes docs/results/faint_spots.md.

    python benchmarks/faint_spots.py        some minutes, on one core

Spots of known brightness on a dark background; the brightness of each is measured as astronomers do, by the sum within
a circle less the mean of a ring around it, before and after denoising.
"""

import platform
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from torchdenoise import denoise
from torchdenoise.fitting.trainers import precision_here

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results" / "faint_spots.md"
SIDE, APART, EDGE = 256, 19, 14
BACKGROUND = 0.08
WIDTHS = (1.0, 1.6)
"""Standard deviations of a spot, in pixels."""
LEVELS = (5, 10)
"""Of the noise, on the 0-255 scale."""
RADIUS, RING = 4, (6, 8)
"""Of the circle, and of the ring, in pixels."""
BANDS = (1, 2, 4, 8, 64)
"""Peak of a spot over the noise's level."""
RECIPES = ("nl-ridge", "instant", "fast", "pretrained", "pretrained-fast")
Pixels = NDArray[np.float64]


@dataclass(frozen=True)
class Spot:
    """A spot of light: its centre, and how bright its peak is above the background (white is 1)."""

    y: float
    x: float
    peak: float


def spots(random: np.random.Generator) -> list[Spot]:
    """Return spots on a jittered grid, whose peaks are spread evenly over factors from 0.01 to 0.6."""
    places = range(EDGE, SIDE - EDGE, APART)
    return [
        Spot(y + random.uniform(-2, 2), x + random.uniform(-2, 2), 10 ** random.uniform(-2, -0.22))
        for y in places
        for x in places
    ]


def drawn(each: list[Spot], width: float) -> Pixels:
    """Return the clean picture of spots of a width."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    picture = np.full((SIDE, SIDE), BACKGROUND)
    for spot in each:
        picture += spot.peak * np.exp(-((rows - spot.y) ** 2 + (columns - spot.x) ** 2) / (2 * width**2))
    return picture


def brightness(picture: Pixels, spot: Spot) -> float:
    """Return the sum within ``RADIUS`` pixels of a spot, less the background, which is the mean within ``RING``."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - spot.y, columns - spot.x)
    around = (distance >= RING[0]) & (distance <= RING[1])
    return float((picture[distance <= RADIUS] - picture[around].mean()).sum())


def shares() -> dict[str, list[list[float]]]:
    """Return what each recipe leaves of the brightness of each spot, in a list for each band."""
    found: dict[str, list[list[float]]] = {name: [[] for _ in BANDS[1:]] for name in ("", *RECIPES)}
    settings = [(width, level) for width in WIDTHS for level in LEVELS]
    for number, (width, level) in enumerate(track(settings, "pictures")):
        random = np.random.default_rng(number)
        each = spots(random)
        clean = drawn(each, width)
        noisy = clean + random.normal(0, level / 255, clean.shape)
        for name in found:
            result = denoise(noisy, recipe=name, data_range=1.0, device="cpu") if name else noisy
            for band, (low, high) in enumerate(pairwise(BANDS)):
                inside = [spot for spot in each if low <= spot.peak * 255 / level < high]
                found[name][band] += [brightness(result, spot) / brightness(clean, spot) for spot in inside]
    return found


def page(found: dict[str, list[list[float]]]) -> str:
    """Return the page."""
    names = [f"{low} to {high}" for low, high in pairwise(BANDS)]
    counts = [len(band) for band in found[""]]
    text = [
        "# Faint spots",
        "",
        f"Spots of known brightness (Gaussian, {' and '.join(map(str, WIDTHS))} pixels) on a dark background with "
        f"Gaussian noise of level {' and '.join(map(str, LEVELS))}, {SIDE}x{SIDE} pixels, seeds from 0. What is left "
        f"of a spot's brightness: the sum within {RADIUS} pixels less the mean of a ring of {RING[0]} to {RING[1]}, "
        "divided by that of the clean picture; median and, after ±, the standard deviation of the spots. Columns: the "
        "spot's peak over the level of the noise.",
        "",
        f"| | {' | '.join(names)} |",
        "|---|" + "---|" * len(names),
        f"| spots | {' | '.join(map(str, counts))} |",
    ]
    for name, bands in found.items():
        cells = [f"{np.median(band):.2f} ± {np.std(band):.2f}" for band in bands]
        text.append(f"| {f'`{name}`' if name else 'noisy picture'} | {' | '.join(cells)} |")
    text += [
        "",
        "Denoising takes light from what is hardly brighter than the noise: the result with the least squared error is "
        "the mean of all that the picture could be, and that mean is dimmer than a faint spot. In the noisy picture "
        "the brightness is right on average. So find spots in the result, and measure them in the noisy picture.",
        "",
        f"Printed by `python benchmarks/faint_spots.py`; cpu ({platform.machine()}), "
        f"{precision_here('bf16-mixed', 'cpu')}, torch {torch.__version__}, lightning {lightning.__version__}.",
        "",
    ]
    return "\n".join(text)


def main() -> None:
    """Measure, and write the page."""
    PAGE.write_text(page(shares()))


if __name__ == "__main__":
    main()
