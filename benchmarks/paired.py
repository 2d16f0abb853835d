"""Recipes at an earlier commit and as they are, alternating in one run: writes docs/results/paired.md.

    python benchmarks/paired.py COMMIT [--recipes fast] [--runs 5]         minutes; run it on an idle machine
    python benchmarks/paired.py COMMIT --megapixels 24 --runs 1            a large picture: many minutes
    python benchmarks/paired.py page                                       the page from the rows alone

A machine is never as fast twice, so that only ratios from one run say what a change gave. Each measurement is a process
of its own that works on a clone of its commit; imports and first calls are not counted. Rows: paired.csv.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import lightning
import numpy as np
import torch
from csv_rows import add, read
from numpy.typing import NDArray
from pictures import SIDE, example
from startup import clone

from torchdenoise import denoise
from torchdenoise.fitting.trainers import precision_here

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE, ROWS = RESULTS / "paired.md", RESULTS / "paired.csv"
LEVEL = 25
COLUMNS = (
    *("recipe", "height", "width", "before", "after", "seconds_before", "seconds_after", "psnr_before", "psnr_after"),
    *("threads", "precision", "device", "torch", "lightning"),
)
PAGE_WORD = "page"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("before", metavar="COMMIT", help=f"to compare the last commit with, or {PAGE_WORD}")
    options.add_argument("--recipes", nargs="+", default=["fast"], help="(default: fast)")
    options.add_argument("--runs", type=int, default=5, help="of each (default: %(default)s)")
    options.add_argument("--megapixels", type=float, default=SIDE**2 / 1e6, help="of the picture (default: 256x256)")
    return options


def clean_picture(height: int, width: int) -> NDArray[np.float64]:
    """Return the photograph, repeated and mirrored up to a size, 0 to 255."""
    photograph = example().astype(float)
    below, right = (-(-size // SIDE) for size in (height, width))
    mirrored = np.pad(photograph, [(0, (below - 1) * SIDE), (0, (right - 1) * SIDE), (0, 0)], "symmetric")
    return mirrored[:height, :width]


def measure(recipe: str, height: int, width: int) -> None:
    """Print the seconds and the PSNR of a recipe, with the package that this process imports."""
    clean = clean_picture(height, width)
    noise = np.random.default_rng(0).normal(0, LEVEL, clean.shape)
    noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)
    denoise(noisy[:64, :64], recipe, max_steps=2, device="cpu")
    begin = time.perf_counter()
    result = denoise(noisy, recipe, device="cpu")
    seconds = time.perf_counter() - begin
    psnr = -10 * np.log10(np.square((result - clean) / 255).mean())
    print(json.dumps({"seconds": seconds, "psnr": float(psnr)}))


def measured(source: Path, recipe: str, height: int, width: int) -> dict[str, float]:
    """Return what a fresh process measures with the package in a folder."""
    code = f"import paired; paired.measure({recipe!r}, {height}, {width})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(Path(__file__).parent)])}
    words = [sys.executable, "-c", code]
    ended = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def short(commit: str) -> str:
    """Return the short name of a commit."""
    words = ["git", "-C", ROOT, "rev-parse", "--short=7", commit]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def compare(before: str, recipes: Sequence[str], runs: int, megapixels: float) -> None:
    """Measure both commits in turn and store each pair."""
    names = {"before": short(before), "after": short("HEAD")}
    height = round((megapixels * 1e6 / (1 if megapixels < 1 else 1.5)) ** 0.5)
    width = round(megapixels * 1e6 / height)
    with TemporaryDirectory() as folder:
        sources = {when: clone(Path(folder), commit) for when, commit in names.items()}
        for run in range(runs):
            for recipe in recipes:
                row: dict[str, object] = {"recipe": recipe, "height": height, "width": width, **names}
                # In turn, and the other way round the next time: a machine that slows down favours neither.
                for when in sorted(sources, reverse=bool(run % 2)):
                    found = measured(sources[when], recipe, height, width)
                    row |= {f"seconds_{when}": f"{found['seconds']:.3f}", f"psnr_{when}": f"{found['psnr']:.3f}"}
                store(row)


def store(row: dict[str, object]) -> None:
    """Add a row."""
    machine = {
        "threads": torch.get_num_threads(),
        "precision": precision_here("bf16-mixed", "cpu"),
        "device": platform.machine(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
    }
    add(ROWS, COLUMNS, row | machine)


def page() -> list[str]:
    """Return the lines of the page."""
    rows = read(ROWS)
    machine = "{threads} CPU threads ({device}), {precision}, torch {torch}, lightning {lightning}"
    text = [
        "# Speed against an earlier commit",
        "",
        f"A photograph with Gaussian noise of level {LEVEL}, clipped and rounded; larger pictures repeat it. Both "
        "commits in turn, in fresh processes, imports not counted, nothing else running; medians, also of the ratio. "
        "Printed by `python benchmarks/paired.py`. `32-true` instead of `bf16-mixed`: the machine has no bfloat16.",
        "",
        *(f"{each}.\n" for each in dict.fromkeys(machine.format(**row) for row in rows)),
        "| recipe | picture | before | s | after | s | times as fast | PSNR before | after | runs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    keys = ("recipe", "height", "width", "before", "after")
    for key in dict.fromkeys(tuple(row[each] for each in keys) for row in rows):
        mine = [row for row in rows if tuple(row[each] for each in keys) == key]
        recipe, height, width, before, after = key
        early, late = ([float(row[f"seconds_{when}"]) for row in mine] for when in ("before", "after"))
        ratio = median(first / second for first, second in zip(early, late, strict=True))
        psnr = [f"{mean(float(row[f'psnr_{when}']) for row in mine):.2f}" for when in ("before", "after")]
        cells = [f"`{recipe}`", f"{height}x{width}", before, f"{median(early):.2f}", after, f"{median(late):.2f}"]
        text.append(f"| {' | '.join([*cells, f'{ratio:.2f}', *psnr, str(len(mine))])} |")
    return [*text, ""]


def main() -> None:
    """Compare, and write the page."""
    options = parser().parse_args()
    if options.before != PAGE_WORD:
        compare(options.before, options.recipes, options.runs, options.megapixels)
    PAGE.write_text("\n".join(page()))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
