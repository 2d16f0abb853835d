"""ZS-N2M beside ZS-N2N and the paper's tables: writes docs/results/zsn2m.csv row by row, and zsn2m.md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m.py [GROUP ...]

Without a group all of them, in order: hours on two cores. A command that is killed goes on where it stopped, and the
page shows what there is.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from rows import Job, run

from torchdenoise.data import read_picture

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FOUR = ("kodim05", "kodim08", "kodim19", "kodim23")
BOTH = ("zsn2n", "zsn2m-star")
CLIPPED = "gaussian:25:clip"
HALF = ("trainer.precision=bf16-mixed",)


@dataclass(frozen=True)
class Group:
    """Jobs that make one part of the page, and what the paper prints for each recipe."""

    title: str
    jobs: list[Job]
    paper: dict[str, float]


def synthetic(pictures: list[Path], recipes: tuple[str, ...], noise: str, overrides: tuple[str, ...]) -> list[Job]:
    """Return a job for each recipe and picture."""
    return [Job(picture, recipe, noise, overrides=overrides) for recipe in recipes for picture in pictures]


def real(folder: Path, recipes: tuple[str, ...], count: int) -> list[Job]:
    """Return a job for each recipe and each of ``count`` pairs, evenly spread by name."""
    pictures = sorted((folder / "noisy").iterdir())
    chosen = pictures[:: len(pictures) // count][:count]
    clean = [folder / "clean" / picture.name for picture in chosen]
    return [
        Job(target, recipe, "real", noisy=noisy)
        for recipe in recipes
        for noisy, target in zip(chosen, clean, strict=True)
    ]


def groups(data: Path, overrides: tuple[str, ...] = HALF) -> dict[str, Group]:
    """Return all parts of the page by name."""
    kodak = sorted((data / "kodak24").glob("*.png"))
    four = [picture for picture in kodak if picture.stem in FOUR]
    set14 = [path for path in sorted((data / "set14").glob("*.png")) if min(read_picture(path).image.shape[-2:]) >= 256]
    exact = [*synthetic(four, BOTH, CLIPPED, ()), *synthetic(four, BOTH, CLIPPED, HALF)]
    made = {
        "precision": Group("float32 against bf16-mixed, 4 Kodak24 crops", exact, {}),
        "kodak24": Group(
            f"All 24 Kodak24 crops, `{CLIPPED}`",
            synthetic(kodak, BOTH, CLIPPED, overrides),
            {"zsn2n": 28.27, "zsn2m-star": 29.39},
        ),
        "two-stages": Group(
            "Both networks, 4 crops", synthetic(four, ("zsn2m",), CLIPPED, overrides), {"zsn2m": 29.56}
        ),
        "two-stages-poisson": Group(
            "Both networks, 4 crops, `poisson:25`",
            synthetic(four, ("zsn2m",), "poisson:25", overrides),
            {"zsn2m": 27.93},
        ),
        "set14": Group(
            f"Set14's crops that exist, `{CLIPPED}`",
            synthetic(set14, BOTH, CLIPPED, overrides),
            {"zsn2n": 27.88, "zsn2m-star": 28.76},
        ),
    }
    for noise, paper in (
        ("gaussian:5-50:clip", {"zsn2n": 28.28, "zsn2m-star": 29.28}),
        ("poisson:25", {"zsn2n": 27.03, "zsn2m-star": 27.82}),
        ("poisson:5-50", {"zsn2n": 26.45, "zsn2m-star": 26.97}),
    ):
        made[noise] = Group(f"4 Kodak24 crops, `{noise}`", synthetic(four, BOTH, noise, overrides), paper)
    for name, paper in (
        ("sidd", {"zsn2n": 33.28, "zsn2m-star-real": 36.73, "zsn2m-real": 36.89}),
        ("polyu", {"zsn2n": 34.95, "zsn2m-star-real": 36.38, "zsn2m-real": 37.65}),
        ("fmd", {"zsn2n": 33.48, "zsn2m-star-real": 34.25, "zsn2m-real": 34.53}),
    ):
        jobs = [*real(data / name, ("zsn2n", "zsn2m-star-real"), 4), *real(data / name, ("zsn2m-real",), 1)]
        made[name] = Group(f"Real noise, {name.upper()}", jobs, paper)
    return made


def page(parts: list[tuple[Group, list[dict[str, str]]]]) -> str:
    """Return what there is as Markdown."""
    lines = [
        "# ZS-N2M beside ZS-N2N",
        "",
        "256x256 centre crops, seed 0, by the rules of the [protocol](../protocol.md); printed by "
        "`python benchmarks/zsn2m.py`, the rows: `zsn2m.csv`. The paper's figures are for its own pictures and "
        "settings: all 24 of Kodak24, all of Set14, 20 pictures of each real set.",
    ]
    for group, rows in parts:
        if not rows:
            continue
        lines += [
            "",
            f"## {group.title}",
            "",
            "| recipe | n | PSNR | SSIM | s | noisy | paper |",
            "|---|---|---|---|---|---|---|",
        ]
        for recipe, overrides in dict.fromkeys((row["recipe"], row["overrides"]) for row in rows):
            mine = [row for row in rows if (row["recipe"], row["overrides"]) == (recipe, overrides)]
            figures = {
                name: mean(float(row[name]) for row in mine) for name in ("psnr", "ssim", "seconds", "noisy_psnr")
            }
            label = f"`{recipe}`" + (" bf16-mixed" if "bf16" in overrides else "")
            lines.append(
                f"| {label} | {len(mine)} | {figures['psnr']:.2f} | {figures['ssim']:.3f} | {figures['seconds']:.0f} | "
                f"{figures['noisy_psnr']:.2f} | {group.paper.get(recipe, '-')} |"
            )
    return "\n".join([*lines, ""])


def main() -> None:
    """Run the named groups, and write the page after each."""
    table = groups(Path(os.environ["TORCHDENOISE_DATA"]))
    for name in sys.argv[1:] or table:
        run(table[name].jobs, RESULTS / "zsn2m.csv")
        parts = [(group, run(group.jobs, RESULTS / "zsn2m.csv", only_done=True)) for group in table.values()]
        (RESULTS / "zsn2m.md").write_text(page(parts))


if __name__ == "__main__":
    main()
