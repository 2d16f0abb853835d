"""What the choices behind the shipped weights are worth, in short trainings: writes docs/results/pretrained_ladder.md.

    TORCHDENOISE_DATA=DIR python benchmarks/pretrained_ladder.py [VARIANT ... | times | page]

Each variant trains a small network for ``STEPS`` steps, or the shipped one for ``FURTHER`` more, minutes on one thread,
and is scored on the images that are left out of the training, at one level of each kind of noise. What has its rows is
not done again. ``times`` measures the milliseconds of all rows again, one network after the other: run it on an idle
machine.
"""

import csv
import inspect
import platform
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean

import lightning
import torch
from pretrained import PARTS, split_images
from studies import RESULTS, centre_crop
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise import metrics
from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.denoisers import (
    DenoisingLoss,
    Muon,
    Network,
    Noise2Clean,
    PretrainedUNet,
    PSNRLoss,
    ResidualUNet,
    WarmDown,
)
from torchdenoise.denoisers.parts.losses import Batch, Denoise, Terms
from torchdenoise.fitting.trainers import HYGIENE, precision_here
from torchdenoise.noise import repeatable
from torchdenoise.partial_files import completed

STEPS = 3000
FURTHER = 1200
"""Steps from the shipped weights."""
CROP = 192
"""Side of the centre crops that are scored."""
NARROW = inspect.signature(Muon).parameters["narrow"].default
TIMED = 10
"""Passes over a 256x256 image that are timed."""
TESTS = (
    "gaussian:10+bits:8",
    "gaussian:25+bits:8",
    "gaussian:50+bits:8",
    "poisson:10+bits:8",
    "poisson:100+bits:8",
    "blurred:20:1+bits:8",
    "camera:200+bits:8",
    "camera:200+bits:8+jpeg:80",
    "gaussian:20+jpeg:80",
    "shared:20+bits:8",
    "gaussian:10+rows:6+bits:8",
)
RESULT = RESULTS / "studies" / "pretrained" / "ladder.csv"
FIELDS = (
    *("variant", "noise", "psnr", "steps", "precision", "minutes", "parameters", "milliseconds"),
    *("device", "torch", "lightning"),
)
BFLOAT16, FLOAT32 = "bf16-mixed", "32-true"
SMALL = (24, 32, 48)
"""Widths."""


class NonBlindUNet(ResidualUNet, source="after Zhang et al., FFDNet, IEEE TIP 2018"):
    """A ``ResidualUNet`` with the noise level as one more input channel."""

    def __init__(self, channels: int | None = None, widths: Sequence[int] = SMALL, blocks: int = 2) -> None:
        super().__init__((channels or 3) + 1, widths, blocks)
        self.channels = channels or 3

    @override
    def forward(self, image: Tensor, level: Tensor | None = None) -> Tensor:
        """Return the denoised image; ``level`` is ``(B, 1, 1, 1)``."""
        level_map = torch.zeros_like(image[:, :1]) if level is None else level.expand_as(image[:, :1])
        return super().forward(torch.cat([image, level_map], 1))[:, : self.channels]


class NonBlindLoss(PSNRLoss, source="after Zhang et al., FFDNet, IEEE TIP 2018"):
    """``PSNRLoss`` for a network whose input includes the true noise level of each image."""

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        level = true_level(batch["noisy"], batch["target"])
        return super().forward(lambda image: denoise(image, level=level), batch, draws, progress)


def small(blocks: int = 2, slope: float = 0.1) -> Network:
    """Return the network that the others are compared with."""
    return ResidualUNet(3, SMALL, blocks, slope)


def shipped() -> Network:
    """Return the shipped colour network."""
    return PretrainedUNet(3).inner


def shipped_non_blind() -> Network:
    """Return the shipped colour network with one more input channel, whose weights are zero."""
    known = shipped()
    assert isinstance(known, ResidualUNet)
    network = NonBlindUNet(3, known.widths)
    weights = known.state_dict()
    for name, fresh in network.state_dict().items():
        if fresh.shape != weights[name].shape:  # the first convolution has more inputs, the last one more outputs
            more, there = fresh.shape[1] - weights[name].shape[1], fresh.shape[0] - weights[name].shape[0]
            weights[name] = F.pad(weights[name], (0, 0, 0, 0, 0, more, 0, there))
    network.load_state_dict(weights)
    return network


def true_level(noisy: Tensor, clean: Tensor) -> Tensor:
    """Return the deviation of each image's noise, ``(B, 1, 1, 1)``."""
    return (noisy - clean).square().mean((1, 2, 3), keepdim=True).sqrt()


@dataclass(frozen=True)
class Variant:
    """A training that differs from the first one in a few things.

    Args:
        parts: of the mixture of noise.
        rate: learning rate.
        network: returns it untrained, or with the weights to start from.
        loss: of the training.
        steps: of it.
        precision: full precision where the machine only emulates bfloat16.
    """

    parts: tuple[str, ...] = PARTS
    rate: float = 0.01
    network: Callable[[], Network] = small
    loss: type[DenoisingLoss] = PSNRLoss
    steps: int = STEPS
    precision: str = BFLOAT16


KINDS = {
    "white Gaussian noise": [part for part in PARTS if re.fullmatch(r"gaussian:[\d-]+(\+bits:8)?", part)],
    "Poisson noise": [part for part in PARTS if part.startswith("poisson")],
    "JPEG": [part for part in PARTS if "jpeg" in part],
    **{kind: [part for part in PARTS if kind in part] for kind in ("blurred", "camera", "shared", "rows")},
}
"""Parts of the mixture that are left out together."""
SHORT = {
    "all parts": Variant(),
    "float32": Variant(precision=FLOAT32),
    "rate 0.02": Variant(rate=0.02),
    "rate 0.005": Variant(rate=0.005),
    "ReLUs": Variant(network=partial(small, slope=0.0)),
    "non-blind": Variant(network=partial(NonBlindUNet, 3), loss=NonBlindLoss),
    "half as wide": Variant(network=partial(ResidualUNet, 3, (12, 16, 24))),
    "widths 32, 48, 64": Variant(network=partial(ResidualUNet, 3, (32, 48, 64))),
    "one block": Variant(network=partial(small, blocks=1)),
    "three blocks": Variant(network=partial(small, blocks=3)),
    **{f"without {kind}": Variant(parts=tuple(part for part in PARTS if part not in KINDS[kind])) for kind in KINDS},
}
further = partial(Variant, rate=0.002, steps=FURTHER, precision=FLOAT32)
LONG = {
    "shipped weights": Variant(network=shipped, steps=0, precision=FLOAT32),
    f"{FURTHER} more steps": further(network=shipped),
    f"{FURTHER} more steps, non-blind": further(network=shipped_non_blind, loss=NonBlindLoss),
}
VARIANTS = {**SHORT, **LONG}


def train(variant: Variant) -> Network:
    """Return the network of a variant, trained for its steps, if any."""
    images, _ = split_images()
    lightning.seed_everything(0, verbose=False)
    network = variant.network()
    if not variant.steps:
        return network.eval()
    optimizer = partial(Muon, lr=variant.rate)
    model = Noise2Clean(network, variant.loss(), optimizer, partial(WarmDown, warm=0.02))
    data = ImageFolder(
        images, noise="|".join(variant.parts), target="clean", crop=96, channels=3, batch_size=8, repeats=100
    )
    options = {**HYGIENE, "enable_progress_bar": sys.stdout.isatty(), "accelerator": "cpu", "max_steps": variant.steps}
    trainer = lightning.Trainer(**options, precision=precision_here(variant.precision, "cpu"))
    trainer.fit(model, datamodule=data)
    return network.eval()


def score(name: str) -> None:
    """Train a variant and write its rows."""
    variant = VARIANTS[name]
    begin = time.perf_counter()
    network = train(variant)
    facts = {
        "variant": name,
        "steps": variant.steps,
        "precision": precision_here(variant.precision, "cpu"),
        "minutes": f"{(time.perf_counter() - begin) / 60:.1f}",
        "parameters": sum(each.numel() for each in network.parameters()),
        "milliseconds": f"{milliseconds(network):.0f}",
        "device": platform.machine(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
    }
    _, validation = split_images()
    crops = [centre_crop(read_picture(path).image, CROP) for path in sorted(validation.iterdir())]
    fresh = not RESULT.exists()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**facts, "noise": noise, "psnr": f"{psnr(network, crops, noise):.3f}"} for noise in TESTS]
    with RESULT.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()
        writer.writerows(rows)
    print(name, f"{mean(float(row['psnr']) for row in rows):.2f} dB", flush=True)


@torch.no_grad()
def psnr(network: Network, crops: list[Tensor], noise: str) -> float:
    """Return the mean PSNR over crops at a noise."""
    found = []
    for clean in crops:
        noisy = repeatable(noise, clean)
        level = {"level": true_level(noisy, clean)} if isinstance(network, NonBlindUNet) else {}
        found.append(metrics.psnr(network(noisy, **level).clamp(0, 1), clean).item())
    return mean(found)


@torch.no_grad()
def milliseconds(network: Network) -> float:
    """Return the shortest time of a pass over a 256x256 image."""
    image, taken = torch.rand(1, 3, 256, 256), []
    for _ in range(TIMED):
        begin = time.perf_counter()
        network(image)
        taken.append(time.perf_counter() - begin)
    return 1000 * min(taken)


def rows() -> list[dict[str, str]]:
    """Return all rows."""
    if not RESULT.exists():
        return []
    with RESULT.open(newline="") as file:
        return list(csv.DictReader(file))


def measure_times() -> None:
    """Measure the milliseconds of all rows again."""
    measured = {name: f"{milliseconds(variant.network().eval()):.0f}" for name, variant in VARIANTS.items()}
    known = [{**row, "milliseconds": measured[row["variant"]]} for row in rows()]
    with completed(RESULT) as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(known)


def write_page() -> None:
    """Write the page from the rows."""
    text = [
        "# Choices behind the pretrained weights",
        "",
        f"Short trainings of a small network: {STEPS} steps of eight 96x96 crops, Muon with rate 0.01 that falls to "
        f"zero, widths {', '.join(map(str, SMALL))} and two blocks a scale, seed 0; a variant differs in what its name "
        f"says. PSNR over the images that are left out of the training, {CROP}x{CROP} centre crops. The first line is "
        "PSNR, the others are differences from it. *Non-blind*: the true noise level of each picture is an input. "
        f"*Half as wide*: Muon leaves layers with a side below {NARROW} to Adam, so that more differs than the width. "
        f"`{BFLOAT16}` becomes `{FLOAT32}` on a machine without bfloat16. One seed: *float32* differs in rounding, "
        "so its differences show what chance does. Milliseconds are those of one pass over 256x256 pixels in float32, "
        "on the idle machine; minutes depend on what else ran. Printed by `python benchmarks/pretrained_ladder.py`.",
        "",
        *table(SHORT),
        "",
        f"From the shipped colour weights, {FURTHER} more steps with a rate of 0.002 that falls to zero. The non-blind "
        "network has one more input, the true level of each picture's noise, whose weights start at zero:",
        "",
        *table(LONG),
    ]
    missing = [name for name in VARIANTS if not any(row["variant"] == name for row in rows())]
    if missing:
        text += ["", f"Not run: {', '.join(missing)}."]
    (RESULTS / "pretrained_ladder.md").write_text("\n".join([*text, ""]))


def table(variants: Mapping[str, Variant]) -> list[str]:
    """Return the first variant's PSNR, and the others' differences from it."""
    found = rows()
    names = [name for name in variants if any(row["variant"] == name for row in found)]
    text = [
        f"| variant | mean | {' | '.join(f'`{noise}`' for noise in TESTS)} | precision | parameters | ms | minutes |",
        "|---|---|" + "---|" * (len(TESTS) + 4),
    ]
    base: list[float] = []
    for name in names:
        mine = {row["noise"]: row for row in found if row["variant"] == name}
        figures = [float(mine[noise]["psnr"]) for noise in TESTS]
        shown = [value - first for value, first in zip(figures, base, strict=True)] if base else figures
        cells = [f"{value:{'+' if base else ''}.2f}" for value in (mean(shown), *shown)]
        base = base or figures
        cells += [mine[TESTS[0]][each] for each in ("precision", "parameters", "milliseconds", "minutes")]
        text.append(f"| {name} | {' | '.join(cells)} |")
    return text


def main() -> None:
    """Train what is missing, and write the page after each variant."""
    words = sys.argv[1:]
    for word in words:
        if word not in (*VARIANTS, "times", "page"):
            sys.exit(f"unknown variant {word}; choose from {', '.join(VARIANTS)}, times, page")
    if words == ["times"]:
        measure_times()
    done = {row["variant"] for row in rows()}
    for name in words or VARIANTS:
        if name in VARIANTS and name not in done and words not in (["page"], ["times"]):
            score(name)
            done.add(name)
            write_page()
    write_page()


if __name__ == "__main__":
    main()
