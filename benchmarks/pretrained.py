"""The networks that come with the package: trains them, round by round, and writes torchdenoise/weights.

    TORCHDENOISE_DATA=DIR python benchmarks/pretrained.py [colour] [grey]      hours on two cores; killed, it goes on
    TORCHDENOISE_DATA=DIR python benchmarks/pretrained.py colour --rounds 1    only the first round

Noise2Clean on BSDS500's 400 training images, of which every fiftieth is left out for validation, with noise of all
kinds (``MIXTURE``). A round is one fit, whose learning rate ends at zero, so that every round leaves weights to use;
the next one starts from them. Checkpoints go to ``runs/`` (or TORCHDENOISE_RUNS), validation scores by step to
docs/results/curves.
"""

import argparse
import platform
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from PIL import Image
from studies import RECIPES, data_folder
from training import runs_folder, trained

import torchdenoise
from torchdenoise.denoisers.checkpoints import read_checkpoint
from torchdenoise.denoisers.weight_files import KEY, SUFFIX, read_weights, write_weights
from torchdenoise.paths import SHIPPED

WEIGHTS = Path(torchdenoise.__file__).parent / "weights"
HELD_OUT = 50
"""Every so many training images, one is left for validation."""
HALVED = 4
"""Every so many of the others, one is there at half its size, too: sharper, and without traces of JPEG."""
PARTS = (
    "gaussian:0-25",
    "gaussian:20-60",
    "gaussian:0-60+bits:8",
    "poisson:3-30",
    "poisson:30-300+bits:8",
    "poisson:5-300+gaussian:0-20+bits:8",
    "blurred:3-40:0.3-2.5+bits:8",
    "camera:20-5000+bits:8",
    "camera:20-500+bits:8",
    "camera:20-5000+bits:8+jpeg:60-95",
    "gaussian:3-40+jpeg:50-95",
    "shared:3-40+bits:8",
    "gaussian:2-20+rows:2-12+bits:8",
)
"""Kinds of noise; each crop has one."""
MIXTURE = "|".join(PARTS)


@dataclass(frozen=True)
class Round:
    """One fit.

    Args:
        steps: of it.
        rate: learning rate at its beginning.
    """

    steps: int
    rate: float


@dataclass(frozen=True)
class Shipped:
    """A network that comes with the package.

    Args:
        channels: of its images.
        widths: of the network.
        rounds: of its training.
    """

    channels: int
    widths: tuple[int, int, int]
    rounds: tuple[Round, ...]


NETWORKS = {
    "colour": Shipped(3, (48, 64, 96), (Round(26_000, 0.01), Round(20_000, 0.006), Round(24_000, 0.004))),
    "grey": Shipped(1, (32, 64, 64), (Round(16_000, 0.01),)),
}


def finished_rounds(name: str) -> int:
    """Return how many rounds the weights in the package have behind them."""
    path = WEIGHTS / f"{name}{SUFFIX}"
    return read_weights(path)[KEY]["training"]["rounds"] if path.exists() else 0


def left_out_images() -> list[Path]:
    """Return the images that validate."""
    return _images()[::HELD_OUT]


def _images() -> list[Path]:
    return sorted((data_folder() / "bsds400" / "train").glob("*.jpg"))


def split_images() -> tuple[Path, Path]:
    """Return folders of the images to train on and to validate on."""
    training = [image for number, image in enumerate(_images()) if number % HELD_OUT]
    folder = runs_folder() / "pretrained-images"
    for part, chosen in (("train", training), ("validation", left_out_images())):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for image in chosen:
            link = folder / part / image.name
            if not link.is_symlink():
                link.symlink_to(image.resolve())
    for image in training[::HALVED]:
        with Image.open(image) as whole:
            whole.reduce(2).save(folder / "train" / f"{image.stem}-half.png")
    return folder / "train", folder / "validation"


def train(name: str, number: int) -> None:
    """Train a round, counted from 1, and write its weights."""
    network, this = NETWORKS[name], NETWORKS[name].rounds[number - 1]
    images, validation = split_images()
    words = ["--config", str(RECIPES / "training-of-weights.yaml"), "--data.noise", MIXTURE]
    words += ["--data.channels", str(network.channels), "--data.val", str(validation)]
    words += ["--model.network.widths", str(list(network.widths)), "--model.optimizer.lr", str(this.rate)]
    words += ["--trainer.max_steps", str(this.steps), "--trainer.val_check_interval", "2000"]
    words += ["--trainer.check_val_every_n_epoch", "null"]
    if number > 1:
        words += ["--init_from", f"{SHIPPED}{name}"]
    checkpoint = read_checkpoint(trained(f"pretrained-{name}-{number}", *words, images=images))
    WEIGHTS.mkdir(exist_ok=True)
    write_weights(
        WEIGHTS / f"{name}{SUFFIX}",
        checkpoint,
        rounds=number,
        steps=sum(each.steps for each in network.rounds[:number]),
        noise=MIXTURE,
        device=platform.machine(),
        torch=torch.__version__,
        lightning=lightning.__version__,
        torchdenoise=torchdenoise.__version__,
    )


def main() -> None:
    """Train what is missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    options.add_argument("--rounds", type=int, help="only the first ones")
    chosen = options.parse_args()
    for name in chosen.names:
        for number in range(finished_rounds(name) + 1, len(NETWORKS[name].rounds[: chosen.rounds]) + 1):
            train(name, number)


if __name__ == "__main__":
    main()
