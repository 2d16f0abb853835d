"""The default, ``auto``, on drawn pictures unlike photographs: writes docs/results/choices.md.

    python benchmarks/choices.py [pictures | page]      minutes on one core

``auto`` beside the two recipes that it chooses from. What has a row is not done again. ``page`` prints the page from
the rows alone. Photographs and real noise are in ``benchmarks/pretrained_results.py``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from studies import RESULTS, Part, run_parts, setting
from training import runs_folder

from torchdenoise.benchmarking.columns import Row
from torchdenoise.fitting.choosing import FITTED, TRAINED
from torchdenoise.recipes import AUTO

SIDE = 160
NOISE = ("gaussian:25:clip", "gaussian:10", "poisson:30", "gaussian:20+jpeg:80")
FOLDER = "studies/choices"
Pixels = NDArray[np.float64]
"""(H, W) or (H, W, 3) in 0..1."""


def _grid() -> tuple[Pixels, Pixels]:
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    return rows, columns


def small_type() -> Pixels:
    """Return dark type on light paper."""
    page = Image.new("L", (SIDE, SIDE), 245)
    for row, y in enumerate(range(4, SIDE - 10, 13)):
        ImageDraw.Draw(page).text((3, y), f"No {row} of thin type 0O1Il|:; and more", fill=20)
    return np.asarray(page) / 255


def line_drawing() -> Pixels:
    """Return black lines and circles on pure white."""
    size, random = 4 * SIDE, np.random.default_rng(3)
    page = Image.new("L", (size, size), 255)
    draw = ImageDraw.Draw(page)
    for line in random.integers(0, size, (25, 4)).tolist():
        draw.line(line, fill=0, width=5)
    for x, y, radius in random.integers(8, size // 4, (10, 3)).tolist():
        draw.ellipse((3 * x - radius, 3 * y - radius, 3 * x + radius, 3 * y + radius), outline=0, width=5)
    return np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255


def plot() -> Pixels:
    """Return curves in colour over a grid on pure white."""
    page = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for at in range(0, SIDE, 20):
        draw.line((0, at, SIDE, at), fill=(200, 200, 200))
        draw.line((at, 0, at, SIDE), fill=(200, 200, 200))
    for colour, period in (((220, 30, 30), 9), ((30, 30, 220), 5), ((20, 150, 20), 14)):
        draw.line([(x, SIDE / 2 + 60 * np.sin(x / period)) for x in range(SIDE)], fill=colour)
    draw.text((20, 10), "Figure 3: loss", fill=(0, 0, 0))
    return np.asarray(page) / 255


def phantom() -> Pixels:
    """Return ellipses of a few grey values on black, as of a computed tomography."""
    y, x = (2 * each / SIDE - 1 for each in _grid())
    found = np.zeros((SIDE, SIDE))
    for value, cx, cy, width, height in (
        (0.8, 0, 0, 0.7, 0.9),
        (-0.6, 0, 0, 0.65, 0.85),
        (0.3, 0.2, 0, 0.1, 0.3),
        (0.3, -0.25, 0, 0.15, 0.4),
        (0.2, 0, 0.35, 0.2, 0.2),
        (0.15, 0, 0.05, 0.05, 0.05),
        (0.2, 0.05, -0.6, 0.03, 0.03),
    ):
        found += value * (((x - cx) / width) ** 2 + ((y - cy) / height) ** 2 < 1)
    return found.clip(0, 1)


def flat_colours() -> Pixels:
    """Return areas of one colour each with dark outlines."""
    random = np.random.default_rng(1)
    points, colours = random.uniform(0, SIDE, (30, 2)), random.uniform(0.05, 0.95, (30, 3))
    rows, columns = _grid()
    distance = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1])
    nearest, second = np.sort(distance, -1)[..., :2].transpose(2, 0, 1)
    return np.where((second - nearest < 2)[..., None], 0.02, colours[distance.argmin(-1)])


def stripes() -> Pixels:
    """Return narrow oblique stripes."""
    rows, columns = _grid()
    return 0.5 + 0.36 * np.sign(np.sin(0.9 * columns + 0.2 * rows))


def checks() -> Pixels:
    """Return a board of cells of 4x4 pixels."""
    rows, columns = _grid()
    return 0.2 + 0.6 * ((rows // 4 + columns // 4) % 2)


def stars() -> Pixels:
    """Return points of light on a dark sky."""
    random, sky = np.random.default_rng(2), np.zeros((SIDE, SIDE))
    for y, x in random.integers(2, SIDE - 2, (80, 2)):
        sky[y, x] += random.uniform(0.2, 0.9)
    for axis in (0, 1):
        sky = sum(weight * np.roll(sky, shift, axis) for shift, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)))
    return (0.05 + sky).clip(0, 1)


def bar_code() -> Pixels:
    """Return bars of two pixels and more on white paper."""
    page = np.ones((SIDE, SIDE))
    page[20:-20] = np.repeat(np.random.default_rng(4).integers(0, 2, SIDE // 2), 2)
    return 0.05 + 0.9 * page


def gradients() -> Pixels:
    """Return smooth gradients of colour."""
    rows, columns = (each / SIDE for each in _grid())
    return np.stack([0.3 + 0.4 * columns, 0.5 + 0.2 * np.sin(4 * rows), 0.6 - 0.3 * rows * columns], -1)


PICTURES: tuple[Callable[[], Pixels], ...] = (
    small_type, line_drawing, plot, phantom, flat_colours, stripes, checks, stars, bar_code, gradients,
)  # fmt: skip


def drawn() -> list[Path]:
    """Return the files of the clean pictures, which are drawn if they are not there."""
    folder = runs_folder() / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for make in PICTURES:
        paths.append(folder / f"{make.__name__.replace('_', '-')}.png")
        if not paths[-1].exists():
            Image.fromarray((255 * make()).round().astype(np.uint8)).save(paths[-1])
    return paths


def part() -> Part:
    """Return the comparison."""
    return Part(FOLDER, {name: name for name in (AUTO, TRAINED, FITTED)}, drawn(), NOISE, crop=None)


def table(rows: Sequence[Row], noise: str) -> list[str]:
    """Return the PSNR on each picture with one noise, and the recipe that ``auto`` chose."""
    text = [f"| picture | noisy | `{TRAINED}` | `{FITTED}` | `{AUTO}` | by |", "|---|---|---|---|---|---|"]
    for path in drawn():
        mine = {row["recipe"]: row for row in rows if (row["image"], row["noise"]) == (path.stem, noise)}
        if len(mine) < 3:
            continue
        noisy, chosen = float(mine[AUTO]["noisy_psnr"]), mine[AUTO]["noise_found"].partition("; by ")[2]
        figures = [f"{float(mine[name]['psnr']):.2f}" for name in (TRAINED, FITTED, AUTO)]
        text.append(f"| {path.stem.replace('-', ' ')} | {noisy:.2f} | {' | '.join(figures)} | {chosen} |")
    return text


def write_page() -> None:
    """Write the page from the rows."""
    rows = part().rows()
    text = [
        "# What the default chooses",
        "",
        f"`{AUTO}` takes `{TRAINED}` or `{FITTED}` ([how](../methods.md#what-the-default-does)). Drawn pictures, "
        f"unlike the photographs on which the network of `{TRAINED}` was trained; {SIDE}x{SIDE} pixels; PSNR in dB. "
        f"Printed by `python benchmarks/choices.py`, which draws them; {setting(rows)}. "
        "Photographs, cameras and microscopes: [pretrained](pretrained.md).",
    ]
    for noise in NOISE:
        text += ["", f"## `{noise}`", "", *table(rows, noise)]
    (RESULTS / "choices.md").write_text("\n".join([*text, ""]))


if __name__ == "__main__":
    run_parts({"pictures": lambda: part().run()}, write_page)
