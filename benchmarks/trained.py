"""Networks trained on 400 images: writes docs/results/trained.md.

    TORCHDENOISE_DATA=DIR python benchmarks/trained.py [NAME ... | page]

Names: n2c-light, n2n-light, neighbor2neighbor-light (at gaussian:25), n2c-blind, n2n-blind (any level of Gaussian or
Poisson noise; checkpoints for comparisons), each about an hour on two cores; these are the default. For a GPU also
n2v-blind, another for comparisons, in minutes, and n2c-unet, n2n-unet and neighbor2neighbor-unet, the published
networks, scored on Kodak24's whole images. Checkpoints go to ``runs/`` (or TORCHDENOISE_RUNS), as NAME/final.ckpt. The
rows are kept in docs/results/studies/trained.
"""

import csv
import platform
from dataclasses import dataclass
from functools import partial

import torch
from studies import RESULTS, Part, average, kodak24, run_parts, setting
from training import runs_folder, trained

from torchdenoise.benchmarking.columns import Row
from torchdenoise.denoisers.checkpoints import read_checkpoint

MINUTES = RESULTS / "trained_minutes.csv"
FIELDS = ("network", "steps", "minutes", "device")
MIXTURE = "gaussian:0-55|poisson:5-100"
AT_25 = ("gaussian:25",)
ALL = ("gaussian:10", "gaussian:25", "gaussian:50", "poisson:10", "poisson:25", "poisson:50")


@dataclass(frozen=True)
class Training:
    """A recipe, its training noise, the noises of the test, and further arguments of ``fit``."""

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
"""Its recipe cut to nine minutes on a GPU; two cores would take hours."""
PUBLISHED = {f"{name}-unet": Training(name, "gaussian:25", AT_25) for name in ("n2c", "n2n", "neighbor2neighbor")}


ALL_TRAININGS = LIGHT | NOISE2VOID | PUBLISHED


def part(name: str) -> Part:
    """Return the scores of a network."""
    whole = name in PUBLISHED
    checkpoint = runs_folder() / name / "final.ckpt"
    return Part(
        "studies/trained-whole" if whole else "studies/trained",
        {name: checkpoint},
        kodak24(),
        ALL_TRAININGS[name].tests,
        crop=None if whole else 256,
    )


def train_and_score(name: str) -> None:
    """Train a network and score it, as far as that is not done yet."""
    training = ALL_TRAININGS[name]
    words = ("--config", training.recipe, "--data.noise", training.noise, *training.words)
    trained(name, *words, "--trainer.precision", "bf16-mixed")
    part(name).run()


def minutes(name: str) -> str:
    """Return the minutes of a training, resumed ones included, from the times of its logs."""
    total = 0.0
    for log in (runs_folder() / name).glob("version_*/metrics.csv"):
        total += log.stat().st_mtime - (log.parent / "config.yaml").stat().st_mtime
    return f"{total / 60:.0f}" if total else "-"


def write_page() -> None:
    """Write the page from the rows."""
    light = [row for name in LIGHT for row in part(name).rows()]
    lines = [
        "# Trained on 400 images",
        "",
        "BSDS500's 400 training images, bf16-mixed, the last checkpoint, one pass, noise not clipped, output "
        "clamped; PSNR / SSIM. Printed by `python benchmarks/trained.py`; rows: `studies/trained`, times: "
        "`trained_minutes.csv`.",
        "",
        "## On two cores",
        "",
        "`UnshuffleCNN` (272,396 parameters), Muon, 16 crops of 64x64 a step (Neighbor2Neighbor: 8 of 128x128), "
        "two trainings at a time with one thread each. All 24 Kodak24 256x256 centre crops, "
        f"{setting(light)}.",
        "",
        *_table(LIGHT, ALL),
        "",
        "Why Neighbor2Neighbor stays behind: [scales](scales.md).",
        "",
        "## Noise2Void",
        "",
        "Its own U-Net and recipe, 16 crops of 64x64 a step, the first 22,000 of its 40,000 steps, on a GPU with "
        "other jobs beside it; scored like those above.",
        "",
        *_table(NOISE2VOID, ALL),
        "",
        "## On a GPU",
        "",
        "The published U-Nets and optimizers, 4 crops of 256x256 a step, 50,000 steps (the papers: 500,000 and 1.1 "
        "million, on 50,000 images of ImageNet). All 24 whole images of Kodak24. Published at this level: Noise2Clean "
        "32.43, Noise2Noise 32.41, Neighbor2Neighbor 32.08 (Huang et al., CVPR 2021, Table 1).",
        "",
        *_table(PUBLISHED, AT_25),
        "",
    ]
    (RESULTS / "trained.md").write_text("\n".join(lines))


def _table(trainings: dict[str, Training], tests: tuple[str, ...]) -> list[str]:
    known = _times()
    lines = [
        f"| network | trained at | steps | minutes | {' | '.join(tests)} |",
        "|---|---|---|---|" + "---|" * len(tests),
    ]
    for name, training in trainings.items():
        rows = part(name).rows()
        cells = [_figure([row for row in rows if row["noise"] == test]) for test in tests]
        steps, took = f"not run: `python benchmarks/trained.py {name}`", "-"
        if name in known:
            steps, took = known[name]["steps"], "{minutes} ({device})".format(**known[name])
        lines.append(f"| `{name}` | {training.noise.replace('|', ' or ')} | {steps} | {took} | {' | '.join(cells)} |")
    return lines


def _times() -> dict[str, dict[str, str]]:
    """Return steps, minutes and device of each training; those of new checkpoints are added to the file."""
    known = {}
    if MINUTES.is_file():
        with MINUTES.open(newline="") as file:
            known = {row["network"]: row for row in csv.DictReader(file)}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    for name in ALL_TRAININGS:
        checkpoint = runs_folder() / name / "final.ckpt"
        if name not in known and checkpoint.exists():
            steps = str(read_checkpoint(checkpoint)["global_step"])
            known[name] = dict(zip(FIELDS, (name, steps, minutes(name), device), strict=True))
    with MINUTES.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(known.values())
    return known


def _figure(rows: list[Row]) -> str:
    return f"{average(rows):.2f} / {average(rows, 'ssim'):.3f}" if rows else "-"


def main() -> None:
    """Train and score the named networks, or the small ones, and write the page after each."""
    run_parts({name: partial(train_and_score, name) for name in ALL_TRAININGS}, write_page, list(LIGHT))


if __name__ == "__main__":
    main()
