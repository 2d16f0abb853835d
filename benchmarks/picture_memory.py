"""The memory that pictures need: peaks of `torchdenoise denoise` by size, beside the estimate before work begins.

    python benchmarks/picture_memory.py         writes docs/results/memory.md; about half an hour on two idle cores

Each picture is RGB, 8 bits, and denoised in a process of its own with few steps: they change seconds, not the peak.
Rows lie in docs/results/memory.csv; what has a row is not measured again. ``FIT_BASE`` and ``FIT_BYTES`` of
``torchdenoise/data/memory.py`` are chosen so that the estimate is above every row.
"""

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lightning
import numpy as np
import torch

from torchdenoise.data import Picture, write_picture
from torchdenoise.data.memory import FIT_BASE, FIT_BYTES, fit_memory

RESULTS = Path(__file__).parent.parent / "docs" / "results"
ROWS = RESULTS / "memory.csv"
COLUMNS = ("recipe", "megapixels", "peak_mb", "alone_mb", "seconds", "threads", "torch", "lightning")
CHANNELS = 3
MEGA = 10**6
SMALLEST = 0.016
"""Megapixels of the picture whose peak is that of the process without the picture."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megapixels", nargs="+", type=float, default=[1, 4, 12, 24])
    options.add_argument("--recipes", nargs="+", default=["instant", "fast"])
    options.add_argument("--steps", type=int, default=2, help="of each fit (default: %(default)s)")
    return options


def measure(recipe: str, megapixels: float, steps: int) -> tuple[int, float]:
    """Return the peak in bytes and the seconds of a process that denoises waves with white noise, seeded."""
    height = round((megapixels * MEGA / 1.5) ** 0.5)
    y, x = np.mgrid[:height, : round(1.5 * height)].astype(np.float32) / 64
    clean = np.stack([0.5 + 0.3 * np.sin(x + number * y) for number in range(CHANNELS)], -1)
    clean += np.random.default_rng(0).normal(0, 20 / 255, clean.shape).astype(np.float32)
    picture = Picture.from_array((clean.clip(0, 1) * 255).round().astype(np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        write_picture(Path(folder, "a.png"), picture.image, picture)
        words = ["denoise", "a.png", "--recipe", recipe, "--max-steps", str(steps), "--device", "cpu"]
        begin = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "torchdenoise", *words], cwd=folder, stdout=-3)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{recipe}, {megapixels} megapixels: exit {status}")
        return usage.ru_maxrss * 1024, time.monotonic() - begin


def stored() -> list[dict[str, str]]:
    """Return the rows that are measured."""
    if not ROWS.exists():
        return []
    with ROWS.open(newline="") as file:
        return list(csv.DictReader(file))


def add(recipe: str, megapixels: float, steps: int) -> None:
    """Measure a row and store it."""
    alone, _ = measure(recipe, SMALLEST, steps)
    peak, seconds = measure(recipe, megapixels, steps)
    numbers = (f"{peak / MEGA:.0f}", f"{alone / MEGA:.0f}", f"{seconds:.0f}", torch.get_num_threads())
    new = not ROWS.exists()
    with ROWS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow([recipe, f"{megapixels:g}", *numbers, torch.__version__, lightning.__version__])


def shown(row: dict[str, str]) -> str:
    """Return a row of the table."""
    values = float(row["megapixels"]) * MEGA * CHANNELS
    beyond = float(row["peak_mb"]) - float(row["alone_mb"])
    cells = (f"`{row['recipe']}`", row["megapixels"], row["peak_mb"], row["alone_mb"], f"{beyond:.0f}")
    return f"| {' | '.join(cells)} | {fit_memory(round(values)) / MEGA:.0f} | {row['seconds']} |"


def main() -> None:
    """Measure what is missing, and write the page."""
    options = parser().parse_args()
    done = {(row["recipe"], row["megapixels"]) for row in stored()}
    for recipe in options.recipes:
        for megapixels in options.megapixels:
            if (recipe, f"{megapixels:g}") not in done:
                add(recipe, megapixels, options.steps)
    rows = sorted(stored(), key=lambda row: (row["recipe"], float(row["megapixels"])))
    setting = {f"{row['threads']} thread(s), torch {row['torch']}, lightning {row['lightning']}" for row in rows}
    lines = [
        "# Memory of a picture",
        "",
        "Printed by `python benchmarks/picture_memory.py`: RGB pictures of 8 bits, white noise of level 20, seed 0, "
        f"{options.steps} steps, CPU ({platform.processor() or platform.machine()}), {'; '.join(sorted(setting))}, "
        f"Python {platform.python_version()}. The number of steps does not change the peak. "
        "Seconds are those of a busy machine. Rows: `memory.csv`.",
        "",
        "| recipe | megapixels | peak, MB | peak of a tiny picture, MB | difference, MB | estimate, MB | s |",
        "|---|---|---|---|---|---|---|",
        *(shown(row) for row in rows),
        "",
        f"The estimate, which is compared with the free memory before work begins, is {FIT_BASE / MEGA:.0f} MB and "
        f"{FIT_BYTES} bytes for each value.",
        "",
    ]
    (RESULTS / "memory.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
