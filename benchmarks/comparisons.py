"""Every method on the same noisy crops, by ``torchdenoise compare`` itself: writes docs/results/compare.md.

    TORCHDENOISE_DATA=DIR TORCHDENOISE_RUNS=DIR python benchmarks/comparisons.py [PART ...]

Parts: kodak24, four, longer, levels, oracle, sidd, polyu, fmd, longest, gpu; without one all, in this order, gpu only
where there is one: many hours on two cores. A part's rows stand in docs/results/compare/PART (those of longer in that
of four); its pictures and its report are left beside them, but not kept in the repository. ``TORCHDENOISE_WORKERS=2``
runs two jobs at a time. A command that is killed goes on where it stopped.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import torch
from published import cell, differences
from rows import RESULTS, asked, data_folder, four_images
from training import runs_folder

from torchdenoise import compare
from torchdenoise.benchmarking.scoring import Row
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import Line, lines, setting, shared_scenes, shown
from torchdenoise.commands.progress import shown_jobs

FOLDER = RESULTS / "compare"
HERE = Path(__file__).parent
REAL = str(HERE / "zsn2m-star-real-bf16.yaml")
CLASSICAL = ("bm3d", "bm3d-oracle", "anscombe-bm3d", "nlm", "tv", "wavelet")
OURS = ("instant", "fast", "best")
TRAINED = ("n2c-blind", "n2n-blind", "n2v-blind")
MINUTES = ("zsn2n", "zsn2m-star", "neighbor2neighbor-single", "n2v-single")
"""Of zero-shot methods, those of a few minutes a picture."""
REAL_NOISE = ("bm3d", "anscombe-bm3d", "nlm", "tv", "wavelet")
SELF2SELF = ("self2self-1500", str(HERE / "self2self-star-1500.yaml"))
LONGER = ("zsn2n-3000", "zsn2m", "mash-code")
LONGEST = ("dip", "noise2fast-colour", "mash", "self2self-15k", str(HERE / "self2self-star-15k.yaml"))
COSTS = {
    "dip": ("longest", "45 min", "3 min", "2.2M"),
    "self2self": ("longest", "4.5 h", "35 min", "1M"),
    "self2self-15k": ("longest", "-", "-", "-"),
    "zsn2n": ("four", "80 s", "20 s", "22K"),
    "zsn2m-star": ("four", "80 s", "20 s", "22K"),
    "zsn2m": ("four", "40 min", "2 min", "2.7M"),
    **dict.fromkeys((*OURS, "bm3d"), ("four", "-", "-", "-")),
}
"""ZS-N2M's Table 3: the part that holds our rows of a CPU, and the paper's times on a CPU and a GPU, and parameters."""


@dataclass(frozen=True)
class Part:
    """One call of ``compare``."""

    title: str
    recipes: tuple[str, ...]
    pictures: list[Path]
    noise: tuple[str, ...] = ()
    noisy: list[Path] = field(default_factory=list)
    trained: tuple[str, ...] = TRAINED
    folder: str = ""
    """Another part's, whose table it goes into."""
    device: str = "auto"


def parts() -> dict[str, Part]:
    """Return all parts by name."""
    four = four_images()
    kodak = sorted((data_folder() / "kodak24").glob("*.png"))
    both = ("gaussian:25:clip", "poisson:25")
    every = tuple(f"{kind}:{level}" for kind in ("gaussian", "poisson") for level in (10, 25, 50))
    made = {
        "kodak24": Part("Those under a minute, all of Kodak24", (*CLASSICAL, *OURS), kodak, both),
        "four": Part("Every method but the longest, kodim05, 08, 19, 23", (*CLASSICAL, *OURS, *MINUTES), four, both),
        "longer": Part("Those above five minutes", LONGER, four, both[:1], trained=(), folder="four"),
        "levels": Part("Those under a minute, by level, kodim05, 08, 19, 23", (*CLASSICAL, *OURS), four, every),
        "oracle": Part("BM3D told the level", ("bm3d-oracle",), kodak, ("gaussian:25", "gaussian:25:clip"), trained=()),
    }
    for name in ("sidd", "polyu", "fmd"):
        noisy = sorted((data_folder() / name / "noisy").iterdir())
        chosen = [noisy[round(place * (len(noisy) - 1) / 9)] for place in range(10)]
        clean = [data_folder() / name / "clean" / path.name for path in chosen]
        recipes = (*REAL_NOISE, *OURS, "zsn2n-bf16", REAL, "neighbor2neighbor-single")
        trained = () if name == "fmd" else TRAINED  # its pictures are grey
        made[name] = Part(f"Real noise, {name.upper()}", recipes, clean, noisy=chosen, trained=trained)
    made["longest"] = Part("The longest, kodim19", LONGEST, four[2:3], both[:1], trained=())
    on_gpu = (*OURS, *MINUTES, *LONGER, "noise2fast-colour", "mash", *SELF2SELF, "dip-750", "dip")
    made["gpu"] = Part("On a GPU, kodim05, 08, 19, 23", on_gpu, four, both, trained=(), device="cuda")
    return made


def run(name: str, part: Part) -> None:
    """Do what is missing of a part."""
    checkpoints = [f"{each}={runs_folder() / each / 'final.ckpt'}" for each in part.trained]
    workers = int(os.environ.get("TORCHDENOISE_WORKERS", "1"))
    with shown_jobs() as listener:
        compare(
            [*part.recipes, *checkpoints],
            part.pictures,
            part.noise,
            noisy=part.noisy,
            crop=256,
            threads=1,
            workers=workers,
            device=part.device,
            output=FOLDER / (part.folder or name),
            listener=listener,
            command=f"python benchmarks/comparisons.py {name}",
        )


def page() -> str:
    """Return what there is as Markdown."""
    text = [
        "# Comparison",
        "",
        "By the rules of the [protocol](../protocol.md); every part is one call of `torchdenoise compare`, printed by "
        "`python benchmarks/comparisons.py`, its rows in `compare/PART/results.csv`. PSNR ± deviation over pictures. "
        "Published: for all 24 Kodak24 crops, by ZS-N2M (AAAI 2025), Table 1, and where two figures stand, the range "
        "over ZS-HPD (CVPR 2026) and NLR (NeurIPS 2025) too; of the whole methods, also where ours is cut (a number of "
        "steps in its name) or smaller (`-blind`). `self2self-star` is one masked pass with dropout, `self2self` the "
        "mean of a hundred. Seconds and memory are each job's on one thread, with other jobs beside it on two cores, "
        "not of one machine alone; [speed](speed.md) has the seconds on an idle one.",
    ]
    for name, part in parts().items():
        if part.folder:
            continue
        rows = Store.read(FOLDER / name)
        if not rows:
            text += ["", f"## {part.title}", "", f"Not run: `python benchmarks/comparisons.py {name}`."]
            continue
        text += ["", f"## {part.title}", "", f"{setting(rows)}.{_lacking(name, rows)}"]
        for noise in dict.fromkeys(row["noise"] for row in rows):
            table = [line for line in lines(rows) if line.noise == noise]
            text += ["", f"`{noise}`:", "", *_table(table)]
            ranked_by = shared_scenes([row for row in rows if row["noise"] == noise])
            text += beside_published(table, noise, {image for image, _ in ranked_by})
    return "\n".join([*text, *costs(), ""])


def _lacking(name: str, rows: list[Row]) -> str:
    """Return which recipes of a part have no row yet, in words."""
    asked_for = [each for key, part in parts().items() if name in (key, part.folder) for each in part.recipes]
    there = {row["recipe"] for row in rows}
    lacking = [f"`{Path(each).stem}`" for each in asked_for if Path(each).stem not in there]
    return f" Not run yet: {', '.join(lacking)}." if lacking else ""


def costs() -> list[str]:
    """Return what one 256x256 picture in colour costs, as ZS-N2M's Table 3 has it."""
    text = [
        "",
        "## What a picture costs",
        "",
        "One 256x256 crop in colour, on one CPU thread and on a GPU: means of the rows above at `gaussian:25:clip`, "
        "beside ZS-N2M's Table 3; the machines had other work meanwhile, `dip`'s CPU most of all. `self2self` stands "
        "for its published 150,000 steps. A dash: not run.",
        "",
        "| recipe | CPU s | CPU MiB | GPU s | GPU MiB | parameters | paper: CPU | paper: GPU | paper: parameters |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for recipe, (part, *published) in COSTS.items():
        cpu, gpu = _cost(part, recipe), _cost("gpu", recipe)
        known = cpu or gpu
        cells = [each for line in (cpu, gpu) for each in _seconds_and_memory(line)]
        cells += [shown(known["parameters"], 0) if known else "-", *published]
        text.append(f"| `{recipe}` | {' | '.join(cells)} |")
    return text


def _cost(part: str, recipe: str) -> Line | None:
    rows = [row for row in Store.read(FOLDER / part) if (row["recipe"], row["noise"]) == (recipe, "gaussian:25:clip")]
    return next(iter(lines(rows)), None)


def _seconds_and_memory(line: Line | None) -> tuple[str, str]:
    return ("-", "-") if line is None else (shown(line["seconds"], 1), shown(line["memory_mb"], 0))


def beside_published(table: list[Line], noise: str, names: set[str]) -> list[str]:
    """Return what differs from the published figures, and why; pictures other than all of Kodak24 are allowed for."""
    ease = easier_all(names, noise)
    told = differences(noise, {line.recipe: line.psnr for line in table if line.psnr is not None}, ease)
    if not told:
        return []
    text = "Otherwise than published by more than 0.3 dB"
    if ease:
        text += f" (all of Kodak24 is {ease:+.2f} dB from these pictures, by the recipes that were run on all)"
    return ["", f"{text}:", "", *told]


def easier_all(names: set[str], noise: str) -> float:
    """Return how much higher the recipes that were run on all of Kodak24 are there than on a few of its pictures."""
    rows = [row for row in Store.read(FOLDER / "kodak24") if row["noise"] == noise and row["psnr"]]
    gains = []
    for recipe in {row["recipe"] for row in rows}:
        scores = {row["image"]: float(row["psnr"]) for row in rows if row["recipe"] == recipe}
        if names <= scores.keys():
            gains.append(mean(scores.values()) - mean(scores[name] for name in names))
    return mean(gains) if gains else 0.0


def _table(table: list[Line]) -> list[str]:
    head = ["| recipe | n | PSNR | SSIM | s | steps | parameters | MiB | published |", "|---|" + "---|" * 8]
    return head + [
        f"| `{line.recipe}` | {line.shared} | {shown(line.psnr)} ± {shown(line.spread)} | {shown(line.ssim, 3)} | "
        f"{shown(line['seconds'], 1)} | {shown(line['steps'], 0)} | {shown(line['parameters'], 0)} | "
        f"{shown(line['memory_mb'], 0)} | "
        f"{cell(line.noise, line.recipe)} |"
        for line in table
    ]


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    here = [name for name, part in parts().items() if part.device != "cuda" or torch.cuda.is_available()]
    for name in asked(list(parts()), here):
        run(name, parts()[name])
        (RESULTS / "compare.md").write_text(page())


if __name__ == "__main__":
    main()
