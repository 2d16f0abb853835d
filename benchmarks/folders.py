"""What a folder of small pictures costs, from first to last, beside the fits alone, and whether its memory grows.

    python benchmarks/folders.py            writes docs/results/folders.md; under an hour on two idle cores

Each row is `torchdenoise denoise FOLDER -o OUT` in a process of its own, start-up included. "The fits alone" is the
time that this process spends in the Trainer's loop and in the readout; everything else is overhead: imports, the
recipe, reading, measuring the noise, building network and Trainer, writing. The memory is that of this process after
each picture.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import lightning
import numpy as np
import torch

from torchdenoise.data import Picture, write_picture

SIDE = 64
RUNS = ["instant:1000", "fast:200"]
SETTLED = 0.1
"""Share of the pictures after which memory should no longer grow."""
CLOCK = '''
"""Writes the seconds of all fits and readouts of this process, and its memory after each, to ./measured.json."""
import atexit
import json
import time
from pathlib import Path

import lightning
import psutil


class Clock(lightning.Callback):
    spent = 0.0
    began = 0.0
    memory = []

    def on_train_start(self, *_):
        Clock.began = time.perf_counter()

    def on_train_end(self, *_):
        Clock.spent += time.perf_counter() - Clock.began

    on_predict_start = on_train_start

    def on_predict_end(self, *_):
        self.on_train_end()
        Clock.memory.append(psutil.Process().memory_info().rss)


plain = lightning.Trainer.__init__


def with_clock(self, *args, callbacks=None, **options):
    plain(self, *args, callbacks=[*(callbacks or []), Clock()], **options)


lightning.Trainer.__init__ = with_clock
atexit.register(lambda: Path("measured.json").write_text(json.dumps({"fits": Clock.spent, "memory": Clock.memory})))
'''
"""Imported by the command line before it begins, as a user's module."""


@dataclass(frozen=True)
class Cost:
    """Of a run over a folder: seconds, and bytes after each picture."""

    recipe: str
    pictures: int
    whole: float
    fits: float
    memory: list[int]

    def row(self) -> str:
        """Return the row of the table."""
        each, fit = self.whole / self.pictures, self.fits / self.pictures
        cells = (
            f"`{self.recipe}`",
            self.pictures,
            f"{self.whole:.0f}",
            f"{each:.3f}",
            f"{fit:.3f}",
            f"{each - fit:.3f}",
            f"{self.whole / self.fits:.3f}",
            f"{self.memory[-1] / 2**20:.0f}",
            f"{self.growth() / 2**20:+.1f}",
        )
        return f"| {' | '.join(map(str, cells))} |"

    def growth(self) -> float:
        """Return the memory of the last tenth of the pictures minus that of the tenth after the first, in bytes."""
        tenth = max(1, round(SETTLED * len(self.memory)))
        return mean(self.memory[-tenth:]) - mean(self.memory[tenth : 2 * tenth])


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", nargs="+", default=RUNS, metavar="RECIPE:PICTURES")
    options.add_argument("--threads", type=int, default=1, help="of a process (default: %(default)s)")
    options.add_argument(
        "--output", type=Path, default=Path(__file__).parent.parent / "docs" / "results" / "folders.md"
    )
    return options


def make_folder(folder: Path, count: int) -> None:
    """Write grey 8-bit pictures of waves with white noise, seeded."""
    folder.mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for number in range(count):
        down, across, phase = random.uniform(1, 6, 3)
        noisy = 0.5 + 0.3 * np.sin(down * y + across * x + phase) + random.normal(0, 20 / 255, y.shape)
        picture = Picture.from_array((noisy.clip(0, 1) * 255).round().astype(np.uint8))
        write_picture(folder / f"{number:04d}.png", picture.image, picture)


def run(recipe: str, pictures: int, threads: int) -> Cost:
    """Return what a folder costs."""
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder, "in"), pictures)
        Path(folder, "clock.py").write_text(CLOCK)
        words = ["--import", "clock", "denoise", "in", "-o", "out", "--recipe", recipe, "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "torchdenoise", *words], cwd=folder, env=environment, check=True, stdout=-3
        )
        whole = time.perf_counter() - begin
        measured = json.loads(Path(folder, "measured.json").read_text())
        return Cost(recipe, pictures, whole, measured["fits"], measured["memory"])


def main() -> None:
    """Measure and write the page."""
    options = parser().parse_args()
    rows = []
    for each in options.runs:
        recipe, pictures = each.split(":")
        rows.append(run(recipe, int(pictures), options.threads).row())
        print(rows[-1], flush=True)
    runs = "" if options.runs == RUNS else f" --runs {' '.join(options.runs)}"
    lines = [
        "# Folders of small pictures",
        "",
        f"Printed by `python benchmarks/folders.py{runs}`: {SIDE}x{SIDE} grey pictures, white noise of level 20, "
        f"seed 0, {options.threads} CPU thread(s) ({platform.processor() or platform.machine()}), "
        f"torch {torch.__version__}, lightning {lightning.__version__}, Python {platform.python_version()}.",
        "",
        "Each row is `torchdenoise denoise FOLDER -o OUT` in one process, start-up included. *The fit* is the time in "
        "the Trainer's loop and in the readout; everything else is overhead: imports, recipe, reading, measuring the "
        "noise, building network and Trainer, writing. *Memory* is that of the process after the last picture; "
        "*growth* is the mean of the last tenth of the pictures minus that of the second tenth; both in MiB. "
        "Memory and the ratio are the point here: other work may slow down the whole of a run.",
        "",
        "| recipe | pictures | all, s | a picture, s | its fit, s | its overhead, s | all / fits | memory | growth |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    options.output.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
