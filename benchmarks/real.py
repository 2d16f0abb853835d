"""Real camera and microscope noise, every picture: writes docs/results/real.md.

    TORCHDENOISE_DATA=DIR python benchmarks/real.py [--sets sidd,fmd] [--recipes fast,bm3d] [--pictures odd] [--first N]
    python benchmarks/real.py seconds      times each recipe with all threads; run it on an idle machine
    python benchmarks/real.py page         prints the page from the rows alone

All 40 SIDD blocks, 40 PolyU and 48 FMD centre crops by all recipes but the slowest (``HOURS``): many hours on two
cores. Scenes with odd numbers
are those on which settings may be chosen; PolyU and FMD count their pictures by name. The rows of each half lie in
docs/results/studies/real/SET-odd and SET-even. What has a row is not done again: delete the rows of a recipe whose code
has changed. ``TORCHDENOISE_WORKERS=2`` runs two jobs at a time, and then seconds are contended.
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev

from comparisons import variants
from speed import Number, timed
from studies import RESULTS, Part, average, centre_crop, noisy_images, real_part, setting

from torchdenoise.benchmarking.columns import Row, shown
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import shared_scenes
from torchdenoise.data import read_picture
from torchdenoise.fitting import Options, restorer

PRETRAINED = ("pretrained", "pretrained-fast", "pretrained-best")
"""With weights trained on other pictures."""
BY_DEFAULT = (
    "auto",
    "instant",
    "fast",
    "best",
    *PRETRAINED,
    "bm3d",
    "bm3d-correlated",
    "nl-ridge",
    "zsn2m-star-real-bf16",
)
HOURS = ("nlr-real",)
"""An hour a picture without a GPU: run only where ``--recipes`` names them."""
RECIPES = (*BY_DEFAULT, *HOURS)
HALVES = ("odd", "even")
FOLDER = "studies/real"
BEFORE = "d8929b2"
"""The commit before noise profiles; its rows lie in docs/results/studies/real/before."""
NOT_SHARED = "No picture is finished by all recipes that have been started."
TIMED = 3
"""Pictures of SIDD on which each recipe is timed."""


def scene_number(path: Path, position: int) -> int:  # noqa: ARG001
    """Return the number of a SIDD scene, with which its name begins."""
    return int(path.stem.partition("_")[0])


def own_position(path: Path, position: int) -> int:  # noqa: ARG001
    """Return the position of a picture by name, from 1."""
    return position


def itself(image: str) -> str:
    """Return the name of a picture that is a sample of its own."""
    return image


def field(image: str) -> str:
    """Return the field of view that FMD's picture shows, of which there are four shots."""
    return image.rpartition("_")[0]


@dataclass(frozen=True)
class Published:
    """A published figure.

    Args:
        method: and who ran it, if not its authors.
        psnr: in dB.
        ssim: as published; variants differ.
    """

    method: str
    psnr: float
    ssim: float | None = None


@dataclass(frozen=True)
class DataSet:
    """A set of pictures with real noise, and what was published for it.

    Args:
        title: of its section.
        number: of a picture, by path and position, whose parity decides the half.
        sample: of a picture's name: pictures of one sample are averaged first.
        published_on: the pictures of the published figures.
        published: for methods that see one picture at a time.
    """

    title: str
    number: Callable[[Path, int], int]
    sample: Callable[[str], str]
    published_on: str
    published: tuple[Published, ...]


SETS = {
    "sidd": DataSet(
        "SIDD, block 17 of each of the 40 validation scenes",
        scene_number,
        itself,
        "all 1280 validation blocks (32 a scene), noisy 23.66 dB",
        (
            Published("NLR (NeurIPS 2025; 65 s on a GPU)", 36.32, 0.874),
            Published("R-ZS-N2N", 35.79, 0.850),
            Published("BSN-INS (CVPR 2025), by NLR", 35.31, 0.868),
            Published("MASH (CVPR 2024)", 35.06, 0.851),
            Published("ScoreDVI, with a trained prior, by MASH", 34.75, 0.856),
            Published("DIP, by MASH", 32.11, 0.740),
            Published("Pixel2Pixel (TPAMI 2025), by NLR", 30.29),
            Published("Self2Self, by MASH", 29.46, 0.595),
            Published("BM3D, by MASH", 25.65, 0.475),
            Published("ZS-N2N, by NLR", 25.59, 0.565),
        ),
    ),
    "polyu": DataSet(
        "PolyU, centre crops of 40 of the 100 published pictures",
        own_position,
        itself,
        "all 100 published pictures of 512x512",
        (
            Published("ScoreDVI, with a trained prior, by MASH", 37.77, 0.959),
            Published("MASH (CVPR 2024)", 37.62, 0.932),
            Published("Self2Self, by MASH", 37.52, 0.926),
            Published("BM3D, by MASH", 37.40, 0.953),
            Published("DIP, by MASH", 37.17, 0.912),
            Published("ZS-N2N, by DMID (another SSIM)", 35.99, 0.959),
        ),
    ),
    "fmd": DataSet(
        "FMD, centre crops of four shots of each of 12 fields",
        own_position,
        field,
        "the whole 48 pictures of 512x512, noisy 27.22 dB",
        (
            Published("BSN-INS (CVPR 2025), by NLR", 33.95, 0.885),
            Published("MASH (CVPR 2024)", 33.71, 0.882),
            Published("NLR (NeurIPS 2025)", 33.47, 0.882),
            Published("Pixel2Pixel (TPAMI 2025), by NLR", 33.26, 0.830),
            Published("ScoreDVI, with a trained prior, by NLR", 33.10, 0.865),
            Published("DIP, by NLR", 32.90, 0.854),
            Published("ZS-N2N, by NLR", 31.65, 0.767),
            Published("BM3D, by MASH", 30.06, 0.771),
        ),
    ),
}


def part(name: str, half: str, recipes: Sequence[str] = RECIPES, first: int | None = None) -> Part:
    """Return the comparison on the odd or the even half of a set, or on its first pictures."""
    places = enumerate(noisy_images(name), 1)
    numbered = sorted((SETS[name].number(path, position), path) for position, path in places)
    chosen = [path for number, path in numbered if number % 2 == (half == "odd")][:first]
    return real_part(f"{FOLDER}/{name}-{half}", variants(recipes, ()), chosen)


def rows_of(name: str, halves: Sequence[str] = HALVES) -> list[Row]:
    """Return the finished rows of a set."""
    found = [row for half in halves for row in Store.read(RESULTS / FOLDER / f"{name}-{half}")]
    return [row for row in found if row["status"] == "done"]


def samples(name: str, rows: Sequence[Row], column: str = "psnr") -> list[float]:
    """Return the mean of a column for each sample of a set."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(SETS[name].sample(row["image"]), []).append(float(row[column]))
    return [mean(each) for each in values.values()]


def section(name: str) -> list[str]:
    """Return the tables of a set; means are over the pictures that all its recipes have finished."""
    text = ["", f"## {SETS[name].title}", ""]
    rows = rows_of(name)
    if not rows:
        return [*text, f"Not run: `python benchmarks/real.py --sets {name}`."]
    counts = {recipe: len(_by(rows, recipe)) for recipe in RECIPES}
    unfinished = [recipe for recipe in RECIPES if 0 < counts[recipe] < max(counts.values())]
    partial = [_on_its_own(name, recipe, rows) for recipe in unfinished]
    rows = [row for row in rows if row["recipe"] not in unfinished]
    shared = shared_scenes(rows)
    rows = [row for row in rows if (row["image"], row["seed"]) in shared]
    odd = {row["image"] for row in rows_of(name, ["odd"])}
    recipes = [recipe for recipe in RECIPES if any(row["recipe"] == recipe for row in rows)]
    missing = ", ".join(f"`{recipe}`" for recipe in RECIPES if not counts[recipe])
    text.append(f"{setting(rows)}." + (f" Not run: {missing}." if missing else "") if rows else NOT_SHARED)
    idle = idle_seconds()
    text += ["", "| recipe | n | PSNR | odd | even | SSIM | s | s, idle |", "|---|---|---|---|---|---|---|---|"]
    if recipes:
        text.append(_line(name, "noisy", "noisy_", [row for row in rows if row["recipe"] == recipes[0]], odd))
    for recipe in sorted(recipes, key=lambda each: -mean(samples(name, _by(rows, each)))):
        text.append(_line(name, f"`{recipe}`", "", _by(rows, recipe), odd, idle.get(recipe)))
    text += [line for each in partial for line in ("", each)]
    text += ["", f"Published, on {SETS[name].published_on}:", "", "| method | PSNR | SSIM |", "|---|---|---|"]
    text += [f"| {each.method} | {each.psnr:.2f} | {shown(each.ssim, 3)} |" for each in SETS[name].published]
    return text + before(name)


def _on_its_own(name: str, recipe: str, rows: Sequence[Row]) -> str:
    """Return a sentence about a recipe that has finished some pictures, beside ``fast`` on the same ones."""
    mine = _by(rows, recipe)
    names = {row["image"] for row in mine}
    beside = [row for row in _by(rows, "fast") if row["image"] in names]
    fast = f"; `fast` on these {mean(samples(name, beside)):.2f} dB" if len(beside) == len(mine) else ""
    most = max(len(_by(rows, each)) for each in RECIPES)
    return f"`{recipe}` has finished {len(mine)} of {most}: {mean(samples(name, mine)):.2f} dB{fast}."


def _by(rows: Sequence[Row], recipe: str) -> list[Row]:
    return [row for row in rows if row["recipe"] == recipe]


def _line(name: str, label: str, prefix: str, rows: Sequence[Row], odd: set[str], idle: float | None = None) -> str:
    values = samples(name, rows, f"{prefix}psnr")
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    halves = []
    for wanted in (True, False):
        here = [row for row in rows if (row["image"] in odd) == wanted]
        halves.append(shown(mean(samples(name, here, f"{prefix}psnr")) if here else None))
    seconds = "-" if prefix else f"{average(rows, 'seconds'):.1f}"
    ssim = f"{mean(samples(name, rows, f'{prefix}ssim')):.3f}"
    cells = [label, str(len(rows)), f"{mean(values):.2f}{spread}", *halves, ssim, seconds, shown(idle, 1)]
    return f"| {' | '.join(cells)} |"


def before(name: str) -> list[str]:
    """Return ``fast`` now beside ``fast`` before, on the pictures that both have."""
    old = {row["image"]: row for row in Store.read(RESULTS / FOLDER / "before" / name) if row["recipe"] == "fast"}
    new = {row["image"]: row for row in rows_of(name) if row["recipe"] == "fast"}
    both = [image for image in old if image in new]
    if not both:
        return []
    figures = [mean(samples(name, [rows[image] for image in both])) for rows in (old, new)]
    worse = sum(float(new[image]["psnr"]) < float(old[image]["psnr"]) - 0.05 for image in both)
    return [
        "",
        f"`fast` before (commit {BEFORE}) and now, on the pictures that both have ({len(both)}): {figures[0]:.2f} and "
        f"{figures[1]:.2f} dB, {figures[1] - figures[0]:+.2f}; worse by more than 0.05 dB on {worse}.",
    ]


def seconds() -> None:
    """Time each recipe on pictures of SIDD, one after the other, with all threads."""

    def measure(recipe: str, path: Path) -> dict[str, Number]:
        restore = restorer(str(variants((recipe,), ())[recipe]), None, Options())
        noisy = centre_crop(read_picture(path).image)
        restore([noisy[..., :64, :64]])  # imports and first calls
        begin = time.perf_counter()
        restore([noisy])
        return {"seconds": round(time.perf_counter() - begin, 2)}

    pictures = noisy_images("sidd")[:: -(-len(noisy_images("sidd")) // TIMED)]
    timed(
        "camera",
        ("seconds",),
        {f"{recipe} {path.stem}": partial(measure, recipe, path) for recipe in BY_DEFAULT for path in pictures},
    )


def idle_seconds() -> dict[str, float]:
    """Return the mean seconds of each recipe that was timed."""
    path = RESULTS / "speed_camera.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["key"].partition(" ")[0], []).append(float(row["seconds"]))
    return {recipe: mean(values) for recipe, values in found.items()}


def write_page() -> None:
    """Write the page from the rows."""
    text = [
        "# Real noise",
        "",
        "By the rules of the [protocol](../protocol.md): every recipe is one setting, and sees nothing but the noisy "
        "picture. Means over the n pictures that all recipes of a table have finished; those that have finished fewer "
        "stand below it. PSNR ± deviation; FMD's four shots of a field are averaged first. Odd: the pictures on "
        "which settings may be chosen, by the scene's number "
        "for SIDD and by position for the others; even: the rest. `s`: seconds on one thread, other work beside it, so "
        "not comparable; `s, idle`: with all threads of an idle machine, on pictures of SIDD. Published figures are "
        "for other pictures of the same sets, as their headings say, and for methods that see one picture at a time. "
        "`pretrained` and its variants use weights trained on other pictures ([pretrained](pretrained.md)), a league "
        "of their own. Printed by `python benchmarks/real.py`; rows: `studies/real`.",
    ]
    for name in SETS:
        text += section(name)
    (RESULTS / "real.md").write_text("\n".join([*text, ""]))


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the command line's choice."""

    def listed(known: Sequence[str]) -> Callable[[str], list[str]]:
        def chosen(text: str) -> list[str]:
            names = text.split(",")
            for name in names:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"unknown {name}; choose from {', '.join(known)}")
            return names

        return chosen

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="?", choices=("seconds", "page"), help="run nothing else")
    parser.add_argument("--sets", type=listed(tuple(SETS)), default=list(SETS))
    parser.add_argument("--recipes", type=listed(RECIPES), default=list(BY_DEFAULT))
    parser.add_argument("--pictures", choices=("all", *HALVES), default="all")
    parser.add_argument("--first", type=int, help="only so many pictures of each half")
    return parser.parse_args(words)


def main() -> None:
    """Run what is missing, and write the page after each half of a set."""
    chosen = arguments(sys.argv[1:])
    if chosen.only == "seconds":
        seconds()
    elif chosen.only is None:
        for name in chosen.sets:
            for half in HALVES if chosen.pictures == "all" else [chosen.pictures]:
                part(name, half, chosen.recipes, chosen.first).run()
                write_page()
    write_page()


if __name__ == "__main__":
    main()
