"""The default recipes against ZS-N2N: seconds, PSNR, what each ingredient does, large pictures, many pictures.

    TORCHDENOISE_DATA=DIR python benchmarks/speed.py [PART ...]

Parts: kodak24, levels, set14, fmd, ladder, alone, without, small, cameras, weak, level (rows in
docs/results/speed.csv), then seconds, batch, large, which time and need the machine for themselves
(docs/results/speed_*.csv). Without a part all of them, in this order: hours on two cores. A command that is killed goes
on where it stopped; docs/results/speed.md shows what there is.
"""

import csv
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from rows import HALF, RESULTS, Job, Row, asked, average, centre_crop, data_folder, here, run, setting
from zsn2m_choices import pictures as training_pictures

from torchdenoise.data import Picture, read_picture, write_picture
from torchdenoise.denoisers.networks import calling
from torchdenoise.fitting import Options, fit_images
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

TABLE = RESULTS / "speed.csv"
CLIPPED = "gaussian:25:clip"
OURS = ("instant", "fast", "best")
EIGHT = ("kodim01", "kodim04", "kodim07", "kodim10", "kodim13", "kodim16", "kodim19", "kodim22")
ZSN2N = "`zsn2n`, bf16-mixed"
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
    "+ the picture's own similar patches": (*OLD, CROPS % ("true", RECORRUPTED), *MUON, *WIDER, *RIDGE),
    "+ stabilisation, clipping undone: `fast`": (),
}
ALONE: dict[str, tuple[str, ...]] = {
    "ZS-N2N's loss and network, 300 steps on the whole crop, Adam": OLD,
    "four 48x48 crops a step": (*OLD, CROPS % ("false", PLAIN_LOSS)),
    "Muon, warm-up and linear decay": (*OLD, *MUON),
    "four 3x3 layers 32 wide": (*OLD, *WIDER),
    "recorruption": (*OLD, f"model.loss={RECORRUPTED}"),
    "mean of eight turns": (*OLD, "model.readout=EightTurns"),
    "the picture's own similar patches": (*OLD, *RIDGE),
    "stabilisation, clipping undone": (*OLD, "model.domain=Stabilized"),
}
WITHOUT: dict[str, tuple[str, ...]] = {
    "`fast`": (),
    "without Muon: Adam 1e-3": ("model.optimizer=torch.optim.Adam", "model.optimizer.lr=0.001"),
    "without decay": ("model.scheduler=torch.optim.lr_scheduler.ConstantLR", "model.scheduler.factor=1.0"),
    "without recorruption: ZS-N2N's loss": (CROPS % ("false", PLAIN_LOSS),),
    "without turning the crops": ("model.loss.turned=false",),
    "without eight turns": ("model.readout.inner=OnePass",),
    "without similar patches": ("model.readout=EightTurns",),
    "similar patches once, not twice": ("model.readout.rounds=1",),
    "without stabilisation": ("model.domain=IdentityDomain",),
    "in float32": ("trainer.precision=32-true",),
    "the level taken whole, not 0.93 of it": ("model.loss.loss.share=1.0",),
    "half the noise added": ("model.loss.loss.amount=0.35",),
    "twice the noise added": ("model.loss.loss.amount=1.4",),
    "twice the steps": ("trainer.max_steps=600",),
    "half the steps": ("trainer.max_steps=150",),
}
TURNS = {label: WITHOUT[label] for label in ("`fast`", "without turning the crops", "without eight turns")}
SIDES = (32, 64, 128)
LIMITS = {"`fast`": (), "without the limit": ("model.fallback_readout=EightTurns",)}
WEAK = ("gaussian:0", "gaussian:2", "gaussian:5")
CAMERAS = tuple(f"real {name}" for name in ("sidd", "polyu", "fmd"))
OFF = {
    factor: (f"model.loss.loss.level={25 * factor}", f"model.readout.level={25 * factor}")
    for factor in (0.8, 0.9, 1.0, 1.1, 1.2)
}
BATCHES = (1, 4, 16)
LARGE = (4000, 6000)
Number = float | int | str


@dataclass(frozen=True)
class Part:
    """Rows of the page: jobs in tables, each with a title and labelled lines."""

    title: str
    lines: dict[str, list[Job]]
    noises: tuple[str, ...] = (CLIPPED,)
    told: str = ""


def jobs(pictures: list[Path], recipe: str, noises: tuple[str, ...], overrides: tuple[str, ...] = ()) -> list[Job]:
    """Return a job for each picture and noise."""
    return [Job(picture, recipe, noise, overrides) for noise in noises for picture in pictures]


def parts() -> dict[str, Part]:
    """Return the parts that score, by name."""
    kodak = sorted((data_folder() / "kodak24").glob("*.png"))
    eight = [path for path in kodak if path.stem in EIGHT]
    set14 = sorted((data_folder() / "set14").glob("*.png"))
    large = [path for path in set14 if min(read_picture(path).image.shape[-2:]) >= 256]
    fields = sorted((data_folder() / "fmd" / "noisy").iterdir())[::4]  # four pictures of each
    fmd = {
        recipe: [Job(data_folder() / "fmd" / "clean" / path.name, recipe, "real fmd", noisy=path) for path in fields]
        for recipe in ("zsn2n-bf16", *OURS)
    }
    tuned = training_pictures()
    cameras = {
        label: [
            Job(data_folder() / name / "clean" / path.name, "fast", f"real {name}", overrides, noisy=path)
            for name in ("sidd", "polyu", "fmd")
            for path in sorted((data_folder() / name / "noisy").iterdir())[4::12]
        ]
        for label, overrides in LIMITS.items()
    }
    weak = {label: jobs(tuned, "fast", WEAK, overrides) for label, overrides in LIMITS.items()}
    both = (CLIPPED, "poisson:25")
    return {
        "kodak24": Part(
            "All 24 Kodak24 crops",
            {ZSN2N: jobs(kodak, "zsn2n", (CLIPPED,), HALF)}
            | {recipe: jobs(kodak, recipe, (CLIPPED,)) for recipe in (*OURS, "bm3d")},
        ),
        "levels": Part(
            "Eight Kodak24 crops, by level",
            {recipe: jobs(eight, recipe, LEVELS) for recipe in ("zsn2n-bf16", *OURS)},
            LEVELS,
        ),
        "set14": Part(
            f"Set14's crops that exist ({len(large)} of 14)",
            {ZSN2N: jobs(large, "zsn2n", (CLIPPED,), HALF)}
            | {recipe: jobs(large, recipe, (CLIPPED,)) for recipe in OURS},
        ),
        "fmd": Part("A crop of each of FMD's 12 fields", fmd, ("real fmd",)),
        "ladder": Part(
            "The ingredients of `fast`, added up",
            {label: jobs(tuned, "fast", both, overrides) for label, overrides in LADDER.items()},
            both,
            "Six centre crops of BSDS500's training pictures, on which the recipe was tuned.",
        ),
        "alone": Part(
            "Each of them alone",
            {label: jobs(tuned, "fast", both, overrides) for label, overrides in ALONE.items()},
            both,
            "The same six crops; one thing at a time is added to the first line.",
        ),
        "without": Part(
            "`fast` with one thing changed",
            {label: jobs(tuned, "fast", both, overrides) for label, overrides in WITHOUT.items()},
            both,
            "The same six crops. Behind the averaging of similar patches little is left of what makes the network "
            "better by itself: compare the steps above.",
        ),
        "small": Part(
            "Small pictures",
            {
                f"{label}, {side}x{side}": [Job(path, "fast", CLIPPED, overrides, crop=side) for path in tuned]
                for side in SIDES
                for label, overrides in TURNS.items()
            },
            told="Crops of the same six, down to pictures as small as the crops that the fit takes from them, and "
            "smaller: where there is little to learn from, turning keeps the network from learning the noise.",
        ),
        "cameras": Part("Camera noise, every twelfth crop", cameras, CAMERAS),
        "weak": Part(
            "Little noise or none",
            weak,
            WEAK,
            "The same six crops, whose own noise is that of JPEG files of a camera: at level 0 it is what is seen.",
        ),
        "level": Part(
            "`fast` told a level that is off",
            {f"{f:g} times the true one": jobs(tuned, "fast", ("gaussian:25",), how) for f, how in OFF.items()},
            ("gaussian:25",),
            "The same six crops; the level goes to the loss and to the readout.",
        ),
    }


def not_run(title: str, name: str, when: str = "") -> list[str]:
    """Return the section of a part that has no row yet."""
    return [f"## {title}", "", f"Not run: `python benchmarks/speed.py {name}`{when}.", ""]


def section(name: str, part: Part) -> list[str]:
    """Return a part of the page."""
    found = {label: run(each, TABLE, only_done=True) for label, each in part.lines.items()}
    rows = [row for each in found.values() for row in each]
    if not rows:
        return not_run(part.title, name)
    # Lines are compared on the pictures that all of them have.
    sets = [{(row["noise"], row["image"]) for row in each} for each in found.values()]
    shared = set.intersection(*sets)
    lines = [f"## {part.title}", ""]
    if part.told:
        lines += [part.told, ""]
    lines += [f"{setting(rows)[0].upper()}{setting(rows)[1:]}; PSNR / SSIM, in brackets how many pictures.", ""]
    lines += [f"| | {' | '.join(f'`{noise}`' for noise in part.noises)} |", "|---|" + "---|" * len(part.noises)]
    for label, each in found.items():
        cells = [_cell([row for row in each if (row["noise"], row["image"]) in shared], noise) for noise in part.noises]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(rows: list[Row], noise: str) -> str:
    rows = [row for row in rows if row["noise"] == noise]
    return f"{average(rows):.2f} / {average(rows, 'ssim'):.3f} ({len(rows)})" if rows else "not run"


def timed(name: str, columns: tuple[str, ...], work: dict[str, Callable[[], dict[str, Number]]]) -> None:
    """Do what is missing of a timing: each key's work gives the values of its row."""
    path = RESULTS / f"speed_{name}.csv"
    machine = {
        "threads": torch.get_num_threads(),
        "device": here(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
    }
    done = {row["key"] for row in _timings(name) if row["device"] == here()}
    for key, measure in work.items():
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
    """Time each recipe on three crops, one after the other, all threads, nothing else running."""
    kodak = sorted((data_folder() / "kodak24").glob("*.png"))[::8]

    def measure(recipe: str, path: Path) -> dict[str, Number]:
        plan, options = load_recipe(recipe), Options()
        noisy = repeatable(CLIPPED, centre_crop(read_picture(path).image, 256))
        fit_images([noisy[..., :64, :64]], plan, Options(max_steps=2))  # imports and first calls
        begin = time.perf_counter()
        fit_images([noisy], plan, options)
        return {"seconds": round(time.perf_counter() - begin, 2)}

    work = {f"{recipe} {path.stem}": _later(measure, recipe, path) for path in kodak for recipe in TIMED}
    timed("seconds", ("seconds",), work)


def batch() -> None:
    """Time sixteen crops in batches."""
    kodak = sorted((data_folder() / "kodak24").glob("*.png"))[:16]
    noisy = [repeatable(CLIPPED, centre_crop(read_picture(path).image, 256)) for path in kodak]

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
        {f"{recipe} {size}": _later(measure, recipe, size) for recipe in recipes for size in BATCHES},
    )


def large() -> None:
    """Time a picture of 24 megapixels from file to file, in a process of its own, and watch its memory."""

    def measure() -> dict[str, Number]:
        folder = Path("runs") / "large"
        folder.mkdir(parents=True, exist_ok=True)
        clean = _scene(*LARGE)
        noisy = Picture.from_array((repeatable(CLIPPED, clean)[0].permute(1, 2, 0) * 255).round().byte().numpy())
        write_picture(folder / "noisy.png", noisy.image, noisy, overwrite=True)
        del noisy
        words = ["denoise", str(folder / "noisy.png"), "-o", str(folder / "clean.png"), "--overwrite"]
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "torchdenoise", *words], check=True)
        took = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        result = read_picture(folder / "clean.png").image
        error = (result - clean).square().mean((0, 1))
        psnr = -10 * torch.log10(error.mean()).item()
        return {"seconds": round(took, 1), "peak_mb": round(peak), "psnr": round(psnr, 2), **seams(error)}

    timed("large", ("seconds", "peak_mb", "psnr", "seam", "elsewhere"), {"fast 4000x6000": measure})


def seams(error: torch.Tensor) -> dict[str, Number]:
    """Return how much the error ``(H, W)`` stands out where tiles meet, and half-way between: the worst lines."""
    return {
        name: round(max(_stands_out(error.mean(axis), first) for axis in (0, 1)), 3)
        for name, first in (("seam", calling.TILE), ("elsewhere", calling.TILE // 2))
    }


def _stands_out(error: torch.Tensor, first: int) -> float:
    """Return the error of two lines over that of 30 lines on either side, the largest of every tile."""
    ratios = []
    for at in range(first, len(error) - 31, calling.TILE):
        around = torch.cat([error[at - 31 : at - 1], error[at + 1 : at + 31]])
        ratios.append((error[at - 1 : at + 1].mean() / around.mean()).item())
    return max(ratios)


def _scene(height: int, width: int) -> torch.Tensor:
    """Return a large picture of our own making: shapes and gratings of all sizes."""
    y = torch.linspace(0, 1, height)[:, None]
    x = torch.linspace(0, 1, width)[None, :]
    waves = [torch.sin(60 * (1 + 3 * shift) * (x * (1 + y) + shift * y * y)) for shift in (0.0, 0.3, 0.6)]
    rings = ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt().mul(200).floor().remainder(2)
    return torch.stack([0.5 + 0.2 * wave + 0.15 * (rings - 0.5) for wave in waves])[None]


def _later(measure: Callable[..., dict[str, Number]], *arguments: object) -> Callable[[], dict[str, Number]]:
    return lambda: measure(*arguments)


def page() -> str:
    """Return what there is as Markdown."""
    lines = [
        "# Speed",
        "",
        "256x256 centre crops unless said, by the rules of the [protocol](../protocol.md); printed by "
        "`python benchmarks/speed.py`. The recipes `instant`, `fast` (the default) and `best` are told nothing about "
        "the noise.",
        "",
        *_seconds_section(),
    ]
    for name, part in parts().items():
        lines += section(name, part)
    lines += [*_batch_section(), *_large_section()]
    return "\n".join(lines)


def _machine(rows: list[dict[str, str]]) -> str:
    """Return what timings were taken on, in words."""
    row = rows[0]
    threads = f"{row['threads']} thread{'' if row['threads'] == '1' else 's'}"
    return f"{threads} ({row['device']}), torch {row['torch']}, lightning {row['lightning']}"


def _by_device(name: str) -> list[list[dict[str, str]]]:
    """Return the rows of a timing, those of each device together."""
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
                means[recipe] = sum(mine) / len(mine)
        crops = len({row["key"].split()[1] for row in rows})
        lines += [
            f"Mean of {crops} Kodak24 crop{'s' if crops > 1 else ''}, `{CLIPPED}`, seed 0, each recipe's own number of "
            f"steps, {_machine(rows)}, nothing else running, readout included"
            f"{'; `bm3d` takes one CPU thread' if 'bm3d' in means else ''}.",
            "",
            "| recipe | s | of `zsn2n` | of `zsn2n-bf16` |",
            "|---|---|---|---|",
        ]
        for recipe, mean in means.items():
            ratios = [f"1/{means[base] / mean:.1f}" if base in means else "-" for base in ("zsn2n", "zsn2n-bf16")]
            lines.append(f"| `{recipe}` | {mean:.1f} | {' | '.join(ratios)} |")
        lines.append("")
    return lines


def _batch_section() -> list[str]:
    devices = _by_device("batch")
    if not devices:
        return not_run("Many pictures", "batch", ", on an idle machine")
    lines = [
        "## Many pictures",
        "",
        f"Sixteen Kodak24 crops, `{CLIPPED}`, seed 0; in batches of 1 they are fitted one by one. A CPU is "
        "busy with one picture already.",
        "",
    ]
    for rows in devices:
        lines += [f"{_machine(rows)}:", "", "| recipe, batch | pictures a second |", "|---|---|"]
        lines += [*(f"| `{row['key']}` | {row['pictures_per_second']} |" for row in rows), ""]
    return lines


def _large_section() -> list[str]:
    rows = _timings("large")
    if not rows:
        return not_run("24 megapixels", "large", ", on an idle machine")
    row = rows[0]
    return [
        "## 24 megapixels",
        "",
        f"`{row['key']}`: a drawn scene in colour, `{CLIPPED}`, seed 0, from one 8-bit PNG to the other, "
        f"{_machine(rows)}: {row['seconds']} s, {row['peak_mb']} MB at most, {row['psnr']} dB. Mean squared error of "
        "the two lines where tiles meet over that of 30 lines on either side, the worst of all rows and columns of "
        f"tiles: {row['seam']}; the same half-way between, where nothing meets: {row['elsewhere']}.",
        "",
    ]


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    timings = {"seconds": seconds, "batch": batch, "large": large}
    for name in asked([*parts(), *timings]):
        if name in timings:
            timings[name]()
        else:
            # Picture by picture, so that a part that is half done compares the same pictures.
            for line in zip(*parts()[name].lines.values(), strict=True):
                run(line, TABLE)
        (RESULTS / "speed.md").write_text(page())


if __name__ == "__main__":
    main()
