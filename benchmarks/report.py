"""The table of a student report on Noise2Noise and ZS-N2N: writes docs/results/report.md.

    TORCHDENOISE_DATA=DIR python benchmarks/report.py [PART ... | page]

Parts: simple-cnn, unshuffle-cnn, zsn2n (the default, hours on two cores), and unet, which needs a GPU. Trains the
networks first, one crop per image and 50 epochs, into ``runs/`` (or TORCHDENOISE_RUNS). The rows are kept in
docs/results/studies/report.
"""

import csv
from functools import partial
from itertools import product
from statistics import mean, stdev

from studies import BF16, FOUR, RESULTS, Part, data_folder, kodak24, run_parts, setting
from training import runs_folder, trained

from torchdenoise.benchmarking.columns import Row

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
"""Noises and arguments of ``fit``; the second network is not the report's, and is trained by its recipe."""
REPORT = {
    "noisy image": (20.45, 14.88, 12.01, 16.08, 17.25, 18.16),
    "simple-cnn clean": (28.16, 24.45, 22.24, 25.41, 26.01, 26.50),
    "simple-cnn noisy": (27.30, 23.60, 21.34, 24.66, 25.52, 25.98),
    "unet clean": (27.37, 25.05, 24.19, 25.22, 26.36, 26.36),
    "unet noisy": (27.55, 24.20, 22.54, 24.73, 25.68, 26.41),
    "zsn2n": (28.40, 24.21, 21.50, 25.20, 26.13, 26.78),
}


def clipped(noise: str) -> str:
    """Return the noise as the report's code draws it, in inputs and noisy targets."""
    return f"{noise}:clip"


def words(name: str, target: str, noise: str) -> list[str]:
    """Return the arguments of a training."""
    method = NETWORKS[name][1].format(METHODS[target])
    data = (
        f"--data.noise {clipped(noise)} --data.crop 128 --data.augment false --data.val {data_folder() / 'bsd300_26'}"
    )
    length = f"--trainer.max_steps=-1 --trainer.max_epochs {EPOCHS} --trainer.precision bf16-mixed"
    validation = "--trainer.check_val_every_n_epoch 5"
    return f"{method} {data} {length} {validation}".split()


def network(name: str, target: str, noise: str) -> str:
    """Return the name of a trained network."""
    return f"report-{name}-{target}-{noise.replace(':', '')}"


def network_part(name: str, target: str, noise: str) -> Part:
    """Return the scores of one network on the 50 test images."""
    label = network(name, target, noise)
    images = [*kodak24(), *sorted((data_folder() / "bsd300_26").glob("*.png"))]
    return Part("studies/report", {label: runs_folder() / label / "final.ckpt"}, images, (clipped(noise),))


def zsn2n_part() -> Part:
    """Return the scores of ZS-N2N."""
    return Part("studies/report", {"zsn2n": ("zsn2n", (BF16,))}, kodak24(FOUR), tuple(map(clipped, NOISES)))


def train_and_score(name: str) -> None:
    """Train a network for each noise and target and score it, as far as that is not done yet."""
    for noise, target in product(NETWORKS[name][0], METHODS):
        trained(network(name, target, noise), *words(name, target, noise))
        network_part(name, target, noise).run()


def write_page() -> None:
    """Write the page from the rows."""
    zsn2n = zsn2n_part().rows()
    scores = {
        (name, target): {noise: network_part(name, target, noise).rows() for noise in NOISES}
        for name, target in product(NETWORKS, METHODS)
    }
    rows = [row for found in scores.values() for each in found.values() for row in each] + zsn2n
    lines = [
        "# The report's Table 1",
        "",
        "The report of Saha, Muhammad, Chakraborty & Tejwani is about zero-shot and data-set methods. "
        "PSNR, mean and two standard deviations over images, of 256x256 centre crops, noise clipped to 0..1 in "
        f"inputs and noisy targets as in the report's code, {setting(rows)}, training and ZS-N2N in bf16-mixed. "
        f"Trained on one random 128x128 crop per image of BSDS500's 400 training images for {EPOCHS} epochs (the "
        "report: 500 images of ImageNet at 256x256, up to 100 epochs); scored on 24 of Kodak24 and 26 of BSD300's "
        "test images (which 26 the report took is not known). The report's figures in brackets. Printed by "
        "`python benchmarks/report.py`; rows: `studies/report`.",
        "",
        f"| | n | parameters | {' | '.join(NOISES)} |",
        "|---|---|---|" + "---|" * len(NOISES),
    ]
    lines.append(_line("noisy image", scores["simple-cnn", "clean"], "noisy_psnr"))
    lines += [_line(f"{name} {target}", found) for (name, target), found in scores.items()]
    by_noise = {noise: [row for row in zsn2n if row["noise"] == clipped(noise)] for noise in NOISES}
    lines.append(_line("zsn2n", by_noise))
    lines += [
        "",
        "`simple-cnn`: Adam 1e-3; `unet`: Adam 1e-4; `unshuffle-cnn`, which is not in the report: Muon, falling to 0. "
        "`zsn2n`: the 4 crops of kodim05, 08, 19, 23. A dash: not run.",
        "",
        *_curves(),
        "",
    ]
    (RESULTS / "report.md").write_text("\n".join(lines))


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
    for name, noise in (("simple-cnn", "gaussian:25"), ("unshuffle-cnn", "gaussian:25")):
        paths = [RESULTS / "curves" / f"{network(name, target, noise)}.csv" for target in METHODS]
        if not all(path.exists() for path in paths):
            continue
        logs = []
        for path in paths:
            with path.open(newline="") as file:
                logs.append({row["step"]: float(row["val_psnr"]) for row in csv.DictReader(file)})
        steps = [step for step in logs[0] if step in logs[1]]
        lines += [
            f"PSNR on the 26 whole images of BSD300 while `{name}` trains at `{clipped(noise)}`, after each step "
            "(the report's Figure 1 shows such curves for its networks):",
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
    """Run the named parts, or those for two cores, and write the page after each."""
    networks = {name: partial(train_and_score, name) for name in NETWORKS}
    run_parts({**networks, "zsn2n": zsn2n_part().run}, write_page, ["simple-cnn", "unshuffle-cnn", "zsn2n"])


if __name__ == "__main__":
    main()
