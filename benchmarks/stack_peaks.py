"""The memory that stacks need does not grow with their number of frames: writes docs/results/stack_memory.md.

    python benchmarks/stack_peaks.py            a quarter of an hour on two idle cores, 5 GB of disk
    python benchmarks/stack_peaks.py --runs 2000:2048:tv        one run: MEGABYTES:FRAME:RECIPE

Each run is `benchmarks/stack_memory.py`. The recipe `copy` is `--strength 0`: reading and writing alone; the others
take two steps for each frame, which change seconds, not the peak.
"""

import argparse
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import lightning
import torch
import yaml

from torchdenoise.recipes import load_recipe

RUNS = ("25:2048:copy", "2000:2048:copy", "5:512:instant", "15:512:instant")
STEPS = 2
PAGE = Path(__file__).parents[1] / "docs" / "results" / "stack_memory.md"


def short(recipe: str, folder: Path) -> Path:
    """Write a recipe with few steps."""
    loaded = load_recipe(recipe)
    loaded.setdefault("trainer", {})["max_steps"] = STEPS
    path = folder / f"{recipe}.yaml"
    path.write_text(yaml.safe_dump(loaded))
    return path


def row(run: str, folder: Path) -> str:
    """Return the table row of a run."""
    megabytes, frame, recipe = run.split(":")
    script = [sys.executable, str(Path(__file__).parent / "stack_memory.py")]
    words = ["--strength", "0"] if recipe == "copy" else ["--recipe", str(short(recipe, folder))]
    done = subprocess.run(
        [*script, "--megabytes", megabytes, "--frame", frame, "--folder", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    frames, size = re.search(r"(\d+) frames of .*, (\d+) MB; exit 0", done.stdout).groups()  # type: ignore[union-attr]
    seconds, peak = re.search(r"(\d+) s, peak (\d+) MB", done.stdout).groups()  # type: ignore[union-attr]
    return f"| `{recipe}` | {frame} x {frame} | {frames} | {size} | {peak} | {seconds} |"


def main() -> None:
    """Measure and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", nargs="+", default=RUNS, metavar="MEGABYTES:FRAME:RECIPE")
    options.add_argument("--output", type=Path, default=PAGE)
    given = options.parse_args()
    rows = []
    for run in given.runs:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(run, Path(folder)))
        print(rows[-1], flush=True)
    lines = [
        "# Memory of a stack",
        "",
        f"Printed by `python benchmarks/stack_peaks.py`: TIFF, 16 bits, CPU ({platform.machine()}, "
        f"{torch.get_num_threads()} threads), torch {torch.__version__}, lightning {lightning.__version__}, Python "
        f"{platform.python_version()}, seed 0. `copy` reads and writes alone; the others take {STEPS} steps for each "
        "frame, which change seconds, not the peak. A stack is read and written frame by frame, so that the peak does "
        "not grow with the number of frames.",
        "",
        "| recipe | frame | frames | size, MB | peak, MB | s |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    given.output.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
