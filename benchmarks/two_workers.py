"""How a folder and a comparison scale with worker processes: writes docs/results/workers.md.

    python benchmarks/two_workers.py [--recipes NAME ...] [--pictures N] [--runs N]      minutes; on an idle machine

Each row is one command in a process of its own, start-up included, with one thread for each picture; the arrangements
alternate. What all workers do once, such as imports, keeps the ratio below the number of workers.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import lightning
import torch
from pictures import example

from torchdenoise.data import Picture, write_picture
from torchdenoise.noise import repeatable

PAGE = Path(__file__).parent.parent / "docs" / "results" / "workers.md"
NOISE = "gaussian:25:clip"
RECIPES = ("instant", "fast")
PICTURES, RUNS = 16, 3
WORKERS = (1, 2)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--recipes", nargs="+", default=list(RECIPES), help="(default: %(default)s)")
    options.add_argument("--pictures", type=int, default=PICTURES, help="in the folder (default: %(default)s)")
    options.add_argument("--runs", type=int, default=RUNS, help="of each arrangement (default: %(default)s)")
    return options


def make_folders(folder: Path, pictures: int) -> None:
    """Write clean pictures, turned and flipped copies of a photograph, and noisy ones."""
    clean = Picture.from_array(example()).image
    for number in range(pictures):
        image = clean.rot90(number % 4, (-2, -1)).roll(37 * number, -1)
        for name, shown in (("clean", image), ("noisy", repeatable(NOISE, image))):
            (folder / name).mkdir(exist_ok=True)
            picture = Picture.from_array(shown[0].permute(1, 2, 0).mul(255).round().byte().numpy())
            write_picture(folder / name / f"{number:02d}.png", picture.image, picture)


def commands(recipe: str) -> dict[str, list[str]]:
    """Return the words of both commands, by title."""
    return {
        f"`denoise FOLDER --recipe {recipe}`": f"denoise noisy -o out --overwrite --recipe {recipe}".split(),
        f"`compare --recipes {recipe}`": f"compare --recipes {recipe} --data clean --noise {NOISE} -o table".split(),
    }


def seconds(words: list[str], workers: int, folder: Path) -> float:
    """Return the seconds of a command, which begins anew."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        words = [output if word in ("out", "table") else word for word in words]
        arrangement = ["--workers", str(workers), "--threads", "1", "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "torchdenoise", *words, *arrangement]
        begin = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        return time.perf_counter() - begin


def main() -> None:
    """Measure and write the page."""
    options = parser().parse_args()
    lines = [
        "# Two workers",
        "",
        f"Printed by `python benchmarks/two_workers.py`: {options.pictures} pictures of 256x256 in colour, `{NOISE}`, "
        f"seed 0, one thread a picture ({platform.machine()}, {os.cpu_count()} cores), torch {torch.__version__}, "
        f"lightning {lightning.__version__}, idle. Whole commands, start-up included, medians of "
        f"{options.runs} run{'s' if options.runs > 1 else ''}: each worker imports PyTorch anew.",
        "",
        "| command | 1 worker, s | 2 workers, s | ratio |",
        "|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folders(folder, options.pictures)
        for recipe in options.recipes:
            for title, words in commands(recipe).items():
                taken: dict[int, list[float]] = {workers: [] for workers in WORKERS}
                for _ in range(options.runs):
                    for workers in WORKERS:
                        taken[workers].append(seconds(words, workers, folder))
                one, two = (median(taken[workers]) for workers in WORKERS)
                lines.append(f"| {title} | {one:.1f} | {two:.1f} | {one / two:.2f} |")
                print(lines[-1], flush=True)
    PAGE.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
