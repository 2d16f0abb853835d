"""Every method on the same noisy crops, by ``torchdenoise compare``: writes docs/results/compare.md.

    TORCHDENOISE_DATA=DIR TORCHDENOISE_RUNS=DIR python benchmarks/comparisons.py [PART ... | page]

Parts: kodak24, four, longer, levels, oracle, sidd, polyu, fmd, longest, gpu; all by default, in this order, gpu only on
a GPU: many hours on two cores. The rows of a part are kept in docs/results/compare/PART (those of longer in four); its
images and its report lie beside them, but not in the repository. ``page`` prints the page from the rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from published import cell, differences, sources
from studies import CLIPPED, FOUR, RECIPES, RESULTS, Part, Variant, kodak24, noisy_images, real_part, run_parts
from training import runs_folder

from torchdenoise.benchmarking.columns import Row, shown
from torchdenoise.benchmarking.store import Store
from torchdenoise.benchmarking.tables import Line, lines, setting, shared_scenes

FOLDER = RESULTS / "compare"
CLASSICAL = ("bm3d", "bm3d-oracle", "anscombe-bm3d", "nlm", "tv", "wavelet")
OURS = ("instant", "fast", "best")
TRAINED = ("n2c-blind", "n2n-blind", "n2v-blind")
MINUTES = ("zsn2n", "zsn2m-star", "neighbor2neighbor-single", "n2v-single")
"""Zero-shot methods that take a few minutes per image."""
REAL_NOISE = ("bm3d", "anscombe-bm3d", "nlm", "tv", "wavelet")
CUT = ("self2self-1500", "self2self-star-1500", "dip-750")
LONGER = ("zsn2n-3000", "zsn2m", "mash-code")
LONGEST = ("dip", "noise2fast-colour", "mash", "nlr", "pixel2pixel", "self2self-15k", "self2self-star-15k")
COSTS = {
    "dip": ("longest", "45 min", "3 min", "2.2M"),
    "self2self": ("longest", "4.5 h", "35 min", "1M"),
    "self2self-15k": ("longest", "-", "-", "-"),
    "zsn2n": ("four", "80 s", "20 s", "22K"),
    "zsn2m-star": ("four", "80 s", "20 s", "22K"),
    "zsn2m": ("four", "40 min", "2 min", "2.7M"),
    **dict.fromkeys((*OURS, "bm3d"), ("four", "-", "-", "-")),
}
"""ZS-N2M's Table 3: the part with our CPU rows, then the paper's CPU and GPU times and parameters."""


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    title: str
    part: Part


def variants(recipes: Sequence[str], trained: Sequence[str] = TRAINED) -> dict[str, Variant]:
    """Return methods by name: recipes, from the package or from benchmarks/recipes, and checkpoints."""
    made: dict[str, Variant] = {}
    for name in recipes:
        path = RECIPES / f"{name}.yaml"
        made[name] = path if path.exists() else name
    return made | {name: runs_folder() / name / "final.ckpt" for name in trained}


def sections() -> dict[str, Section]:
    """Return the sections by name; ``longer`` adds its rows to ``four``."""
    four = kodak24(FOUR)
    both = (CLIPPED, "poisson:25")
    levels = tuple(f"{kind}:{level}" for kind in ("gaussian", "poisson") for level in (10, 25, 50))
    quick = variants((*CLASSICAL, *OURS))
    oracle = Part("compare/oracle", variants(("bm3d-oracle",), ()), kodak24(), ("gaussian:25", CLIPPED))
    made = {
        "kodak24": Section("Methods under a minute, all of Kodak24", Part("compare/kodak24", quick, kodak24(), both)),
        "four": Section(
            "All methods except the longest, kodim05, 08, 19, 23",
            Part("compare/four", variants((*CLASSICAL, *OURS, *MINUTES)), four, both),
        ),
        "longer": Section("Methods above five minutes", Part("compare/four", variants(LONGER, ()), four, both[:1])),
        "levels": Section(
            "Methods under a minute, by level, kodim05, 08, 19, 23", Part("compare/levels", quick, four, levels)
        ),
        "oracle": Section("BM3D with the true level", oracle),
    }
    for name in ("sidd", "polyu", "fmd"):
        noisy = noisy_images(name)
        chosen = [noisy[round(place * (len(noisy) - 1) / 9)] for place in range(10)]
        recipes = (*REAL_NOISE, *OURS, "zsn2n-bf16", "zsn2m-star-real-bf16", "neighbor2neighbor-single")
        trained = () if name == "fmd" else TRAINED  # its images are grey
        part = real_part(f"compare/{name}", variants(recipes, trained), chosen)
        made[name] = Section(f"Real noise, {name.upper()}", part)
    longest = Part("compare/longest", variants(LONGEST, ()), four[2:3], both[:1])
    made["longest"] = Section("The longest methods, kodim19", longest)
    on_gpu = variants((*OURS, *MINUTES, *LONGER, "noise2fast-colour", "mash", "nlr", "pixel2pixel", *CUT, "dip"), ())
    made["gpu"] = Section("On a GPU, kodim05, 08, 19, 23", Part("compare/gpu", on_gpu, four, both, device="cuda"))
    return made


def write_page() -> None:
    """Write the page from the rows."""
    text = [
        "# Comparison",
        "",
        "By the rules of the [protocol](../protocol.md); every part is one call of `torchdenoise compare`, printed by "
        "`python benchmarks/comparisons.py`, its rows in `compare/PART/results.csv`. PSNR ± deviation over images. "
        "Published: for all 24 Kodak24 crops, a range where papers differ ([from which "
        "papers](#where-the-published-figures-come-from)); they are for the full methods, also where ours has fewer "
        "steps (the number in its name) or is smaller (`-blind`). `self2self-star` is one masked pass with dropout, "
        "`self2self` the mean of a hundred. Each job ran on one thread, with other jobs beside it on two cores; "
        "[speed](speed.md) has the seconds on an idle machine.",
    ]
    for name, section in sections().items():
        if name == "longer":
            continue
        rows = Store.read(FOLDER / name)
        if not rows:
            text += ["", f"## {section.title}", "", f"Not run: `python benchmarks/comparisons.py {name}`."]
            continue
        text += ["", f"## {section.title}", "", f"{setting(rows)}.{_missing(section.part.folder, rows)}"]
        for noise in dict.fromkeys(row["noise"] for row in rows):
            table = [line for line in lines(rows) if line.noise == noise]
            text += ["", f"`{noise}`:", "", *_table(table)]
            ranked_by = shared_scenes([row for row in rows if row["noise"] == noise])
            text += beside_published(table, noise, {image for image, _ in ranked_by})
    text += [*costs(), "", "## Where the published figures come from", ""]
    text.append(
        "PSNR over all 24 Kodak24 crops. Few are of the authors of a method: of ZS-N2N and of most others, only other "
        "papers have figures for these crops that were read here."
    )
    (RESULTS / "compare.md").write_text("\n".join([*text, "", *sources(), ""]))


def _missing(folder: str, rows: list[Row]) -> str:
    """Return which methods of a folder have no row yet, in words."""
    parts = [section.part for section in sections().values() if section.part.folder == folder]
    there = {row["recipe"] for row in rows}
    missing = [f"`{name}`" for part in parts for name in part.variants if name not in there]
    return f" Not run yet: {', '.join(missing)}." if missing else ""


def costs() -> list[str]:
    """Return the cost of one 256x256 image in colour, as in ZS-N2M's Table 3."""
    text = [
        "",
        "## Cost per image",
        "",
        f"One 256x256 crop in colour, on one CPU thread and on a GPU: means of the rows above at `{CLIPPED}`, "
        "beside ZS-N2M's Table 3; other jobs ran on the machines, most of all beside `dip` on the CPU. `self2self` has "
        "its published 150,000 steps. A dash: not run.",
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
    rows = [row for row in Store.read(FOLDER / part) if (row["recipe"], row["noise"]) == (recipe, CLIPPED)]
    return next(iter(lines(rows)), None)


def _seconds_and_memory(line: Line | None) -> tuple[str, str]:
    return ("-", "-") if line is None else (shown(line["seconds"], 1), shown(line["memory_mb"], 0))


def beside_published(table: list[Line], noise: str, names: set[str]) -> list[str]:
    """Return the differences from the published figures and their reasons, corrected for the choice of images."""
    shift = kodak24_shift(names, noise)
    found = differences(noise, {line.recipe: line.psnr for line in table if line.psnr is not None}, shift)
    if not found:
        return []
    text = "More than 0.3 dB from the published figures"
    if shift:
        text += f", after adding {shift:+.2f} dB, the mean difference between all of Kodak24 and these images"
    return ["", f"{text}:", "", *found]


def kodak24_shift(names: set[str], noise: str) -> float:
    """Return PSNR on all of Kodak24 minus that on some of its images, the mean over the methods run on all."""
    rows = [row for row in Store.read(FOLDER / "kodak24") if row["noise"] == noise and row["psnr"]]
    gains = []
    for recipe in {row["recipe"] for row in rows}:
        scores = {row["image"]: float(row["psnr"]) for row in rows if row["recipe"] == recipe}
        if names <= scores.keys():
            gains.append(mean(scores.values()) - mean(scores[name] for name in names))
    return mean(gains) if gains else 0.0


def _table(table: list[Line]) -> list[str]:
    head = ["| recipe | n | PSNR | SSIM | s | steps | parameters | MiB | published |", "|---|" + "---|" * 8]
    digits = {"ssim": 3, "seconds": 1, "steps": 0, "parameters": 0, "memory_mb": 0}
    body = []
    for line in table:
        figures = [shown(line[name], places) for name, places in digits.items()]
        psnr = f"{shown(line.psnr)} ± {shown(line.spreads.get('psnr'))}"
        cells = [f"`{line.recipe}`", str(line.shared), psnr, *figures, cell(line.noise, line.recipe)]
        body.append(f"| {' | '.join(cells)} |")
    return head + body


def main() -> None:
    """Run the named parts, or all that this machine can run, and write the page after each."""
    made = sections()
    default = [name for name, section in made.items() if section.part.device != "cuda" or torch.cuda.is_available()]
    run_parts({name: section.part.run for name, section in made.items()}, write_page, default)


if __name__ == "__main__":
    main()
