"""Networks trained on two cores, each in about an hour: writes docs/results/trained.csv row by row, and trained.md.

    TORCHDENOISE_DATA=DIR python benchmarks/trained.py [NAME ...]

Names: n2c-light, n2n-light, neighbor2neighbor-light (at gaussian:25), n2c-blind, n2n-blind, n2v-blind (any level of
Gaussian or Poisson noise; the checkpoints for comparisons); without a name these. On a GPU also n2c-unet, n2n-unet and
neighbor2neighbor-unet, the published networks, scored on the whole of Kodak24's pictures. Checkpoints go to ``runs/``
(or TORCHDENOISE_RUNS), as NAME/final.ckpt. A command that is killed goes on where it stopped.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from rows import RESULTS, Job, Row, asked, average, data_folder, read, run, setting
from training import runs_folder, trained

TABLE = RESULTS / "trained.csv"
MIXTURE = "gaussian:0-55|poisson:5-100"
AT_25 = ("gaussian:25",)
ALL = ("gaussian:10", "gaussian:25", "gaussian:50", "poisson:10", "poisson:25", "poisson:50")


@dataclass(frozen=True)
class Training:
    """A recipe, the noise that it is trained with, those of the test, and what is changed in it."""

    recipe: str
    noise: str
    tests: tuple[str, ...]
    words: tuple[str, ...] = ()


CUT = ("--trainer.max_steps", "6000", "--model.scheduler.step_size", "1200")
"""Noise2Void's 40,000 steps, to what two cores do in an hour."""
LIGHT = {
    "n2c-light": Training("n2c-light", "gaussian:25", AT_25),
    "n2n-light": Training("n2n-light", "gaussian:25", AT_25),
    "neighbor2neighbor-light": Training("neighbor2neighbor-light", "gaussian:25", AT_25),
    "n2c-blind": Training("n2c-light", MIXTURE, ALL),
    "n2n-blind": Training("n2n-light", MIXTURE, ALL),
    "n2v-blind": Training("n2v", MIXTURE, ALL, CUT),
}
PUBLISHED = {f"{name}-unet": Training(name, "gaussian:25", AT_25) for name in ("n2c", "n2n", "neighbor2neighbor")}


def pictures() -> list[Path]:
    """Return Kodak24."""
    return sorted((data_folder() / "kodak24").glob("*.png"))


def train_and_score(name: str) -> None:
    """Do what is missing for one network."""
    training = (LIGHT | PUBLISHED)[name]
    words = ("--config", training.recipe, "--data.noise", training.noise, *training.words)
    checkpoint = trained(name, *words, "--trainer.precision", "bf16-mixed")
    crop = 0 if name in PUBLISHED else 256
    tests = [(test, image) for test in training.tests for image in pictures()]
    run([Job(image, name, test, checkpoint=checkpoint, crop=crop) for test, image in tests], TABLE)


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
        "# Trained on 400 pictures",
        "",
        "BSDS500's 400 training pictures, bf16-mixed, the last checkpoint, one pass, noise not clipped, output "
        "clamped; PSNR / SSIM. Printed by `python benchmarks/trained.py`; the rows: `trained.csv`, the minutes of "
        "training: `trained_minutes.csv`.",
        "",
        "## On two cores",
        "",
        "`UnshuffleCNN` (272,396 parameters), Muon, 16 crops of 64x64 a step (Neighbor2Neighbor: 8 of 128x128), "
        "two trainings at a time with one thread each; `n2v-blind`: Noise2Void's own U-Net, a seventh of its recipe's "
        "steps. All 24 Kodak24 256x256 centre crops, "
        f"{setting([row for row in rows if row['recipe'] in LIGHT])}.",
        "",
        f"| network | trained at | steps | minutes | {' | '.join(ALL)} |",
        "|---|---|---|---|" + "---|" * len(ALL),
        *_table(LIGHT, rows, ALL),
        "",
        "Why Neighbor2Neighbor stays behind: [scales](scales.md).",
        "",
        "## On a GPU",
        "",
        "The published U-Nets and optimizers, 4 crops of 256x256 a step, 50,000 steps (the papers: 500,000 and 1.1 "
        "million, on 50,000 pictures of ImageNet). All 24 of Kodak24, whole. Published at this level: Noise2Clean "
        "32.43, Noise2Noise 32.41, Neighbor2Neighbor 32.08 (Huang et al., CVPR 2021, Table 1).",
        "",
        "| network | trained at | steps | minutes | gaussian:25 |",
        "|---|---|---|---|---|",
        *_table(PUBLISHED, rows, AT_25),
        "",
    ]
    (RESULTS / "trained.md").write_text("\n".join(lines))


def _table(trainings: dict[str, Training], rows: list[Row], tests: tuple[str, ...]) -> list[str]:
    minutes, lines = _minutes(), []
    for name, training in trainings.items():
        mine = [row for row in rows if row["recipe"] == name]
        steps = mine[0]["steps"] if mine else f"not run: `python benchmarks/trained.py {name}`"
        cells = [_figure([row for row in mine if row["noise"] == test]) for test in tests]
        told = training.noise.replace("|", " or ")
        lines.append(f"| `{name}` | {told} | {steps} | {minutes.get(name, '-')} | {' | '.join(cells)} |")
    return lines


def _minutes() -> dict[str, str]:
    """Return the minutes of each training, those known from earlier included, and keep them."""
    path = RESULTS / "trained_minutes.csv"
    known = {}
    if path.is_file():
        with path.open(newline="") as file:
            known = {row["network"]: row["minutes"] for row in csv.DictReader(file)}
    known |= {name: hours(name) for name in LIGHT | PUBLISHED if (runs_folder() / name / "final.ckpt").exists()}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("network", "minutes"), *known.items()])
    return known


def _figure(rows: list[Row]) -> str:
    return f"{average(rows):.2f} / {average(rows, 'ssim'):.3f}" if rows else "-"


def main() -> None:
    """Train and score the named networks, or all, and write the page after each."""
    for name in asked([*LIGHT, *PUBLISHED], list(LIGHT)):
        train_and_score(name)
        write_page()


if __name__ == "__main__":
    main()
