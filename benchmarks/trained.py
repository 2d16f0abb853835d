"""Networks trained on two cores in under an hour each: writes docs/results/trained.csv row by row, and trained.md.

    TORCHDENOISE_DATA=DIR python benchmarks/trained.py [NAME ...]

Names: n2c-light, n2n-light, neighbor2neighbor-light (at gaussian:25), n2c-blind, n2n-blind (any level of Gaussian or
Poisson noise; the checkpoints for comparisons). Checkpoints go to ``runs/`` (or TORCHDENOISE_RUNS), as NAME/final.ckpt.
A command that is killed goes on where it stopped.
"""

import csv
import sys
from pathlib import Path

from rows import RESULTS, Job, Row, average, data_folder, read, run, setting
from training import runs_folder, trained

TABLE = RESULTS / "trained.csv"
MIXTURE = "gaussian:0-55|poisson:5-100"
AT_25 = ("gaussian:25",)
ALL = ("gaussian:10", "gaussian:25", "gaussian:50", "poisson:10", "poisson:25", "poisson:50")
TRAININGS = {
    "n2c-light": ("n2c-light", "gaussian:25", AT_25),
    "n2n-light": ("n2n-light", "gaussian:25", AT_25),
    "neighbor2neighbor-light": ("neighbor2neighbor-light", "gaussian:25", AT_25),
    "n2c-blind": ("n2c-light", MIXTURE, ALL),
    "n2n-blind": ("n2n-light", MIXTURE, ALL),
}
"""Name: recipe, noise of the training, noises of the test."""


def pictures() -> list[Path]:
    """Return Kodak24."""
    return sorted((data_folder() / "kodak24").glob("*.png"))


def train_and_score(name: str) -> None:
    """Do what is missing for one network."""
    recipe, noise, tests = TRAININGS[name]
    half = ["--trainer.precision", "bf16-mixed"]
    checkpoint = trained(name, "--config", recipe, "--data.noise", noise, *half)
    run([Job(image, name, test, checkpoint=checkpoint) for test in tests for image in pictures()], TABLE)


def hours(name: str) -> str:
    """Return how long the training took, all its pieces together, by the times of its log."""
    total = 0.0
    for log in (runs_folder() / name).glob("version_*/metrics.csv"):
        total += log.stat().st_mtime - (log.parent / "config.yaml").stat().st_mtime
    return f"{total / 60:.0f}" if total else "-"


def write_page() -> None:
    """Write what there is as Markdown."""
    rows = list(read(TABLE))
    lines = [
        "# Trained on two cores",
        "",
        "`UnshuffleCNN` (272,396 parameters), Muon, 16 crops of 64x64 a step of BSDS500's 400 training pictures, "
        "bf16-mixed, the last checkpoint, one pass; all 24 Kodak24 256x256 centre crops, noise not clipped, output "
        f"clamped, {setting(rows)}. Printed by `python benchmarks/trained.py`; the rows: `trained.csv`, the minutes of "
        "training: `trained_minutes.csv`.",
        "",
        f"| network | trained at | steps | minutes | {' | '.join(ALL)} |",
        "|---|---|---|---|" + "---|" * len(ALL),
    ]
    minutes = _minutes()
    for name, (_, noise, _) in TRAININGS.items():
        mine = [row for row in rows if row["recipe"] == name]
        if not mine:
            continue
        cells = [_figure([row for row in mine if row["noise"] == test]) for test in ALL]
        shown = noise.replace("|", " or ")
        lines.append(f"| `{name}` | {shown} | {mine[0]['steps']} | {minutes.get(name, '-')} | {' | '.join(cells)} |")
    (RESULTS / "trained.md").write_text("\n".join([*lines, ""]))


def _minutes() -> dict[str, str]:
    """Return the minutes of each training, those known from earlier included, and keep them."""
    path = RESULTS / "trained_minutes.csv"
    known = {}
    if path.is_file():
        with path.open(newline="") as file:
            known = {row["network"]: row["minutes"] for row in csv.DictReader(file)}
    known |= {name: hours(name) for name in TRAININGS if (runs_folder() / name / "final.ckpt").exists()}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("network", "minutes"), *known.items()])
    return known


def _figure(rows: list[Row]) -> str:
    return f"{average(rows):.2f} / {average(rows, 'ssim'):.3f}" if rows else "-"


def main() -> None:
    """Train and score the named networks, or all, and write the page after each."""
    for name in sys.argv[1:] or TRAININGS:
        train_and_score(name)
        write_page()


if __name__ == "__main__":
    main()
