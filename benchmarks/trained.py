"""Networks trained on 400 pictures: writes docs/results/trained.csv row by row, and trained.md.

    TORCHDENOISE_DATA=DIR python benchmarks/trained.py [NAME ...]

Names: n2c-light, n2n-light, neighbor2neighbor-light (at gaussian:25), n2c-blind, n2n-blind (any level of Gaussian or
Poisson noise; checkpoints for comparisons), each about an hour on two cores; without a name these. On a GPU also
n2v-blind, another for comparisons, in minutes, and n2c-unet, n2n-unet and neighbor2neighbor-unet, the published
networks, scored on the whole of Kodak24's pictures. Checkpoints go to ``runs/`` (or TORCHDENOISE_RUNS), as
NAME/final.ckpt. A command that is killed goes on where it stopped.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from rows import RESULTS, Job, Row, asked, average, data_folder, here, read, run, setting
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


LIGHT = {
    "n2c-light": Training("n2c-light", "gaussian:25", AT_25),
    "n2n-light": Training("n2n-light", "gaussian:25", AT_25),
    "neighbor2neighbor-light": Training("neighbor2neighbor-light", "gaussian:25", AT_25),
    "n2c-blind": Training("n2c-light", MIXTURE, ALL),
    "n2n-blind": Training("n2n-light", MIXTURE, ALL),
}
NOISE2VOID = {"n2v-blind": Training("n2v", MIXTURE, ALL, ("--trainer.max_steps", "22000", "--data.workers", "2"))}
"""Its recipe as far as nine minutes of a GPU go; two cores would take hours."""
PUBLISHED = {f"{name}-unet": Training(name, "gaussian:25", AT_25) for name in ("n2c", "n2n", "neighbor2neighbor")}


def pictures() -> list[Path]:
    """Return Kodak24."""
    return sorted((data_folder() / "kodak24").glob("*.png"))


def train_and_score(name: str) -> None:
    """Do what is missing for one network."""
    training = (LIGHT | NOISE2VOID | PUBLISHED)[name]
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
        "two trainings at a time with one thread each. All 24 Kodak24 256x256 centre crops, "
        f"{setting([row for row in rows if row['recipe'] in LIGHT])}.",
        "",
        *_table(LIGHT, rows, ALL),
        "",
        "Why Neighbor2Neighbor stays behind: [scales](scales.md).",
        "",
        "## Noise2Void",
        "",
        "Its own U-Net and recipe, 16 crops of 64x64 a step, the first 22,000 of its 40,000 steps, on a GPU that had "
        "other work; scored like those above.",
        "",
        *_table(NOISE2VOID, rows, ALL),
        "",
        "## On a GPU",
        "",
        "The published U-Nets and optimizers, 4 crops of 256x256 a step, 50,000 steps (the papers: 500,000 and 1.1 "
        "million, on 50,000 pictures of ImageNet). All 24 of Kodak24, whole. Published at this level: Noise2Clean "
        "32.43, Noise2Noise 32.41, Neighbor2Neighbor 32.08 (Huang et al., CVPR 2021, Table 1).",
        "",
        *_table(PUBLISHED, rows, AT_25),
        "",
    ]
    (RESULTS / "trained.md").write_text("\n".join(lines))


def _table(trainings: dict[str, Training], rows: list[Row], tests: tuple[str, ...]) -> list[str]:
    known = _minutes()
    lines = [
        f"| network | trained at | steps | minutes | {' | '.join(tests)} |",
        "|---|---|---|---|" + "---|" * len(tests),
    ]
    for name, training in trainings.items():
        mine = [row for row in rows if row["recipe"] == name]
        steps = mine[0]["steps"] if mine else f"not run: `python benchmarks/trained.py {name}`"
        cells = [_figure([row for row in mine if row["noise"] == test]) for test in tests]
        told = training.noise.replace("|", " or ")
        took = "{minutes} ({device})".format(**known[name]) if name in known else "-"
        lines.append(f"| `{name}` | {told} | {steps} | {took} | {' | '.join(cells)} |")
    return lines


def _minutes() -> dict[str, Row]:
    """Return the minutes of each training and its device, those known from earlier included, and keep them."""
    path, fields = RESULTS / "trained_minutes.csv", ("network", "minutes", "device")
    known: dict[str, Row] = {}
    if path.is_file():
        with path.open(newline="") as file:
            known = {row["network"]: row for row in csv.DictReader(file)}
    for name in LIGHT | NOISE2VOID | PUBLISHED:
        if name not in known and (runs_folder() / name / "final.ckpt").exists():
            known[name] = dict(zip(fields, (name, hours(name), here()), strict=True))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(known.values())
    return known


def _figure(rows: list[Row]) -> str:
    return f"{average(rows):.2f} / {average(rows, 'ssim'):.3f}" if rows else "-"


def main() -> None:
    """Train and score the named networks, or all, and write the page after each."""
    for name in asked([*LIGHT, *NOISE2VOID, *PUBLISHED], list(LIGHT)):
        train_and_score(name)
        write_page()


if __name__ == "__main__":
    main()
