"""The table of a student report on Noise2Noise and ZS-N2N: writes docs/results/report.csv row by row, and report.md.

    TORCHDENOISE_DATA=DIR python benchmarks/report.py [PART ...]

Parts: simple-cnn, unshuffle-cnn, zsn2n, unet. Trains what it scores, one crop an image and 50 epochs, into ``runs/``
(or TORCHDENOISE_RUNS); hours on two cores; ``unet`` is not among the parts that run unasked, it wants a GPU. A command
that is killed goes on where it stopped.
"""

import csv
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from rows import HALF, RESULTS, Job, Row, asked, data_folder, four_images, read, run, setting
from training import trained

TABLE = RESULTS / "report.csv"

EPOCHS = 50
NOISES = ("gaussian:25", "gaussian:50", "gaussian:75", "poisson:15", "poisson:20", "poisson:25")
METHODS = {"clean": "n2c", "noisy": "n2n"}
ADAM = "--model.optimizer Adam --model.scheduler ConstantLR --model.scheduler.factor 1.0"
NETWORKS = {
    "simple-cnn": (
        NOISES,
        f"--config {{}} {ADAM} --model.network SmallCNN --model.network.residual false --data.batch_size 32 "
        "--model.optimizer.lr 1e-3",
    ),
    "unshuffle-cnn": (
        ("gaussian:25", "poisson:25"),
        "--config {}-light --model.scheduler.total_iters 600 --data.repeats 1 --data.batch_size 32",
    ),
    "unet": (
        NOISES,
        f"--config {{}} {ADAM} --model.network BatchNormUNet --data.batch_size 16 --model.optimizer.lr 1e-4",
    ),
}
"""At which noises, and what is trained; the second is not the report's, and trained as its own recipe is."""
REPORT = {
    "noisy picture": (20.45, 14.88, 12.01, 16.08, 17.25, 18.16),
    "simple-cnn clean": (28.16, 24.45, 22.24, 25.41, 26.01, 26.50),
    "simple-cnn noisy": (27.30, 23.60, 21.34, 24.66, 25.52, 25.98),
    "unet clean": (27.37, 25.05, 24.19, 25.22, 26.36, 26.36),
    "unet noisy": (27.55, 24.20, 22.54, 24.73, 25.68, 26.41),
    "zsn2n": (28.40, 24.21, 21.50, 25.20, 26.13, 26.78),
}


def clipped(noise: str) -> str:
    """Return the noise as the report's code draws it, in inputs and noisy targets alike."""
    return f"{noise}:clip"


def words(network: str, target: str, noise: str) -> list[str]:
    """Return the arguments of a training."""
    method = NETWORKS[network][1].format(METHODS[target])
    data = (
        f"--data.noise {clipped(noise)} --data.crop 128 --data.augment false --data.val {data_folder() / 'bsd300_26'}"
    )
    length = f"--trainer.max_steps=-1 --trainer.max_epochs {EPOCHS} --trainer.precision bf16-mixed"
    often = "--trainer.check_val_every_n_epoch 5"
    return f"{method} {data} {length} {often}".split()


def pictures() -> list[Path]:
    """Return the 50 test pictures."""
    return [path for name in ("kodak24", "bsd300_26") for path in sorted((data_folder() / name).glob("*.png"))]


def network_jobs(network: str, target: str, noise: str) -> list[Job]:
    """Return the scores of one network on all pictures; it is trained first where it is not yet."""
    name = f"report-{network}-{target}-{noise.replace(':', '')}"
    checkpoint = trained(name, *words(network, target, noise))
    return [Job(image, name, clipped(noise), checkpoint=checkpoint) for image in pictures()]


def parts(names: list[str]) -> None:
    """Run what is missing of the named parts, and write the page after each network."""
    for name in names:
        if name == "zsn2n":
            run([Job(image, "zsn2n", clipped(noise), HALF) for noise in NOISES for image in four_images()], TABLE)
            write_page()
            continue
        for noise, target in product(NETWORKS[name][0], METHODS):
            run(network_jobs(name, target, noise), TABLE)
            write_page()


def write_page() -> None:
    """Write what there is as Markdown."""
    rows = list(read(TABLE))
    lines = [
        "# The report's Table 1",
        "",
        "The report: Saha, Muhammad, Chakraborty & Tejwani's on zero-shot and data-set methods. "
        "PSNR, mean and two standard deviations over pictures, of 256x256 centre crops, noise clipped to 0..1 in "
        f"inputs and noisy targets as in the report's code, {setting(rows)}, training and ZS-N2N in bf16-mixed. "
        f"Trained on one random 128x128 crop an image of BSDS500's 400 training pictures for {EPOCHS} epochs (the "
        "report: 500 pictures of ImageNet at 256x256, up to 100 epochs); scored on 24 of Kodak24 and 26 of BSD300's "
        "test pictures (which 26 the report took is not known). The report's figures in brackets. Printed by "
        "`python benchmarks/report.py`; the rows: `report.csv`.",
        "",
        f"| | n | parameters | {' | '.join(NOISES)} |",
        "|---|---|---|" + "---|" * len(NOISES),
    ]
    noisy = {noise: _rows(rows, "report-simple-cnn-clean", noise) for noise in NOISES}
    lines.append(_line("noisy picture", noisy, "noisy_psnr"))
    for network, target in product(NETWORKS, METHODS):
        found = {noise: _rows(rows, f"report-{network}-{target}", noise) for noise in NOISES}
        lines.append(_line(f"{network} {target}", found))
    lines.append(_line("zsn2n", {noise: _rows(rows, "zsn2n", noise) for noise in NOISES}))
    lines += [
        "",
        "`simple-cnn`: Adam 1e-3; `unet`: Adam 1e-4; `unshuffle-cnn`, which is not in the report: Muon, falling to 0. "
        "`zsn2n`: the 4 crops of kodim05, 08, 19, 23. A dash: not run.",
        "",
        *_curves(),
        "",
    ]
    (RESULTS / "report.md").write_text("\n".join(lines))


def _rows(rows: list[Row], prefix: str, noise: str) -> list[Row]:
    return [row for row in rows if row["recipe"].startswith(prefix) and row["noise"] == clipped(noise)]


def _line(label: str, found: dict[str, list[Row]], field: str = "psnr") -> str:
    cells = []
    for noise, printed in zip(NOISES, REPORT.get(label, [None] * len(NOISES)), strict=True):
        rows = found[noise]
        values = [float(row[field]) for row in rows]
        figure = f"{mean(values):.2f} ± {2 * stdev(values):.2f}" if rows else "-"
        cells.append(f"{figure} ({printed})" if printed else figure)
    counts = {len(rows) for rows in found.values() if rows} or {0}
    sizes = {row["parameters"] for rows in found.values() for row in rows} if field == "psnr" else set()
    return f"| {label} | {max(counts)} | {'/'.join(sizes) or '-'} | {' | '.join(cells)} |"


def _curves() -> list[str]:
    """Return the validation scores of noise-to-clean and noise-to-noise training, side by side."""
    lines = []
    for network, noise in (("simple-cnn", "gaussian:25"), ("unshuffle-cnn", "gaussian:25")):
        paths = [RESULTS / "curves" / f"report-{network}-{target}-{noise.replace(':', '')}.csv" for target in METHODS]
        if not all(path.exists() for path in paths):
            continue
        logs = []
        for path in paths:
            with path.open(newline="") as file:
                logs.append({row["step"]: float(row["val_psnr"]) for row in csv.DictReader(file)})
        steps = [step for step in logs[0] if step in logs[1]]
        lines += [
            f"PSNR on the whole 26 pictures of BSD300 while `{network}` trains at `{clipped(noise)}`, after each step "
            "(the report's Figure 1 shows such curves of its own networks):",
            "",
            f"| target | {' | '.join(steps)} |",
            "|---|" + "---|" * len(steps),
            *(
                f"| {target} | {' | '.join(f'{log[step]:.2f}' for step in steps)} |"
                for target, log in zip(METHODS, logs, strict=True)
            ),
            "",
        ]
    return lines


def main() -> None:
    """Run the named parts, or those that two cores can do."""
    parts(asked(["simple-cnn", "unshuffle-cnn", "zsn2n", "unet"], ["simple-cnn", "unshuffle-cnn", "zsn2n"]))


if __name__ == "__main__":
    main()
