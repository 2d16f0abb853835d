"""The memory that pictures need: peaks of `torchdenoise denoise` by size, and the constants of its estimate.

    python benchmarks/picture_memory.py         writes docs/results/memory.md; about half an hour on two cores

Each picture is RGB, 8 bits, and denoised in a process of its own with few steps: they change seconds, not the peak.
The estimate is a line through the peaks, bytes for each value, raised to the largest of them.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch

from torchdenoise.data import Picture, write_picture
from torchdenoise.data.memory import FIT_BYTES

CHANNELS = 3
MEGA = 10**6
SMALLEST = 128
"""Side in pixels of the picture whose peak is that of the process without the picture."""


@dataclass(frozen=True)
class Peak:
    """Of a process that denoises one picture."""

    recipe: str
    width: int
    height: int
    seconds: float
    bytes: int

    @property
    def values(self) -> int:
        """Of the picture."""
        return self.width * self.height * CHANNELS

    def each(self, alone: int) -> float:
        """Return the bytes for each value, beyond those of a process ``alone``."""
        return (self.bytes - alone) / self.values


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megapixels", nargs="+", type=float, default=[1, 4, 12, 24])
    options.add_argument("--recipes", nargs="+", default=["instant", "fast"])
    options.add_argument("--steps", type=int, default=2, help="of each fit (default: %(default)s)")
    options.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "docs" / "results" / "memory.md")
    return options


def measure(recipe: str, width: int, height: int, steps: int) -> Peak:
    """Return the peak of a process that denoises a picture of waves with white noise, seeded."""
    with tempfile.TemporaryDirectory() as folder:
        y, x = np.mgrid[:height, :width].astype(np.float32) / 64
        clean = np.stack([0.5 + 0.3 * np.sin(x + number * y) for number in range(CHANNELS)], -1)
        clean += np.random.default_rng(0).normal(0, 20 / 255, clean.shape).astype(np.float32)
        picture = Picture.from_array((clean.clip(0, 1) * 255).round().astype(np.uint8))
        write_picture(Path(folder, "a.png"), picture.image, picture)
        words = ["denoise", "a.png", "--recipe", recipe, "--max-steps", str(steps), "--device", "cpu"]
        begin = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "torchdenoise", *words], cwd=folder, stdout=-3)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{recipe}, {width}x{height}: exit {status}")
        return Peak(recipe, width, height, time.monotonic() - begin, usage.ru_maxrss * 1024)


def main() -> None:
    """Measure and write the page."""
    options = parser().parse_args()
    rows, most = [], 0.0
    for recipe in options.recipes:
        alone = measure(recipe, SMALLEST, SMALLEST, options.steps).bytes
        for mega in options.megapixels:
            height = round((mega * MEGA / 1.5) ** 0.5)
            peak = measure(recipe, round(1.5 * height), height, options.steps)
            most = max(most, peak.each(alone))
            cells = (f"`{recipe}`", f"{mega:g}", f"{peak.bytes / MEGA:.0f}", f"{alone / MEGA:.0f}")
            rows.append(f"| {' | '.join(cells)} | {peak.each(alone):.1f} | {peak.seconds:.0f} |")
            print(rows[-1], flush=True)
    lines = [
        "# Memory of a picture",
        "",
        f"Printed by `python benchmarks/picture_memory.py`: RGB pictures of 8 bits, white noise of level 20, seed 0, "
        f"{options.steps} steps, CPU ({platform.processor() or platform.machine()}, {torch.get_num_threads()} "
        f"threads), torch {torch.__version__}, lightning {lightning.__version__}, Python {platform.python_version()}. "
        "The number of steps does not change the peak.",
        "",
        "| recipe | megapixels | peak, MB | without the picture, MB | bytes for each value | s |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"The estimate before work begins takes {FIT_BYTES} bytes for each value; the largest here is {most:.1f}.",
        "",
    ]
    options.output.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
