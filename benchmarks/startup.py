"""Seconds of imports and of whole commands in fresh processes, of `make docs`, and the size of the wheel.

    python benchmarks/startup.py            writes docs/results/startup.md; minutes, most of them for the notebooks

Run it on an idle machine. Rows lie in docs/results/startup.csv; what has a row is not measured again: delete the rows
that should be. --parts commands runs one part, --parts page prints the page from the rows alone. The parts wheel and
docs work in a clone of the last commit, and need the extra [dev].
"""

import argparse
import csv
import os
import platform
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import lightning
import torch
from pictures import write_noisy_ramp

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
ROWS = "startup.csv"
COLUMNS = ("what", "run", "value", "threads", "device", "python", "torch", "lightning")
RUNS = 7
SIDE = 256
PICTURE = f"{SIDE}x{SIDE}, RGB"
IMPORTS = ("torch", "lightning", "torchdenoise")
COMMANDS: dict[str, list[str]] = {
    "`python -c pass`": ["-c", "pass"],
    **{f"`import {name}`": ["-c", f"import {name}"] for name in IMPORTS},
    "`torchdenoise --version`": ["-m", "torchdenoise", "--version"],
    "`torchdenoise --help`": ["-m", "torchdenoise", "--help"],
    f"`torchdenoise denoise x.png --recipe fast --max-steps 1` ({PICTURE})": [
        *("-m", "torchdenoise", "denoise", "x.png", "--recipe", "fast", "--max-steps", "1", "--overwrite")
    ],
    f"`torchdenoise denoise x.png`, the default ({PICTURE})": [
        *("-m", "torchdenoise", "denoise", "x.png", "--overwrite")
    ],
}
"""Arguments of the Python interpreter, by the title of their row."""
WHEEL, WEIGHTS = "wheel", "of it, weights"
DOCS = ("`make docs`, the notebooks executed", "`make docs` again")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="all by default")
    options.add_argument("--runs", type=int, default=RUNS, help="of each command (default: %(default)s)")
    return options


def stored() -> list[dict[str, str]]:
    """Return the rows that are measured."""
    path = RESULTS / ROWS
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def is_missing(what: str, run: int = 0) -> bool:
    """Return whether a value has no row."""
    return not any((row["what"], row["run"]) == (what, str(run)) for row in stored())


def store(what: str, value: float, run: int = 0) -> None:
    """Add the row of a value."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    machine = (torch.get_num_threads(), device, platform.python_version(), torch.__version__, lightning.__version__)
    RESULTS.mkdir(parents=True, exist_ok=True)
    new = not (RESULTS / ROWS).exists()
    with (RESULTS / ROWS).open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow([what, run, f"{value:.10g}", *machine])
    print(f"{what}, {run}: {value:.3f}", flush=True)


def seconds(words: Sequence[str], folder: Path, **variables: str) -> float:
    """Return the seconds of a fresh Python process in a folder."""
    environment = {**os.environ, **variables}
    begin = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


# -- the parts ---------------------------------------------------------------------------------------------------------


def commands(runs: int) -> None:
    """Time each command in turn, again and again; the first round, which fills the caches of the disk, has no rows."""
    missing = [(what, run) for run in range(runs) for what in COMMANDS if is_missing(what, run)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_noisy_ramp(folder / "x.png", SIDE)
        for what in dict.fromkeys(what for what, _ in missing):
            seconds(COMMANDS[what], folder)
        for what, run in missing:
            store(what, seconds(COMMANDS[what], folder), run)


def wheel(_runs: int) -> None:
    """Build the wheel and count its bytes, and those of the weights in it, as they are compressed."""
    if not is_missing(WHEEL):
        return
    with TemporaryDirectory() as name:
        source = clone(Path(name))
        seconds(["-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"], source)
        [built] = (source / "dist").glob("*.whl")
        with zipfile.ZipFile(built) as archive:
            weights = sum(each.compress_size for each in archive.infolist() if "/weights/" in each.filename)
        store(WEIGHTS, weights)
        store(WHEEL, built.stat().st_size)


def docs(_runs: int) -> None:
    """Time what `make docs` runs: in a clone, which has no executed notebooks, and once more."""
    if not is_missing(DOCS[-1]):
        return
    with TemporaryDirectory() as name:
        source = clone(Path(name))
        words = ["-m", "mkdocs", "build", "--strict", "--quiet"]
        took = [seconds(words, source, NO_MKDOCS_2_WARNING="1", PYTHONPATH=str(source)) for _ in DOCS]
        for what, value in zip(DOCS, took, strict=True):
            store(what, value)


def clone(folder: Path, commit: str = "HEAD") -> Path:
    """Return a clone in which a commit is checked out; the last one by default."""
    target = folder / commit
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", ROOT, target], check=True)
    subprocess.run(["git", "-C", target, "checkout", "--quiet", commit], check=True)
    return target


PARTS: dict[str, Callable[[int], None]] = {"commands": commands, "wheel": wheel, "docs": docs, "page": lambda _: None}


# -- the page ----------------------------------------------------------------------------------------------------------


def page() -> list[str]:
    """Return the lines of the page."""
    found: dict[str, list[float]] = {}
    for row in stored():
        found.setdefault(row["what"], []).append(float(row["value"]))
    timed = [
        f"| {what} | {median(found[what]):.3f} | {min(found[what]):.3f} | {len(found[what])} |"
        for what in COMMANDS
        if what in found
    ]
    sizes = [f"| {what} | {found[what][0]:,.0f} |" for what in (WHEEL, WEIGHTS) if what in found]
    built = [f"| {what} | {found[what][0]:.1f} |" for what in DOCS if what in found]
    return [
        "# Start-up, wheel and documentation",
        "",
        "Printed by `python benchmarks/startup.py` on an idle machine. Rows: `startup.csv`.",
        "",
        *(f"{machine}.\n" for machine in dict.fromkeys(map(_machine, stored()))),
        *_section("commands", "Fresh processes in turn, after a round that is not counted", timed),
        *_section("wheel", "The wheel of the last commit, compressed as it is downloaded", sizes),
        *_section("docs", "The documentation, in a clone of the last commit", built),
    ]


HEADINGS = {
    "commands": ("command", "median s", "fastest s", "runs"),
    "wheel": ("", "bytes"),
    "docs": ("", "s"),
}


def _machine(row: dict[str, str]) -> str:
    versions = f"torch {row['torch']}, lightning {row['lightning']}, Python {row['python']}"
    return f"{row['threads']} CPU thread(s) ({row['device']}), {versions}"


def _section(part: str, title: str, rows: Sequence[str]) -> list[str]:
    if not rows:
        return [f"{title}: not run, `python benchmarks/startup.py --parts {part}`.", ""]
    heads = HEADINGS[part]
    return [f"{title}:", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows, ""]


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    options = parser().parse_args()
    for part in options.parts:
        PARTS[part](options.runs)
        (RESULTS / "startup.md").write_text("\n".join(page()))
    print("\n".join(page()))


if __name__ == "__main__":
    main()
