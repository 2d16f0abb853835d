"""The default recipes against ZS-N2N: seconds, PSNR, each ingredient, large images, many images; writes speed.md.

    TORCHDENOISE_DATA=DIR python benchmarks/speed.py [PART ... | page]

Parts: kodak24, levels, set14, fmd, ladder, alone, without, instant, small, cameras, weak, level (rows in
docs/results/studies/speed), then seconds, batch, large, which measure time and need an idle machine
(docs/results/speed_*.csv). All by default, in this order: hours on two cores.
"""

import csv
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

import lightning
import torch
from studies import (
    BF16,
    CLIPPED,
    EIGHT,
    RESULTS,
    Part,
    Variant,
    centre_crop,
    kodak24,
    noisy_images,
    real_part,
    run_parts,
    set14,
    setting,
    training_images,
)

from torchdenoise.benchmarking.tables import Line
from torchdenoise.benchmarking.tables import lines as averaged
from torchdenoise.data import Picture, read_picture, write_picture
from torchdenoise.denoisers.networks import calling
from torchdenoise.fitting import Options, fit_images
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

OURS = ("instant", "fast", "best")
ZSN2N = "zsn2n, bf16-mixed"
LEVELS = ("gaussian:10", "gaussian:50", "poisson:10", "poisson:25", "poisson:50")
TIMED = ("zsn2n", "zsn2n-bf16", *OURS, "zsn2m-star", "bm3d")
OLD = (
    "trainer.precision=bf16-mixed", "trainer.max_steps=300", "model.readout=OnePass", "model.domain=IdentityDomain",
    "model.network.width=48", "model.network.depth=3", "model.loss=ZSN2NLoss", "model.optimizer=torch.optim.Adam",
    "model.optimizer.lr=0.001", "model.scheduler=torch.optim.lr_scheduler.ConstantLR", "model.scheduler.factor=1.0",
)  # fmt: skip
CROPS = 'model.loss={"class_path":"OnCrops","init_args":{"size":48,"count":4,"turned":%s,"loss":%s}}'
RECORRUPTED = '{"class_path":"RecorruptedLoss","init_args":{"amount":0.7,"share":0.93}}'
PLAIN_LOSS = '{"class_path":"ZSN2NLoss"}'
MUON = ("model.optimizer=torchdenoise.denoisers.Muon", "model.optimizer.lr=0.02", "model.scheduler=WarmDown")
WIDER = ("model.network.width=32", "model.network.depth=5")
RIDGE = (
    "model.readout=NonLocalRidge", "model.readout.similar=64", "model.readout.window=25", "model.readout.rounds=2",
)  # fmt: skip
LADDER: dict[str, tuple[str, ...]] = {
    "ZS-N2N's loss and network, 300 steps on the whole crop, Adam": OLD,
    "+ four 48x48 crops a step": (*OLD, CROPS % ("false", PLAIN_LOSS)),
    "+ Muon, warm-up and linear decay": (*OLD, CROPS % ("false", PLAIN_LOSS), *MUON),
    "+ four 3x3 layers 32 wide": (*OLD, CROPS % ("false", PLAIN_LOSS), *MUON, *WIDER),
    "+ recorruption": (*OLD, CROPS % ("false", RECORRUPTED), *MUON, *WIDER),
    "+ crops turned": (*OLD, CROPS % ("true", RECORRUPTED), *MUON, *WIDER),
    "+ mean of eight turns": (*OLD, CROPS % ("true", RECORRUPTED), *MUON, *WIDER, "model.readout=EightTurns"),
    "+ similar patches of the image": (*OLD, CROPS % ("true", RECORRUPTED), *MUON, *WIDER, *RIDGE),
    "+ stabilisation, clipping undone (`fast`)": (),
}
ALONE: dict[str, tuple[str, ...]] = {
    "ZS-N2N's loss and network, 300 steps on the whole crop, Adam": OLD,
    "four 48x48 crops a step": (*OLD, CROPS % ("false", PLAIN_LOSS)),
    "Muon, warm-up and linear decay": (*OLD, *MUON),
    "four 3x3 layers 32 wide": (*OLD, *WIDER),
    "recorruption": (*OLD, f"model.loss={RECORRUPTED}"),
    "mean of eight turns": (*OLD, "model.readout=EightTurns"),
    "similar patches of the image": (*OLD, *RIDGE),
    "stabilisation, clipping undone": (*OLD, "model.domain=Stabilized"),
}
WITHOUT: dict[str, tuple[str, ...]] = {
    "`fast`": (),
    "Adam 1e-3 instead of Muon": ("model.optimizer=torch.optim.Adam", "model.optimizer.lr=0.001"),
    "without decay": ("model.scheduler=torch.optim.lr_scheduler.ConstantLR", "model.scheduler.factor=1.0"),
    "ZS-N2N's loss instead of recorruption": (CROPS % ("false", PLAIN_LOSS),),
    "without turning the crops": ("model.loss.turned=false",),
    "without eight turns": ("model.readout.inner=OnePass",),
    "without similar patches": ("model.readout=EightTurns",),
    "similar patches once, not twice": ("model.readout.rounds=1",),
    "without stabilisation": ("model.domain=IdentityDomain",),
    "in float32": ("trainer.precision=32-true",),
    "the full level, not 0.93 of it": ("model.loss.loss.share=1.0",),
    "half the noise added": ("model.loss.loss.amount=0.35",),
    "twice the noise added": ("model.loss.loss.amount=1.4",),
    "twice the steps": ("trainer.max_steps=600",),
    "half the steps": ("trainer.max_steps=150",),
}
INSTANT: dict[str, tuple[str, ...]] = {
    "`instant`": (),
    "without NL-Ridge's first step": ("model.readout.inner=OnePass",),
    "NL-Ridge's first step without the network": ("model.readout.inner.share=1.0",),
    "one round of similar patches": ("model.readout.rounds=1",),
    "all groups in both rounds": ("model.readout.thinning=1",),
    "a search window of 17 pixels": ("model.readout.window=17",),
    "half the steps": ("trainer.max_steps=50",),
}
TURNS = {label: WITHOUT[label] for label in ("`fast`", "without turning the crops", "without eight turns")}
SIDES = (32, 64, 128)
LIMITS = {"`fast`": (), "without the limit": ("model.fallback_readout=EightTurns",)}
WEAK = ("gaussian:0", "gaussian:2", "gaussian:5")
WRONG_LEVEL = {
    f"{factor:g} times the true one": (f"model.loss.loss.level={25 * factor}", f"model.readout.level={25 * factor}")
    for factor in (0.8, 0.9, 1.0, 1.1, 1.2)
}
BATCHES = (1, 4, 16)
LARGE = (4000, 6000)
Number = float | int | str


@dataclass(frozen=True)
class Section:
    """A table of the page: the variants of its parts by rows, parts and noises by columns."""

    title: str
    parts: Mapping[str, Part]
    """By heading; a part with synthetic noise has a column for each noise instead."""
    text: str = ""

    def run(self) -> None:
        """Run what is missing."""
        for part in self.parts.values():
            part.run()


def fast(changes: Mapping[str, tuple[str, ...]]) -> dict[str, Variant]:
    """Return variants of the recipe ``fast``."""
    return {label: ("fast", overrides) for label, overrides in changes.items()}


def sections() -> dict[str, Section]:
    """Return the sections with scores, by name."""
    eight, large, tuned = kodak24(EIGHT), set14(), training_images()
    ours = {recipe: recipe for recipe in OURS}
    zsn2n: dict[str, Variant] = {ZSN2N: ("zsn2n", (BF16,))}
    quick = {"zsn2n-bf16": "zsn2n-bf16", **ours}
    both = (CLIPPED, "poisson:25")

    def part(name: str, *arguments: object, **options: object) -> dict[str, Part]:
        return {"": Part(f"studies/speed/{name}", *arguments, **options)}

    def camera(name: str, folder: str, variants: Mapping[str, Variant], every: slice) -> dict[str, Part]:
        return {name.upper(): real_part(f"studies/speed/{folder}", variants, noisy_images(name)[every])}

    return {
        "kodak24": Section(
            "All 24 Kodak24 crops", part("kodak24", {**zsn2n, **ours, "bm3d": "bm3d"}, kodak24(), (CLIPPED,))
        ),
        "levels": Section("Eight Kodak24 crops, by level", part("levels", quick, eight, LEVELS)),
        "set14": Section(
            f"Set14's crops that exist ({len(large)} of 14)", part("set14", {**zsn2n, **ours}, large, (CLIPPED,))
        ),
        "fmd": Section("A crop of each of FMD's 12 fields", camera("fmd", "fmd", quick, slice(0, None, 4))),
        "ladder": Section(
            "The ingredients of `fast`, added up",
            part("ladder", fast(LADDER), tuned, both),
            "Six centre crops of BSDS500's training images, on which the recipe was tuned.",
        ),
        "alone": Section(
            "Each of them alone",
            part("alone", fast(ALONE), tuned, both),
            "The same six crops; each line adds one thing to the first.",
        ),
        "without": Section(
            "`fast` with one thing changed",
            part("without", fast(WITHOUT), tuned, both),
            "The same six crops. Averaging similar patches hides most of what improves the network itself: compare the "
            "steps above.",
        ),
        "instant": Section(
            "`instant` with one thing changed",
            part("instant", {label: ("instant", overrides) for label, overrides in INSTANT.items()}, tuned, both),
            "The same six crops.",
        ),
        "small": Section(
            "Small images",
            {
                f"{side}x{side}": Part(f"studies/speed/small-{side}", fast(TURNS), tuned, (CLIPPED,), crop=side)
                for side in SIDES
            },
            f"Crops of the same six at `{CLIPPED}`, down to the size of the crops that the fit takes, and smaller. "
            "With so few pixels, turning the crops keeps the network from learning the noise.",
        ),
        "cameras": Section(
            "Camera noise, every twelfth crop",
            {
                heading: each
                for name in ("sidd", "polyu", "fmd")
                for heading, each in camera(name, f"camera-{name}", fast(LIMITS), slice(4, None, 12)).items()
            },
        ),
        "weak": Section(
            "Little noise or none",
            part("weak", fast(LIMITS), tuned, WEAK),
            "The same six crops. They are JPEG files of a camera with noise of their own, which is what level 0 shows.",
        ),
        "level": Section(
            "`fast` with a wrong level",
            part("level", fast(WRONG_LEVEL), tuned, ("gaussian:25",)),
            "The same six crops; loss and readout are given the level.",
        ),
    }


def not_run(title: str, name: str, when: str = "") -> list[str]:
    """Return the section of a part that has no rows yet."""
    return [f"## {title}", "", f"Not run: `python benchmarks/speed.py {name}`{when}.", ""]


def table(name: str, section: Section) -> list[str]:
    """Return a section of the page; its variants are compared on the images that all of them have."""
    rows = [row for part in section.parts.values() for row in part.rows()]
    if not rows:
        return not_run(section.title, name)
    columns = [
        (heading or f"`{noise}`", {line.recipe: line for line in averaged(part.rows()) if line.noise == noise})
        for heading, part in section.parts.items()
        for noise in part.noise or ("real",)
    ]
    lines = [f"## {section.title}", "", *([section.text, ""] if section.text else [])]
    lines += [f"Setting: {setting(rows)}. PSNR / SSIM, in brackets the number of images.", ""]
    lines += [f"| | {' | '.join(heading for heading, _ in columns)} |", "|---|" + "---|" * len(columns)]
    for label in next(iter(section.parts.values())).variants:
        cells = [_cell(column.get(label)) for _, column in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(line: Line | None) -> str:
    return f"{line.psnr:.2f} / {line['ssim']:.3f} ({line.shared})" if line and line.shared else "not run"


def timed(name: str, columns: tuple[str, ...], measurements: dict[str, Callable[[], dict[str, Number]]]) -> None:
    """Measure what is missing of a timing: the function of each key returns the values of its row."""
    path = RESULTS / f"speed_{name}.csv"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    machine = {
        "threads": torch.get_num_threads(),
        "device": device,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
    }
    done = {row["key"] for row in _timings(name) if row["device"] == device}
    for key, measure in measurements.items():
        if key in done:
            continue
        values = {"key": key, **measure(), **machine}
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, ["key", *columns, *machine])
            if fresh:
                writer.writeheader()
            writer.writerow(values)
        print(values, flush=True)


def _timings(name: str) -> list[dict[str, str]]:
    path = RESULTS / f"speed_{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def seconds() -> None:
    """Time each recipe on three crops, one after the other, with all threads, on an idle machine."""

    def measure(recipe: str, path: Path) -> dict[str, Number]:
        plan, options = load_recipe(recipe), Options()
        noisy = repeatable(CLIPPED, centre_crop(read_picture(path).image))
        fit_images([noisy[..., :64, :64]], plan, Options(max_steps=2))  # imports and first calls
        begin = time.perf_counter()
        fit_images([noisy], plan, options)
        return {"seconds": round(time.perf_counter() - begin, 2)}

    measurements = {
        f"{recipe} {path.stem}": partial(measure, recipe, path) for path in kodak24()[::8] for recipe in TIMED
    }
    timed("seconds", ("seconds",), measurements)


def batch() -> None:
    """Time sixteen crops in batches."""
    noisy = [repeatable(CLIPPED, centre_crop(read_picture(path).image)) for path in kodak24()[:16]]

    def measure(recipe: str, size: int) -> dict[str, Number]:
        plan, options = load_recipe(recipe), Options()
        fit_images([noisy[0][..., :64, :64]], plan, Options(max_steps=2))
        begin = time.perf_counter()
        for at in range(0, len(noisy), size):
            fit_images(noisy[at : at + size], plan, options)
        return {"pictures_per_second": round(len(noisy) / (time.perf_counter() - begin), 4)}

    recipes = ("fast", "zsn2n-bf16") if torch.cuda.is_available() else ("instant", "fast")
    timed(
        "batch",
        ("pictures_per_second",),
        {f"{recipe} {size}": partial(measure, recipe, size) for recipe in recipes for size in BATCHES},
    )


def large() -> None:
    """Time an image of 24 megapixels from file to file, in separate processes, and measure their memory."""

    def measure(recipe: str) -> dict[str, Number]:
        folder = Path("runs") / "large"
        folder.mkdir(parents=True, exist_ok=True)
        clean = _scene(*LARGE)
        noisy = Picture.from_array((repeatable(CLIPPED, clean)[0].permute(1, 2, 0) * 255).round().byte().numpy())
        write_picture(folder / "noisy.png", noisy.image, noisy, overwrite=True)
        del noisy
        words = ["denoise", str(folder / "noisy.png"), "-o", str(folder / "clean.png"), "--overwrite"]
        words += ["--recipe", recipe]
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "torchdenoise", *words])
        _, status, usage = os.wait4(process.pid, 0)
        took, peak = time.perf_counter() - begin, usage.ru_maxrss / 1024
        if status:
            sys.exit(f"denoise --recipe {recipe} failed")
        result = read_picture(folder / "clean.png").image
        error = (result - clean).square().mean((0, 1))
        psnr = -10 * torch.log10(error.mean()).item()
        return {"seconds": round(took, 1), "peak_mb": round(peak), "psnr": round(psnr, 2), **seams(error)}

    size = "x".join(map(str, LARGE))
    measurements = {f"{recipe} {size}": partial(measure, recipe) for recipe in ("fast", "pretrained-fast")}
    timed("large", ("seconds", "peak_mb", "psnr", "seam", "elsewhere"), measurements)


def seams(error: torch.Tensor) -> dict[str, Number]:
    """Return how much larger the error ``(H, W)`` is where tiles meet, and half-way between them: the worst lines."""
    return {
        name: round(max(_ratio(error.mean(axis), first) for axis in (0, 1)), 3)
        for name, first in (("seam", calling.TILE), ("elsewhere", calling.TILE // 2))
    }


def _ratio(error: torch.Tensor, first: int) -> float:
    """Return the error of two lines divided by that of 30 lines on either side, the largest over all tiles."""
    ratios = []
    for at in range(first, len(error) - 31, calling.TILE):
        around = torch.cat([error[at - 31 : at - 1], error[at + 1 : at + 31]])
        ratios.append((error[at - 1 : at + 1].mean() / around.mean()).item())
    return max(ratios)


def _scene(height: int, width: int) -> torch.Tensor:
    """Return a large synthetic image: rings and gratings of all sizes."""
    y = torch.linspace(0, 1, height)[:, None]
    x = torch.linspace(0, 1, width)[None, :]
    waves = [torch.sin(60 * (1 + 3 * shift) * (x * (1 + y) + shift * y * y)) for shift in (0.0, 0.3, 0.6)]
    rings = ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt().mul(200).floor().remainder(2)
    return torch.stack([0.5 + 0.2 * wave + 0.15 * (rings - 0.5) for wave in waves])[None]


def write_page() -> None:
    """Write the page from the rows."""
    lines = [
        "# Speed",
        "",
        "256x256 centre crops unless stated otherwise, by the rules of the [protocol](../protocol.md); printed by "
        "`python benchmarks/speed.py`. The recipes `instant`, `fast` and `best` estimate the noise "
        "themselves.",
        "",
        *_seconds_section(),
    ]
    for name, section in sections().items():
        lines += table(name, section)
    lines += [*_batch_section(), *_large_section()]
    (RESULTS / "speed.md").write_text("\n".join(lines))


def _machine(rows: list[dict[str, str]]) -> str:
    """Return the machine of a timing, in words."""
    row = rows[0]
    threads = f"{row['threads']} thread{'' if row['threads'] == '1' else 's'}"
    return f"{threads} ({row['device']}), torch {row['torch']}, lightning {row['lightning']}"


def _by_device(name: str) -> list[list[dict[str, str]]]:
    """Return the rows of a timing, grouped by device."""
    rows = _timings(name)
    return [[row for row in rows if row["device"] == device] for device in dict.fromkeys(row["device"] for row in rows)]


def _seconds_section() -> list[str]:
    devices = _by_device("seconds")
    if not devices:
        return not_run("Seconds", "seconds", ", on an idle machine")
    lines = ["## Seconds", ""]
    for rows in devices:
        means = {}
        for recipe in TIMED:
            mine = [float(row["seconds"]) for row in rows if row["key"].split()[0] == recipe]
            if mine:
                means[recipe] = mean(mine)
        crops = len({row["key"].split()[1] for row in rows})
        lines += [
            f"Mean of {crops} Kodak24 crop{'s' if crops > 1 else ''}, `{CLIPPED}`, seed 0, each recipe's own number of "
            f"steps, {_machine(rows)}, nothing else running, readout included"
            f"{'; `bm3d` takes one CPU thread' if 'bm3d' in means else ''}.",
            "",
            "| recipe | s | of `zsn2n` | of `zsn2n-bf16` |",
            "|---|---|---|---|",
        ]
        for recipe, took in means.items():
            ratios = [f"1/{means[base] / took:.1f}" if base in means else "-" for base in ("zsn2n", "zsn2n-bf16")]
            lines.append(f"| `{recipe}` | {took:.1f} | {' | '.join(ratios)} |")
        lines.append("")
    return lines


def _batch_section() -> list[str]:
    devices = _by_device("batch")
    if not devices:
        return not_run("Many images", "batch", ", on an idle machine")
    lines = [
        "## Many images",
        "",
        f"Sixteen Kodak24 crops, `{CLIPPED}`, seed 0; in batches of 1 they are fitted one by one. One image "
        "is enough to keep a CPU busy.",
        "",
    ]
    for rows in devices:
        lines += [f"{_machine(rows)}:", "", "| recipe, batch | images a second |", "|---|---|"]
        lines += [*(f"| `{row['key']}` | {row['pictures_per_second']} |" for row in rows), ""]
    return lines


def _large_section() -> list[str]:
    rows = _timings("large")
    if not rows:
        return not_run("24 megapixels", "large", ", on an idle machine")
    return [
        "## 24 megapixels",
        "",
        f"A synthetic scene in colour, {LARGE[0]}x{LARGE[1]}, `{CLIPPED}`, seed 0, from one 8-bit PNG to another, "
        f"{_machine(rows)}. *Seams*: mean squared error of the two lines where tiles meet, divided by that of 30 lines "
        "on either side, the worst of all rows and columns of tiles; *elsewhere*: the same half-way between, where no "
        "tiles meet.",
        "",
        "| recipe | s | MB at most | PSNR | seams | elsewhere |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{row['key'].split()[0]}` | {row['seconds']} | {row['peak_mb']} | {row['psnr']} | {row['seam']} | "
            f"{row['elsewhere']} |"
            for row in rows
        ),
        "",
    ]


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    scored = {name: section.run for name, section in sections().items()}
    run_parts({**scored, "seconds": seconds, "batch": batch, "large": large}, write_page)


if __name__ == "__main__":
    main()
